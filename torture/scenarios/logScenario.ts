/** A story of the log (logStories.ts) as a scenario: nothing acknowledged is lost, and nothing invented, whatever call is hit. */

import { createRandom } from '../../actors/kernel/random.ts'
import { emptyState, matchingPrefix } from '../model.ts'
import { unkept } from '../oracle.ts'
import { createRig, entryOf } from '../rig.ts'
import { counting } from '../scenario.ts'
import { recoveredText } from '../specimen.ts'
import type { RecoveryReport } from '../../actors/wal/protocol.ts'
import type { DiskCall, DiskImage } from '../../storage/memoryFileSystem.ts'
import type { MemoryNames } from '../../storage/memoryNames.ts'
import type { GroupModel } from '../model.ts'
import type { Rig, RigOptions } from '../rig.ts'
import type { Played, Scenario, SecondLife, Trouble } from '../scenario.ts'
import type { Story } from './logStories.ts'

const PROBE_GROUP = 9_999
const ANSWER_MS_MAX = 5_000
const REST_MS = 3_000

/** `hasSyncedWrites`: the log writes a group and syncs it in one call. */
export const logScenario = ({ name, before, capacityBytes, run, judge }: Story, hasSyncedWrites: boolean): Scenario => ({
  name: hasSyncedWrites ? `${name}, in one call` : name,
  play: (faultAt) => {
    const start = before?.()
    const { fault, calls } = counting(faultAt)
    const options: RigOptions = {
      fault, hasSyncedWrites, ...(start === undefined ? {} : { image: start.image, models: start.models }),
      ...(capacityBytes === undefined ? {} : { capacityBytes }),
    }
    const rig = createRig(options).open()
    if (isWell(rig.report())) run(rig)
    const judgeAll = (image: DiskImage): string | undefined => restartProblem(rig.models, image) ?? judge?.(rig, image)
    const played: Played = {
      calls: calls(), disk: rig.disk, judge: judgeAll,
      liveOn: (cache, speaks) => {
        const life = secondLog(cache, speaks, hasSyncedWrites)
        return { disk: life.disk, judge: (image) => life.judge(image) ?? judgeAll(image) }
      },
      restart: (image, again) => createRig({ image, hasSyncedWrites, fault: counting(again).fault }).open().disk,
      behaved: (trouble, hit) => behaviour(rig, trouble, hit),
    }
    return played
  },
})

/** Where the start could not read a part of it all replicas are quarantined, and say nothing more. */
const isWell = (report: RecoveryReport | undefined): boolean => report !== undefined && report.damagedNode === undefined

/** A log that is opened in the cache of a killed process, whatever else lives beside it. */
export const secondLog = (cache: MemoryNames, speaks: boolean, hasSyncedWrites = false): SecondLife & { readonly rig: Rig } => {
  const rig = createRig({ cache, hasSyncedWrites }).open()
  const report = rig.report()
  // A group that a damaged log does not know is quarantined at the next start, whatever it was told: it says nothing about this one.
  const mayAppend = speaks && report !== undefined && report.damagedNode === undefined
  const ticket = mayAppend ? rig.append(PROBE_GROUP, { entries: [entryOf(1)] }) : undefined
  const isAnswered = ticket === undefined || rig.clock.runUntil(() => rig.isAcknowledged(ticket), ANSWER_MS_MAX)
  return {
    rig, disk: rig.disk,
    judge: (image) => {
      if (report === undefined || !isAnswered) return `the life after the kill is ${rig.wal.state()}`
      const found = createRig({ image }).open().report()
      const isKept = ticket === undefined || found?.groups.get(PROBE_GROUP)?.entries.length === 1
      if (!isKept) return 'SILENT LOSS: what was acknowledged after the kill'
      return unkept(report, found)
    },
  }
}

/** What a restart on the image gets wrong; then the log must go on, and the next restart agree. */
const restartProblem = (models: ReadonlyMap<number, GroupModel>, image: DiskImage): string | undefined => {
  const rig = createRig({ image }).open()
  const report = rig.report()
  if (rig.failure() !== undefined || rig.wal.state() !== 'open') return `the restart is ${rig.wal.state()}: ${String(rig.failure())}`
  if (report?.damagedNode !== undefined) return `the restart reports damage: ${report.damagedNode}`
  for (const [group, model] of models) {
    const { hardState, mark, entries } = emptyState
    const recovered = report?.groups.get(group) ?? { group, hardState, snapshot: mark, entries }
    if (matchingPrefix(model, recovered) === undefined) {
      return `group ${group} is no prefix of its ${model.steps.length} steps that covers the ${model.acknowledged} acknowledged`
    }
  }
  return continuing(rig)
}

const continuing = (rig: Rig): string | undefined => {
  const ticket = rig.append(PROBE_GROUP, { entries: [entryOf(1)] })
  if (!rig.clock.runUntil(() => rig.isAcknowledged(ticket), ANSWER_MS_MAX)) return `the log does not go on: ${rig.wal.state()}`
  const again = createRig({ image: rig.disk.crash({ random: createRandom(1), keep: 0 }) }).open().report()
  if (again?.groups.get(PROBE_GROUP)?.entries.length !== 1) return 'the second restart has lost what was acknowledged since'
  for (const [group, found] of rig.report()?.groups ?? []) {
    const next = again.groups.get(group)
    if (next === undefined || recoveredText(next) !== recoveredText(found)) return `the second restart differs in group ${group}`
  }
  return undefined
}

/**
 * An I/O error ends the log for good, with one notice, but for a read of the start: that would be so at every other, so it is damage. A
 * full disk is waited out. A short write is gone on with.
 */
const behaviour = (rig: Rig, trouble: Trouble, hit: DiskCall): string | undefined => {
  rig.clock.advance(REST_MS)
  if (rig.failure() !== undefined) return `${trouble} at ${hit.operation} throws: ${String(rig.failure())}`
  const failures = rig.notices.filter(({ type }) => type === 'wal.failed').length
  const isUnread = trouble === 'EIO' && hit.operation === 'read' && !isWell(rig.report())
  if (isUnread) return unreadProblem(rig, failures)
  const mayHalt = trouble === 'EIO' || (trouble === 'ENOSPC' && hit.operation !== 'writev' && hit.operation !== 'writeSynced')
  if (rig.wal.state() === 'halted') return mayHalt ? haltProblem(rig, failures) : `${trouble} at ${hit.operation} halts the log`
  if (trouble === 'EIO') return `EIO at ${hit.operation} is passed over: the log is ${rig.wal.state()}`
  if (failures > 0) return `${trouble} at ${hit.operation} is called a failure`
  if (rig.wal.state() === 'closed') return undefined
  if (rig.wal.isFull() || rig.wal.backlogBytes() > 0) return `${trouble} at ${hit.operation}: ${rig.wal.backlogBytes()} bytes wait for ever`
  for (const [group, { acknowledged, tickets }] of rig.models) {
    if (acknowledged < Math.max(0, ...tickets.values())) return `${trouble} at ${hit.operation}: group ${group} is never answered`
  }
  return undefined
}

const unreadProblem = (rig: Rig, failures: number): string | undefined => {
  if (rig.wal.state() !== 'open' || failures > 0) return `a start that can not read a part of the log is ${rig.wal.state()}`
  const trusted = [...rig.report()?.groups.values() ?? []].find(({ quarantined }) => quarantined === undefined)
  return trusted === undefined ? undefined : `group ${trusted.group} is trusted by a start that can not read a part of the log`
}

const haltProblem = (rig: Rig, failures: number): string | undefined => {
  if (failures !== 1) return `a halted log says so ${failures} times`
  const said = rig.notices.length
  rig.append(1, { entries: [] })
  rig.clock.advance(REST_MS)
  return rig.notices.length === said ? undefined : 'a halted log goes on speaking'
}
