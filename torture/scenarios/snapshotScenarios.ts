/**
 * Snapshots and the log together, as a replica uses them: written, the log compacted to the older one, pruned; and received from a peer,
 * published, its record written. After any crash the replica must still find a snapshot that reaches its log's beginning.
 */

import { createRandom } from '../../actors/kernel/random.ts'
import { chooseSnapshot } from '../../storage/snapshotChoice.ts'
import { emptyState, matchingPrefix, modelOf } from '../model.ts'
import { createRig, entriesOf } from '../rig.ts'
import { counting } from '../scenario.ts'
import { secondLog } from './logScenario.ts'
import { createSnapshotRig, fillOf, headerOf } from '../snapshotRig.ts'
import type { Entry } from '../../actors/raft/protocol.ts'
import type { SnapshotChoice } from '../../storage/snapshotChoice.ts'
import type { DiskCall, DiskImage } from '../../storage/memoryFileSystem.ts'
import type { Rig } from '../rig.ts'
import type { FaultAt, Played, Scenario, Trouble } from '../scenario.ts'
import type { SnapshotRig } from '../snapshotRig.ts'

const GROUP = headerOf(1).group
const TERM = headerOf(1).term
const KEPT = 2
const BYTES = 700
const APPEND_MS_MAX = 3_000

interface Replica { readonly rig: Rig; readonly snapshots: SnapshotRig; readonly durable: number[] }

const write = ({ snapshots, durable }: Replica, index: number): boolean => {
  const isWritten = snapshots.write(index, fillOf(index, BYTES)) === null
  if (isWritten) durable.push(index)
  return isWritten
}

/** False where the log has ended, and the process with it. What is applied is durable, and so is a leader's term before its snapshot. */
const append = ({ rig }: Replica, entries: readonly Entry[]): boolean => {
  const ticket = rig.append(GROUP, { entries })
  const isDurable = rig.clock.runUntil(() => rig.isAcknowledged(ticket), APPEND_MS_MAX)
  rig.clock.advance(2)
  return isDurable
}

/** As actors/raft does: the log is compacted to the older of the two newest. */
const writing = (replica: Replica): void => {
  const { rig, snapshots } = replica
  let last = 0
  for (let round = 1; round <= 3; round += 1) {
    if (!append(replica, entriesOf(last + 1, last + 4, { term: TERM }))) return
    last += 4
    if (!write(replica, last)) continue
    const older = replica.durable.at(-KEPT)
    if (older !== undefined) rig.compact(GROUP, { index: older, term: TERM })
    rig.clock.advance(2)
    snapshots.prune(KEPT)
  }
}

/** The file of a peer arrives in pieces; its record is written once it has its name. */
const receiving = (replica: Replica): void => {
  const { rig, snapshots, durable } = replica
  if (!append(replica, entriesOf(1, 3, { term: TERM }))) return
  const peer = createSnapshotRig()
  for (const index of [40, 60]) {
    peer.write(index, fillOf(index, BYTES))
    const bytes = peer.disk.image().files.get(peer.pathOf(index)) ?? new Uint8Array(0)
    for (let offset = 0; offset < bytes.length; offset += 600) {
      snapshots.ask<number>((done) => snapshots.store.receive(GROUP, index, TERM, offset, bytes.slice(offset, offset + 600), done))
    }
    const answer = snapshots.ask((done) => snapshots.store.finishReceive(GROUP, index, TERM, bytes.length, done))
    if (answer === undefined || answer.error !== null) continue
    durable.push(index)
    rig.install(GROUP, { index, term: TERM })
    rig.clock.advance(2)
    if (!append(replica, entriesOf(index + 1, index + 2, { term: TERM }))) return
    snapshots.prune(KEPT)
  }
}

const judge = ({ rig, durable }: Replica, image: DiskImage): string | undefined => {
  const again = createRig({ image }).open()
  const snapshots = createSnapshotRig({ on: again })
  const { good, damaged } = snapshots.list()
  if (damaged.length > 0) return `${damaged.join(' ')} has its name and does not verify`
  const lost = durable.slice(-KEPT).find((index) => !good.some((info) => info.index === index))
  if (lost !== undefined) return `SILENT LOSS: snapshot ${lost} was answered and is gone`
  return startProblem(rig, again, snapshots) ?? withoutLog(image) ?? leftOver(again, snapshots)
}

/** Should the log's files be gone, whatever snapshot is there tells that they were. */
const withoutLog = (image: DiskImage): string | undefined => {
  const files = new Map([...image.files].filter(([path]) => !path.startsWith('wal/')))
  const snapshots = createSnapshotRig({ image: { ...image, files } })
  const { hardState, mark, entries } = emptyState
  const nothing = { group: GROUP, hardState, snapshot: mark, entries }
  const choice = snapshots.ask<SnapshotChoice>((done) => chooseSnapshot(snapshots.store, nothing, done))?.result
  const isTold = choice?.recovered.quarantined !== undefined
  return isTold === snapshots.list().good.length > 0 ? undefined : `without its log the replica is ${isTold ? '' : 'not '}quarantined`
}

/** What the replica starts from: the log that covers what was acknowledged, and a snapshot that reaches its beginning. */
const startProblem = (rig: Rig, again: Rig, snapshots: SnapshotRig): string | undefined => {
  const model = modelOf(rig.models, GROUP)
  const { hardState, mark, entries } = emptyState
  const recovered = again.report()?.groups.get(GROUP) ?? { group: GROUP, hardState, snapshot: mark, entries }
  if (matchingPrefix(model, recovered) === undefined) return 'the log is no prefix that covers what was acknowledged'
  const choice = snapshots.ask<SnapshotChoice>((done) => chooseSnapshot(snapshots.store, recovered, done))?.result
  if (choice === undefined) return 'no snapshot is chosen'
  if (choice.recovered.quarantined !== undefined) return `quarantined: ${choice.recovered.quarantined}`
  const { snapshot } = choice
  if (snapshot === null) return undefined
  const { chunks, error } = snapshots.load(snapshot)
  const isExact = error === null && Buffer.concat(chunks).equals(Buffer.concat(fillOf(snapshot.index, BYTES)))
  return isExact ? undefined : `INVENTED: snapshot ${snapshot.index} loads as something else`
}

const leftOver = (again: Rig, snapshots: SnapshotRig): string | undefined => {
  if (snapshots.prune(KEPT) !== null) return 'prune fails after the restart'
  const left = [...again.disk.image().files.keys()].find((path) => path.startsWith('snapshots/') && !path.endsWith('.snap'))
  if (left !== undefined) return `${left} is left over for ever`
  return snapshots.write(900, fillOf(900, BYTES)) === null ? undefined : 'no snapshot can be written after the restart'
}

/** The log answers for itself in its own scenarios; here no snapshot may be lost that was answered, whatever failed. */
const behaved = (replica: Replica, trouble: Trouble, hit: DiskCall): string | undefined => {
  replica.rig.clock.advance(1_000)
  if (replica.rig.failure() !== undefined) return `${trouble} at ${hit.operation} throws: ${String(replica.rig.failure())}`
  return judge(replica, replica.rig.disk.crash({ random: createRandom(3), keep: 1 }))
}

const snapshotScenario = (name: string, run: (replica: Replica) => void): Scenario => ({
  name,
  play: (faultAt: FaultAt) => {
    const { fault, calls } = counting(faultAt)
    const rig = createRig({ fault }).open()
    const replica: Replica = { rig, snapshots: createSnapshotRig({ on: rig }), durable: [] }
    if (rig.report() !== undefined) run(replica)
    const played: Played = {
      calls: calls(), disk: rig.disk,
      judge: (image) => judge(replica, image),
      liveOn: (cache, speaks) => {
        const life = secondLog(cache, speaks)
        const problem = startProblem(rig, life.rig, createSnapshotRig({ on: life.rig }))
        return { disk: life.disk, judge: (image) => problem ?? life.judge(image) ?? judge(replica, image) }
      },
      restart: (image, again) => {
        const second = createRig({ image, fault: counting(again).fault }).open()
        const files = createSnapshotRig({ on: second })
        files.list()
        files.prune(KEPT)
        return second.disk
      },
      behaved: (trouble, hit) => behaved(replica, trouble, hit),
    }
    return played
  },
})

export const snapshotScenarios: readonly Scenario[] = [
  snapshotScenario('snapshot write', writing), snapshotScenario('snapshot install', receiving),
]
