/**
 * The oracle of damaged logs: what a restart recovers is an exact prefix that reaches the durable offset, or it is reported corrupt.
 * Never a silent loss of a synced record, never invented data.
 *
 * The restart is the real one (recovery, repair, and the log that goes on), so it is also held to what follows from that: a second
 * restart agrees with the first, and a log reported corrupt keeps every byte it had.
 */

import { createRandom } from '../actors/kernel/random.ts'
import { emptyState } from './model.ts'
import { createRig, entryOf } from './rig.ts'
import { durableEnd, entryText, hardStateText, markText, recovered, recoveredText, replicaText, segmentsOf, stateText } from './specimen.ts'
import { endOfData } from '../storage/bytes.ts'
import { decodeGroupHeader, isBefore } from '../storage/group.ts'
import { BLOCK_BYTES } from '../storage/segment.ts'
import type { RecoveredGroup, RecoveryReport } from '../actors/wal/protocol.ts'
import type { Position } from '../storage/group.ts'
import type { DiskImage } from '../storage/memoryFileSystem.ts'
import type { Verdict } from './generator.ts'
import type { Rig, RigOptions } from './rig.ts'
import type { Cut, SegmentFile, Specimen } from './specimen.ts'

/** A Raft group that no specimen has. */
const PROBE_GROUP = 9_999
const PROBE_MS_MAX = 5_000

type Fault = NonNullable<RigOptions['fault']>

/** `fault`: of the disk, in every life. */
export const judgeLog = (specimen: Specimen, image: DiskImage, fault: Fault = () => undefined): Verdict => {
  const rig = createRig({ image, fault }).open()
  if (rig.failure() !== undefined) return { kind: 'thrown', problem: `recovery throws: ${String(rig.failure())}` }
  const report = rig.report()
  if (report === undefined) return refused(rig)
  const kind = kindOf(specimen, report)
  const problem = inventedBy(specimen, report) ?? lostBy(specimen, report, image) ?? goingOn(rig, { report, image, fault })
  return problem === undefined ? { kind } : { kind, problem }
}

const refused = (rig: Rig): Verdict => {
  const last = rig.notices.at(-1)
  const reason = last?.type === 'wal.failed' ? last.reason : `no answer, ${rig.wal.state()}`
  return reason.includes('newer version') ? { kind: 'refused' } : { kind: 'refused', problem: reason }
}

const isTrusted = ({ quarantined }: RecoveredGroup): boolean => quarantined === undefined

const kindOf = ({ cuts }: Specimen, report: RecoveryReport): string => {
  if (report.damagedNode !== undefined) return 'node damaged'
  if (![...report.groups.values()].every(isTrusted)) return 'one group damaged'
  const last = cuts.at(-1)
  return last !== undefined && isAt(last, report) ? 'exact' : 'cut'
}

/** Whatever comes back, also from a group that is quarantined, was once submitted, and its entries stand in a row. */
const inventedBy = ({ known }: Specimen, { groups }: RecoveryReport): string | undefined => {
  for (const { group, hardState, snapshot, entries, replica } of groups.values()) {
    const texts = known.get(group)
    const found = [replicaText(replica), hardStateText(hardState), markText(snapshot), ...entries.map(entryText)]
    const invented = found.find((text) => texts?.has(text) !== true)
    if (invented !== undefined) return `INVENTED in group ${group}: ${invented}`
    if (entries.some(({ index }, at) => index !== snapshot.index + 1 + at)) return `INVENTED: the entries of group ${group} have gaps`
  }
  return undefined
}

const isAt = ({ states }: Cut, { groups, damagedNode }: RecoveryReport): boolean => {
  const ids = new Set([...states.keys(), ...groups.keys()])
  return [...ids].every((id) => {
    const found = groups.get(id)
    if (found === undefined ? damagedNode !== undefined : !isTrusted(found)) return true
    const state = found === undefined ? emptyState : { ...found, mark: found.snapshot }
    return stateText(state) === (states.get(id) ?? stateText(emptyState))
  })
}

/**
 * All groups that are trusted stand at one and the same cut, and it reaches the durable offset. On a damaged node only a replica that
 * began behind the damage may be trusted, and it has lost nothing either.
 */
const lostBy = (specimen: Specimen, report: RecoveryReport, image: DiskImage): string | undefined => {
  if (report.damagedNode !== undefined) {
    const trusted = [...report.groups.values()].filter(isTrusted)
    if (trusted.length === 0) return undefined
    const known = trusted.find(({ replica }) => replica === undefined)
    if (known !== undefined) return `group ${known.group} is trusted on a damaged node`
  }
  const durable = durableEnd(specimen, image)
  const cut = specimen.cuts.findLast(({ end, ...states }) => !isBefore(end, durable) && isAt({ end, ...states }, report))
  if (cut === undefined) return `SILENT LOSS: the trusted groups are at no cut that reaches ${durable.segment}/${durable.offset}`
  return hasDataAfter(image, cut.end) && report.findings.length === 0 ? 'what was never proven synced is cut without a word' : undefined
}

/**
 * What a start has reported counts as durable from then on (actors/raft/state.ts, createDurability): the next one must find it, at whatever
 * moment the power goes in between. What is quarantined promises nothing, and stays so.
 */
export const unkept = (promised: RecoveryReport | undefined, found: RecoveryReport | undefined): string | undefined => {
  for (const [id, group] of promised?.groups ?? []) {
    const again = found?.groups.get(id)
    if (again === undefined) return `SILENT LOSS: group ${id} had been recovered, and the next start does not know it`
    if (!isTrusted(group) && !isTrusted(again)) continue
    if (recoveredText(again) !== recoveredText(group)) {
      return `SILENT LOSS: group ${id} had been recovered as ${recoveredText(group)}, and is now ${recoveredText(again)}`
    }
  }
  return undefined
}

const hasDataAfter = (image: DiskImage, { segment, offset }: Position): boolean => {
  const bytes = segmentsOf(image).find((file) => file.segment === segment)?.bytes ?? new Uint8Array(0)
  const end = endOfData(bytes, Math.min(offset, bytes.length))
  return end > offset && !isSealOnly(bytes, { segment, offset })
}

/** After the end there may be a seal, which says nothing. */
const isSealOnly = (image: Uint8Array, { segment, offset }: Position): boolean => {
  const block = Math.ceil(offset / BLOCK_BYTES) * BLOCK_BYTES
  return decodeGroupHeader(image, { segment, offset: block })?.isSeal === true
}

interface Found { readonly report: RecoveryReport; readonly image: DiskImage; readonly fault: Fault }

/** The log works after what it found, and the next restart finds the same and what was added. */
const goingOn = (rig: Rig, { report, image, fault }: Found): string | undefined => {
  const ticket = rig.append(PROBE_GROUP, { entries: [entryOf(1)] })
  if (!rig.clock.runUntil(() => rig.isAcknowledged(ticket), PROBE_MS_MAX)) return `the log does not go on: ${rig.wal.state()}`
  const after = rig.disk.crash({ random: createRandom(1), keep: 0 })
  rig.wal.stop()
  const again = createRig({ image: after, fault }).open()
  const second = again.report()
  again.wal.stop()
  if (second === undefined) return 'a second restart finds nothing'
  if (second.groups.get(PROBE_GROUP)?.entries.length !== 1) return 'a second restart has lost what was acknowledged since'
  for (const [group, found] of report.groups) {
    const next = second.groups.get(group)
    if (next === undefined || recoveredText(next) !== recoveredText(found)) return `a second restart differs in group ${group}`
  }
  return report.damagedNode === undefined ? undefined : changedByte(report, image, after)
}

/**
 * What the disk can not read is damage of the node, at every start. At one that can read it all is there, if nothing was written in
 * between; and otherwise, too, unless it says that something is missing. A segment that an interrupted removal left is no part of the log,
 * and harms nobody.
 */
export const judgeUnread = (specimen: Specimen, unread: number, fault: Fault): Verdict => {
  const verdict = judgeLog(specimen, specimen.image, fault)
  if (verdict.problem !== undefined) return verdict
  if (unread < recovered(specimen.image).tail.firstSegment) return judgeLeftOver(verdict)
  if (verdict.kind !== 'node damaged') return { ...verdict, problem: 'a segment can not be read, and nobody is told' }
  const problem = idleProblem(specimen, fault)
  if (problem !== undefined) return { ...verdict, problem }
  const report = readAgain(specimen, fault, (rig) => {
    const ticket = rig.append(PROBE_GROUP, { entries: [entryOf(1)] })
    rig.clock.runUntil(() => rig.isAcknowledged(ticket), PROBE_MS_MAX)
  })
  if (report === undefined) return { ...verdict, problem: 'a start that can read it finds nothing' }
  const groups = new Map(report.groups)
  groups.delete(PROBE_GROUP)
  const isLost = report.groups.get(PROBE_GROUP)?.entries.length !== 1
  const wrong = isLost ? 'what was acknowledged meanwhile is lost' : lostBy(specimen, { ...report, groups }, specimen.image)
  const kind = report.damagedNode === undefined ? 'well once it is read' : 'damaged for good'
  return wrong === undefined ? { kind } : { kind, problem: `read again: ${wrong}` }
}

const judgeLeftOver = ({ kind }: Verdict): Verdict => (kind === 'exact' ? { kind: 'left over' }
  : { kind, problem: 'a segment that the log needs no more can not be read, and that harms it' })

const readAgain = ({ image }: Specimen, fault: Fault, meanwhile: (rig: Rig) => void): RecoveryReport | undefined => {
  const rig = createRig({ image, fault }).open()
  meanwhile(rig)
  const after = rig.disk.crash({ random: createRandom(1), keep: 0 })
  return createRig({ image: after }).open().report()
}

const idleProblem = (specimen: Specimen, fault: Fault): string | undefined => {
  const report = readAgain(specimen, fault, () => {})
  if (report?.damagedNode !== undefined) return `read again, with nothing written meanwhile: ${report.damagedNode}`
  return unkept(createRig({ image: specimen.image }).open().report(), report)
}

const isBlank = (bytes: Uint8Array): boolean => endOfData(bytes, 0) === 0

/** A damaged log is evidence. What was made ahead and never begun may be used or filled up; what was torn when it was begun is dropped. */
const changedByte = ({ findings }: RecoveryReport, before: DiskImage, after: DiskImage): string | undefined => {
  const isTold = ({ segment }: SegmentFile): boolean => findings.some((line) => line.startsWith(`segment ${segment}: begun and never`))
  const dropped = segmentsOf(before).filter(isTold)
  for (const [path, bytes] of before.files) {
    const now = after.files.get(path)
    if (isBlank(bytes) || dropped.some((file) => file.path === path)) continue
    if (now === undefined || Buffer.compare(bytes, now) !== 0) return `the damaged log's ${path} was changed`
  }
  return undefined
}
