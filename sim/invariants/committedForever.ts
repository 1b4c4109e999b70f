/**
 * Committed is for ever, and the same everywhere (Raft, state machine safety). Whoever commits an index first
 * writes the ledger's line; everybody else, in every life, must have the same entry there. Only a leader commits
 * first, at an entry of its own term (5.4.2), and only what a quorum has promised to keep: an acceptance that
 * went over the wire, or the leader's own durable log. A quorum is one of both halves while the configuration is joint (thesis 4.3).
 *
 * One event may commit and then append another configuration: a frame with acceptances of a shard and of the meta group does. What it
 * committed was counted by the configuration that was in force before, so either counts. And one event may commit and then end the
 * leadership, as the commit of a configuration without the leader does (thesis 4.2.2): then it is judged as the leader that it was.
 *
 * commit <= durable on a quorum; applied <= commit.
 */

import { isQuorum } from '../view.ts'
import { isSameEntry } from './logMatching.ts'
import type { Configuration, Index, Term } from '../../actors/raft/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Invariant, Problem, ReplicaView } from '../view.ts'
import type { GroupLedger } from '../ledger.ts'

interface Look {
  readonly life: number
  readonly configuration: Configuration
  /** The term that it led then; null: it did not lead. */
  readonly led: Term | null
}

export const createCommittedForever = (now: () => number): Invariant => {
  /**
   * How far each replica has accepted, by term. Earlier terms count, too: a leader that was paused hears late what was accepted before its
   * successor was elected, by a voter that has accepted more of the successor since.
   */
  const accepted = new Map<string, Map<Term, Index>>()
  /** How far each replica's commits have been compared, by life. */
  const compared = new Map<string, { readonly life: number; readonly index: Index }>()
  /** Each replica at its last look. */
  const looks = new Map<string, Look>()

  /** Acceptances of one term leave in any order: the greatest counts. */
  const accept = (key: string, term: Term, index: Index): void => {
    const byTerm = accepted.get(key) ?? new Map<Term, Index>()
    accepted.set(key, byTerm)
    byTerm.set(term, Math.max(index, byTerm.get(term) ?? 0))
  }
  const hasAccepted = (view: ReplicaView, voter: ReplicaId, led: Term): boolean => {
    const { id, role, shard, commitIndex, matchIndex, durableIndex } = view
    if (voter === id) return (role === 'leader' ? matchIndex.get(voter) ?? 0 : durableIndex) >= commitIndex
    return (accepted.get(`${shard} ${voter}`)?.get(led) ?? 0) >= commitIndex
  }
  const isHeldBy = (view: ReplicaView, { voters, outgoing }: Configuration, led: Term): boolean => [voters, outgoing].every((half) =>
    half.length === 0 || isQuorum(half.filter((voter) => hasAccepted(view, voter, led)).length, half))
  const checkFirst = (view: ReplicaView, before: Look): Problem => {
    const { id, role, commitIndex } = view
    const term = role === 'leader' ? view.term : before.led
    if (term === null) return `${id} is the first to commit index ${commitIndex}, but it is ${role}`
    const own = view.entryAt(commitIndex)?.term
    if (own !== term) return `leader ${id} of term ${term} commits index ${commitIndex} of term ${own ?? 'none'} by counting`
    if (isHeldBy(view, before.configuration, term) || isHeldBy(view, view.configuration, term)) return null
    const members = [...new Set([...view.voters, ...view.configuration.outgoing])]
    const holders = members.filter((voter) => hasAccepted(view, voter, term))
    return `${id} commits index ${commitIndex}, which only ${holders.join(', ') || 'nobody'} of ${members.join(', ')} has made durable`
  }
  const compareNew = (view: ReplicaView, ledger: GroupLedger, from: Index): Problem => {
    for (let index = from + 1; index <= view.commitIndex; index += 1) {
      const entry = view.entryAt(index)
      const line = ledger.lines[index - 1]
      if (entry === undefined) {
        if (index > view.snapshotIndex) return `${view.id} committed index ${index}, which its log does not have`
      } else if (line === undefined) ledger.commit(entry, now())
      else if (!isSameEntry(line.entry, entry)) {
        return `${view.id} committed term ${entry.term} at index ${index}, where term ${line.entry.term} was committed before`
      }
    }
    return null
  }
  return {
    name: 'committed never changes',
    checkMail: ({ shard, from, message }) => {
      if (message.type === 'raft.appendAccepted') accept(`${shard} ${from}`, message.term, message.matchIndex)
      return null
    },
    check: (view, ledger) => {
      const key = `${view.shard} ${view.id}`
      const look = { life: view.life, configuration: view.configuration, led: view.role === 'leader' ? view.term : null }
      const last = looks.get(key)
      const before = last?.life === view.life ? last : { ...look, led: null }
      looks.set(key, look)
      const known = compared.get(key)
      const from = known?.life === view.life ? known.index : Math.min(view.snapshotIndex, view.commitIndex)
      if (view.commitIndex <= from) return null
      const committed = ledger.lines.length
      if (view.snapshotIndex > committed) return `${view.id} has a snapshot at ${view.snapshotIndex}; ${committed} are committed`
      const problem = view.commitIndex > committed ? checkFirst(view, before) : null
      if (problem !== null) return problem
      compared.set(key, { life: view.life, index: view.commitIndex })
      return compareNew(view, ledger, from)
    },
  }
}
