/**
 * What of this member is on its disk: the one place that decides it.
 *
 * A submission is one `wal.append` with a ticket; the log answers submissions in order, so an answer vouches for every earlier
 * one too. The disk runs beside the protocol: answers arrive in later terms than they were asked in.
 *
 * The ABA story (test: "an acknowledgement of an old term says nothing about the entries of a new one"):
 *   1. In term 1 follower A appends entry 5 (term 1) and submits it with ticket 7. The disk is slow.
 *   2. Leader B of term 2 replaces entry 5: A submits entry 5 (term 2) with ticket 8.
 *   3. Leader C of term 3 has B's entry 5 and asks A whether it matches. A's log in memory says yes; its disk has neither.
 *   4. The answer to ticket 7 arrives: "durable up to index 5".
 *   5. If A believed it, it would accept index 5 to C, C would count A and commit, and a crash of A would lose a committed entry.
 * Rule 1: an answer counts only in the term it was submitted in. Every term begins with a record of its own (the hard state), and the
 * answer to that one vouches for every entry of earlier terms that has survived, so nothing waits for ever.
 * Rule 2: within a term the log can be rewritten as well, at most once, by the leader's first append; answers to submissions older than
 * that one say nothing about the entries that replaced theirs.
 *
 * No promise leaves before it is durable (`isHardStateDurable`, `durableIndex`): votes wait (election.ts), acceptances wait
 * (following.ts), a candidate's requests wait, and the leader counts itself no earlier than anybody else. What may leave at once,
 * because it promises nothing: pre-votes, rejections, and answers to heartbeats (readIndex.ts says why).
 *
 * Sources: thesis 10.2.1 (the leader writes in parallel), etcd-io/raft's rawnode.go for the race.
 */

import { assert } from '../kernel/assert.ts'
import { entriesBetween, lastIndexOf } from './log.ts'
import type { RaftCore } from './state.ts'
import type { Index, RaftLocalEvent } from './protocol.ts'

/** The term or vote has changed: nothing that relies on it leaves until it is on disk. */
export const touchHardState = (core: RaftCore): void => {
  core.durability.isHardStateDirty = true
  core.durability.isHardStateDurable = false
}

/** Hands the disk everything it does not have yet. Does nothing when there is nothing. */
export const submit = (core: RaftCore): void => {
  const { durability, term, vote } = core
  const lastIndex = lastIndexOf(core.log)
  if (!durability.isHardStateDirty && durability.submittedIndex === lastIndex) return
  durability.ticket += 1
  const entries = entriesBetween(core.log, durability.submittedIndex + 1, lastIndex)
  if (durability.isHardStateDirty) {
    durability.hardStateTicket = durability.ticket
    durability.isHardStateDirty = false
    core.effects.push({ type: 'wal.append', ticket: durability.ticket, submittedTerm: term, hardState: { term, vote }, entries })
  } else core.effects.push({ type: 'wal.append', ticket: durability.ticket, submittedTerm: term, entries })
  durability.submittedIndex = lastIndex
}

/** Takes an answer of the disk; false when it says nothing any more. */
export const noteDurable = (core: RaftCore, event: Extract<RaftLocalEvent, { type: 'wal.appended' }>): boolean => {
  const { durability } = core
  if (event.submittedTerm !== core.term) return false
  if (!durability.isHardStateDirty && event.ticket >= durability.hardStateTicket) durability.isHardStateDurable = true
  if (event.ticket < durability.rewriteTicket) return true
  assert(event.lastIndex <= lastIndexOf(core.log), `the disk vouches for ${event.lastIndex}; the log ends at ${lastIndexOf(core.log)}`)
  durability.durableIndex = Math.max(durability.durableIndex, event.lastIndex)
  return true
}

/** Entries from `index` on are being replaced. */
export const noteRewritten = (core: RaftCore, index: Index): void => {
  const { durability } = core
  durability.durableIndex = Math.min(durability.durableIndex, index - 1)
  durability.submittedIndex = Math.min(durability.submittedIndex, index - 1)
  durability.rewriteTicket = durability.ticket + 1
}

/** A snapshot took force and the log after it was dropped: the disk has done the same before it said so. */
export const noteReplaced = (core: RaftCore, index: Index): void => {
  const { durability } = core
  durability.durableIndex = index
  durability.submittedIndex = index
  durability.rewriteTicket = durability.ticket + 1
}

/** A new term: what happened in earlier ones is void by rule 1. */
export const forgetRewrites = (core: RaftCore): void => {
  core.durability.rewriteTicket = 0
}
