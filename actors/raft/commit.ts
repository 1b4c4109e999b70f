/**
 * Commitment: how far the log is decided, and handing what is decided to the shard.
 *
 * A leader commits by counting only entries of its own term; earlier ones commit with them (section 5.4.2, figure 8). A follower
 * takes the leader's word, but no further than it has verified its own log against that leader's (following.ts).
 *
 * Entries are emitted up to min(commitIndex, durableIndex), not to commitIndex. A quorum may have an entry while this member's own disk
 * does not. Applying it early would be correct in memory, but a snapshot of that state could become durable before the log entry does,
 * and after a crash the log would end before the snapshot it must continue. The price is that a member whose disk hangs applies
 * nothing; such a leader steps down (checkQuorum.ts counts emitted entries, not committed ones).
 */

import { assert } from '../kernel/assert.ts'
import { bytesBetween, entriesBetween, lastIndexOf, lastWithin, termAt } from './log.ts'
import { isRefused } from './promises.ts'
import { quorumValue } from './quorum.ts'
import { configurationOf } from './state.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Index, RaftLocalEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

/** As leader: what is known durable at a member. A refused one has forgotten what it said, so it counts for nothing. */
export const matchIndexOf = (core: RaftCore, member: ReplicaId): Index => {
  if (member === core.self) return core.durability.durableIndex
  if (isRefused(core, member)) return 0
  return core.leading.progress.get(member)?.matchIndex ?? 0
}

/** As leader: commits what a quorum has, if the newest of it is of this term. */
export const advanceCommit = (core: RaftCore): void => {
  const index = quorumValue(configurationOf(core), (member) => matchIndexOf(core, member))
  if (index > core.commitIndex && termAt(core.log, index) === core.term) commitTo(core, index)
}

export const commitTo = (core: RaftCore, index: Index): void => {
  assert(index >= core.commitIndex, `commits only grow: ${core.commitIndex} to ${index}`)
  assert(index <= lastIndexOf(core.log), `commit ${index} is within the log, which ends at ${lastIndexOf(core.log)}`)
  if (core.role === 'leader') core.leading.uncommittedBytes -= bytesBetween(core.log, core.commitIndex + 1, index)
  core.commitIndex = index
  emitCommitted(core)
}

/** Of what waits to be applied, the part that one event takes at least: what waits then shrinks by itself, however much comes in. */
const EMIT_SHARE = 8

/**
 * Hands the shard what is committed and durable here, once and in order, unless it is loading a snapshot. No more than `emitBytesMax` in
 * one event, or an eighth of what waits: what is left follows in later turns of the event loop, between which everybody else on this
 * node has a turn. A new replica that has a whole log to apply would otherwise hold up every request to the shards that its node leads
 * (test: "A member that learns of much at once applies a portion in each turn, in order, until all is applied").
 */
export const emitCommitted = (core: RaftCore): void => {
  const target = Math.min(core.commitIndex, core.durability.durableIndex)
  if (core.isRestoring || target <= core.emittedIndex) return
  const from = core.emittedIndex + 1
  const within = lastWithin(core.log, { from, to: target }, core.limits.emitBytesMax)
  const index = Math.max(within, from + Math.floor((target - from) / EMIT_SHARE))
  const entries = entriesBetween(core.log, from, index)
  assert(entries.length > 0 && entries.length === index - core.emittedIndex, `entries ${from} to ${index} are in the log`)
  core.emittedIndex = index
  core.leading.stalledTicks = 0
  core.effects.push({ type: 'raft.committed', entries })
  if (index < target) wantEmit(core)
}

const wantEmit = (core: RaftCore): void => {
  if (core.isEmitWanted) return
  core.isEmitWanted = true
  core.effects.push({ type: 'raft.emitWanted' })
}

export const handleEmit = (core: RaftCore): void => {
  core.isEmitWanted = false
  emitCommitted(core)
}

export const handleRestored = (core: RaftCore, { index }: Extract<RaftLocalEvent, { type: 'raft.restored' }>): void => {
  if (index !== core.emittedIndex) return
  core.isRestoring = false
  emitCommitted(core)
}
