/**
 * What a leader keeps for a peer that is sent a snapshot: that file, and in memory the log behind it.
 *
 *   transfer of S0 begins ──▶ the whole of it, installed ──▶ the log from S0 on ──▶ caught up: nothing is kept for it any more
 *        the file of S0 stays, whatever newer ones are stored
 *        └─────────── the log from S0, then from the peer's match on stays in memory ──────────┘
 *
 * Without that a replica of a shard that is written all the time never catches up, though copying is far faster than writing
 * (test: "A peer that needs a snapshot catches up while newer ones are stored ..."):
 * 1. The transfer of S0 takes as long as two newer snapshots: S0 is removed, and another one is begun at its first byte.
 * 2. Or S0 arrives, and the log that continues it is gone by then: the next whole snapshot follows.
 * 3. That one takes as long.
 *
 * What gathers for a learner stays below the state's size, since it is sent what is written beside its share (allowance.ts). For whoever is
 * slower there is a limit, the snapshot's size and `transferLogBytesMax`, and nothing is kept for a peer that does not answer. Where the
 * limit is reached the copy begins again, with the newest snapshot.
 */

import { bytesBetween, compactTo, lastIndexOf } from './log.ts'
import { forgetBefore } from './membership.ts'
import type { Index } from './protocol.ts'
import type { Progress } from './progress.ts'
import type { RaftCore } from './state.ts'

/** Maximum election timeouts without an answer to a heartbeat after which nothing is kept for a peer: it is gone, not busy. */
const SILENT_ELECTIONS_MAX = 10

/** From now on, until it has caught up. */
export const keepFor = ({ limits }: RaftCore, progress: Progress, totalBytes: number): void => {
  progress.keptBytesMax = totalBytes + limits.transferLogBytesMax
}

/** The last index that the peer does not need as an entry. */
const neededAfter = ({ matchIndex, transfer }: Progress): Index => Math.max(matchIndex, transfer?.index ?? 0)

const isKeptFor = ({ now, timing }: RaftCore, { keptBytesMax, contactSentAt }: Progress): boolean =>
  keptBytesMax > 0 && now - contactSentAt <= SILENT_ELECTIONS_MAX * timing.electionTicksMax * timing.tickMs

/** Whether the entries that a snapshot up to `index` makes superfluous are more than may be kept for this peer. */
export const isTooMuchKept = (core: RaftCore, progress: Progress, index: Index): boolean => {
  const { keptBytesMax } = progress
  return keptBytesMax > 0 && bytesBetween(core.log, neededAfter(progress) + 1, index) > keptBytesMax
}

/** The peer is as near as a learner must be to become a voter: the tail that is kept for everybody will do. */
export const noteCaughtUp = (core: RaftCore, progress: Progress): void => {
  if (progress.keptBytesMax === 0 || progress.state !== 'replicate') return
  if (lastIndexOf(core.log) - progress.matchIndex > core.limits.promotionLagMax) return
  progress.keptBytesMax = 0
  compactLog(core)
}

/** Forgets, in memory, what the newest snapshot covers, but for a tail and what is kept. */
export const compactLog = (core: RaftCore): void => {
  const { log, limits, snapshot } = core
  let index = snapshot?.index ?? 0
  for (const progress of core.leading.progress.values()) if (isKeptFor(core, progress)) index = Math.min(index, neededAfter(progress))
  compactTo(log, index, { entriesMax: limits.tailEntriesMax, bytesMax: limits.tailBytesMax })
  forgetBefore(core.membership, log.base.index)
}

/** Snapshots whose files must stay. */
export const snapshotsInUse = ({ leading }: RaftCore): Index[] => {
  const indexes: Index[] = []
  for (const { transfer } of leading.progress.values()) if (transfer !== null) indexes.push(transfer.index)
  return indexes
}
