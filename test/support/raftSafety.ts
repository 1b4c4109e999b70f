/**
 * Raft's safety properties (figure 3 of the paper), and what the design adds, checked after every event of a harness member.
 *
 *   Election Safety        at most one leader a term
 *   Leader Append-Only     a leader never replaces an entry of its log
 *   Log Matching           an (index, term) names one entry, and one predecessor
 *   Leader Completeness    what is committed is in the log of every leader of a later term
 *   State Machine Safety   nobody applies another entry at an index
 *   Durability             what is applied is on the disks of a majority, and of whoever applies it
 *   One vote a term        across restarts
 *   Growth                 terms, commit indexes and match indexes only grow in a life; the term across lives too, once durable
 *   Truth of the chart     the chart's state is the role
 *   Fresh reads            a read's index covers everything that was committed when it arrived
 */

import { entriesBetween, lastIndexOf, termAt } from '../../actors/raft/log.ts'
import { isQuorum } from '../../actors/raft/quorum.ts'
import { imageTermAt } from './raftDisk.ts'
import type { Entry, Index, RaftEffect, RaftMessage, Term } from '../../actors/raft/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { HarnessMember } from './raftHarness.ts'

export interface Safety {
  readonly started: (member: HarnessMember) => void
  readonly check: (member: HarnessMember, members: readonly HarnessMember[]) => void
  readonly sent: (member: HarnessMember, to: ReplicaId, message: RaftMessage) => void
  readonly applied: (member: HarnessMember, entry: Entry, members: readonly HarnessMember[]) => void
  readonly restored: (member: HarnessMember, index: Index, term: Term) => void
  readonly readAsked: (read: number) => void
  readonly readReady: (member: HarnessMember, effect: Extract<RaftEffect, { type: 'raft.readReady' }>) => void
  /** Highest index anybody has applied. */
  readonly committedIndex: () => Index
}

interface Seen {
  term: Term
  commitIndex: Index
  nextApplied: Index
  matches: Map<ReplicaId, Index>
  leaderTerm: Term
  leaderLog: readonly Entry[]
}

interface Ledger {
  readonly leaders: Map<Term, ReplicaId>
  readonly entries: Map<string, { readonly content: Content, readonly prevTerm: Term }>
  readonly committed: { readonly term: Term, readonly content: Content, readonly bySeenTerm: Term }[]
  readonly votes: Map<string, ReplicaId>
  readonly reads: Map<number, Index>
  readonly seen: Map<HarnessMember, Seen>
  committedIndex: Index
}

const fail = (message: string): never => {
  throw new Error(`unsafe: ${message}`)
}

/** All entries of the member's log in memory. */
export const heldBy = ({ core: { log } }: Pick<HarnessMember, 'core'>): Entry[] => entriesBetween(log, log.base.index + 1, lastIndexOf(log))

/** What an entry holds. Bytes, not text: every entry of every log is compared after every event. */
type Content = Pick<Entry, 'kind' | 'payload'>

/** A copy: a member's payloads are views of its log. */
const contentOf = ({ kind, payload }: Entry): Content => ({ kind, payload: new Uint8Array(payload) })

const holdsSame = (one: Content, other: Content): boolean =>
  one.kind === other.kind && one.payload.length === other.payload.length && hasSameBytes(one.payload, other.payload)

/** A call into native code takes longer than to look at a few bytes. */
const FEW_BYTES = 32

const hasSameBytes = (one: Uint8Array, other: Uint8Array): boolean => {
  if (one.length > FEW_BYTES) return Buffer.compare(one, other) === 0
  for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) return false
  return true
}

const isSame = (one: Entry | undefined, other: Entry): boolean => one?.term === other.term && holdsSame(one, other)

/** `isScripted`: the test speaks for the peers, so their disks prove nothing. */
export const createSafety = (isScripted: boolean): Safety => {
  const ledger: Ledger = {
    leaders: new Map(), entries: new Map(), committed: [], votes: new Map(), reads: new Map(), seen: new Map(), committedIndex: 0,
  }
  return {
    started: (member) => {
      ledger.seen.set(member, {
        term: member.core.term, commitIndex: member.core.commitIndex, nextApplied: member.core.emittedIndex + 1, matches: new Map(),
        leaderTerm: 0, leaderLog: [],
      })
    },
    check: (member) => {
      const state = member.shell.state()
      const { role } = member.core
      if (state !== role && !state.startsWith(`${role}.`)) fail(`the chart says ${state}, the core ${role}`)
      checkGrowth(ledger, member)
      const held = heldBy(member)
      checkLog(ledger, member, held)
      if (member.core.role === 'leader') checkLeader(ledger, member, held)
    },
    sent: (member, to, message) => checkPromise(ledger, { member, to, message }),
    applied: (member, entry, members) => checkApplied(ledger, { member, entry, members: isScripted ? null : members }),
    restored: (member, index, term) => {
      const known = ledger.committed[index - 1]
      if (known !== undefined && known.term !== term) fail(`${member.id} restores ${index}/${term}, committed is term ${known.term}`)
      seenOf(ledger, member).nextApplied = index + 1
    },
    readAsked: (read) => {
      ledger.reads.set(read, ledger.committedIndex)
    },
    readReady: (member, { read, index }) => {
      const floor = ledger.reads.get(read) ?? 0
      if (index < floor) fail(`${member.id} answers read ${read} at ${index}; ${floor} was committed when it was asked`)
    },
    committedIndex: () => ledger.committedIndex,
  }
}

const seenOf = (ledger: Ledger, member: HarnessMember): Seen => ledger.seen.get(member) ?? fail(`${member.id} never started`)

const checkGrowth = (ledger: Ledger, member: HarnessMember): void => {
  const { core } = member
  const seen = seenOf(ledger, member)
  if (core.term < seen.term) fail(`${member.id} goes back from term ${seen.term} to ${core.term}`)
  if (core.commitIndex < seen.commitIndex) fail(`${member.id} takes back commit ${seen.commitIndex}`)
  if (core.commitIndex > lastIndexOf(core.log)) fail(`${member.id} commits beyond its log`)
  if (core.emittedIndex > core.commitIndex) fail(`${member.id} emits beyond its commit index`)
  if (core.term > seen.term) seen.matches.clear()
  // A peer that left and came back has a new row.
  for (const peer of seen.matches.keys()) if (!core.leading.progress.has(peer)) seen.matches.delete(peer)
  for (const [peer, { matchIndex, nextIndex }] of core.leading.progress) {
    if (matchIndex < (seen.matches.get(peer) ?? 0)) fail(`${member.id} takes back the match of ${peer}`)
    if (nextIndex <= matchIndex) fail(`${member.id} would send ${peer} what it has`)
    seen.matches.set(peer, matchIndex)
  }
  seen.term = core.term
  seen.commitIndex = core.commitIndex
}

/** By induction over the predecessors, two logs with the same (index, term) are equal up to it. */
const checkLog = (ledger: Ledger, member: HarnessMember, held: readonly Entry[]): void => {
  const { id } = member
  let prevTerm = member.core.log.base.term
  for (const entry of held) {
    const key = `${entry.index}/${entry.term}`
    const known = ledger.entries.get(key)
    if (known === undefined) ledger.entries.set(key, { content: contentOf(entry), prevTerm })
    else if (!holdsSame(known.content, entry) || known.prevTerm !== prevTerm) fail(`${id} has another entry ${key} than somebody else`)
    prevTerm = entry.term
  }
}

const checkLeader = (ledger: Ledger, member: HarnessMember, held: readonly Entry[]): void => {
  const { id, core } = member
  const seen = seenOf(ledger, member)
  const known = ledger.leaders.get(core.term)
  if (known !== undefined && known !== id) fail(`term ${core.term} has two leaders: ${known} and ${id}`)
  ledger.leaders.set(core.term, id)
  if (seen.leaderTerm === core.term) {
    for (const entry of seen.leaderLog) {
      const isKept = entry.index <= core.log.base.index || isSame(held[entry.index - core.log.base.index - 1], entry)
      if (!isKept) fail(`leader ${id} replaced its entry ${entry.index}`)
    }
  }
  seen.leaderTerm = core.term
  seen.leaderLog = held
  ledger.committed.forEach(({ term, bySeenTerm }, i) => {
    const own = termAt(core.log, i + 1)
    if (bySeenTerm < core.term && i + 1 > core.log.base.index && own !== term) {
      fail(`leader ${id} of term ${core.term} lacks committed entry ${i + 1}/${term}`)
    }
  })
}

interface Applied {
  readonly member: HarnessMember
  readonly entry: Entry
  /** Null: do not look at the others' disks. */
  readonly members: readonly HarnessMember[] | null
}

const checkApplied = (ledger: Ledger, { member, entry, members }: Applied): void => {
  const seen = seenOf(ledger, member)
  const { index, term } = entry
  if (index !== seen.nextApplied) fail(`${member.id} applies ${index} where ${seen.nextApplied} is next`)
  seen.nextApplied += 1
  const known = ledger.committed[index - 1]
  const isOther = known !== undefined && (known.term !== term || !holdsSame(known.content, entry))
  if (isOther) fail(`${member.id} applies another entry at ${index}`)
  if (imageTermAt(member.disk.durable, index) !== term) fail(`${member.id} applies ${index}/${term}, which is not on its disk`)
  if (known !== undefined) return
  if (members !== null) checkQuorumDisks(member, entry, members)
  ledger.committed[index - 1] = { term, content: contentOf(entry), bySeenTerm: member.core.term }
  ledger.committedIndex = Math.max(ledger.committedIndex, index)
}

const checkQuorumDisks = (member: HarnessMember, { index, term }: Entry, members: readonly HarnessMember[]): void => {
  const has = (id: ReplicaId): boolean => {
    const durable = members.find((other) => other.id === id)?.disk.durable
    return durable !== undefined && (durable.mark.index >= index || imageTermAt(durable, index) === term)
  }
  // It was committed under the configuration of its own place in the log, or under one that its leader had appended by then.
  const { history } = member.core.membership
  const inForce = history.slice(Math.max(0, history.findLastIndex((row) => row.index <= index)))
  if (inForce.some(({ configuration }) => isQuorum(configuration, has))) return
  fail(`${index}/${term} is applied, and not on the disks of a majority`)
}

interface Sent {
  readonly member: HarnessMember
  readonly to: ReplicaId
  readonly message: RaftMessage
}

/** What promises something in its term, or speaks for its leader. Questions, refusals and answers to heartbeats may leave at once. */
const binding: readonly RaftMessage['type'][] = [
  'raft.requestVote', 'raft.voteGranted', 'raft.append', 'raft.appendAccepted', 'raft.heartbeat', 'raft.snapshotChunk', 'raft.timeoutNow',
]

/** No promise leaves before what it promises is on the disk. */
const checkPromise = (ledger: Ledger, { member, to, message }: Sent): void => {
  const { durable } = member.disk
  if (binding.includes(message.type) && 'term' in message && durable.hardState.term < message.term) {
    fail(`${member.id} sends ${message.type} of term ${message.term} before that term is on its disk`)
  }
  if (message.type === 'raft.voteGranted') {
    const key = `${member.id} ${message.term}`
    const known = ledger.votes.get(key)
    if (known !== undefined && known !== to) fail(`${member.id} votes twice in term ${message.term}: ${known} and ${to}`)
    ledger.votes.set(key, to)
    const { term, vote } = durable.hardState
    if (term < message.term || (term === message.term && vote !== to)) fail(`${member.id} sends a vote that is not on its disk`)
  }
  if (message.type === 'raft.requestVote') {
    const { term, vote } = durable.hardState
    if (term !== message.term || vote !== member.id) fail(`${member.id} asks for votes before its own is on its disk`)
  }
  if (message.type === 'raft.appendAccepted') {
    const term = termAt(member.core.log, message.matchIndex)
    if (durable.mark.index < message.matchIndex && imageTermAt(durable, message.matchIndex) !== term) {
      fail(`${member.id} accepts ${message.matchIndex}, which is not on its disk`)
    }
  }
}
