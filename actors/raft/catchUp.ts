/**
 * New replicas on their way: what the allowance (allowance.ts) held back goes on with the next tick, and how far each has come.
 *
 * Figures are the leader's own: another leader begins to count anew. The total grows while clients write, since the replica has
 * to get that too.
 */

import { refill } from './allowance.ts'
import { noteDelays } from './delays.ts'
import { bytesBetween, lastIndexOf } from './log.ts'
import { sendAppends } from './replication.ts'
import { pump } from './snapshotTransfer.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Progress } from './progress.ts'
import type { RaftCore } from './state.ts'

export interface CatchUp {
  readonly replica: ReplicaId
  /** Of snapshots and entries that it has acknowledged, and of what there is in all. */
  readonly doneBytes: number
  readonly totalBytes: number
}

export const resumeHeldBack = (core: RaftCore): void => {
  refill(core.allowance, core.now)
  for (const progress of core.leading.progress.values()) {
    noteDelays(core, progress)
    if (progress.isLearner) core.allowance.bytes += core.leading.writtenBytes
    if (progress.isHeldBack) resume(core, progress)
  }
  core.leading.writtenBytes = 0
}

export const isAnyHeldBack = (core: RaftCore): boolean => {
  for (const { isHeldBack } of core.leading.progress.values()) if (isHeldBack) return true
  return false
}

/** A peer is silent only about what it was sent. */
const resume = (core: RaftCore, progress: Progress): void => {
  const { transfer } = progress
  progress.isHeldBack = false
  if (transfer === null) {
    sendAppends(core, progress)
    return
  }
  if (transfer.requestedBytes === transfer.acknowledgedBytes) progress.silentTicks = 0
  pump(core, progress)
}

export const catchUpsOf = (core: RaftCore): readonly CatchUp[] =>
  [...core.leading.progress.values()].filter(({ isLearner }) => isLearner).map((progress) => catchUpOf(core, progress))

const catchUpOf = (core: RaftCore, { id, matchIndex, transfer, deliveredBytes }: Progress): CatchUp => {
  const { log, snapshot } = core
  // What the log no longer has comes as the newest snapshot.
  const file = transfer ?? (matchIndex < log.base.index ? snapshot : null)
  const doneBytes = deliveredBytes + (transfer?.acknowledgedBytes ?? 0)
  const fileBytes = (file?.totalBytes ?? 0) - (transfer?.acknowledgedBytes ?? 0)
  const leftBytes = fileBytes + bytesBetween(log, Math.max(matchIndex, file?.index ?? 0) + 1, lastIndexOf(log))
  return { replica: id, doneBytes, totalBytes: doneBytes + leftBytes }
}
