/** Short words for tests that play the peers of one member by hand. */

import { EntryKind } from '../../actors/raft/protocol.ts'
import { createHarness, idOf } from './raftHarness.ts'
import type { Entry, Index, RaftMessage, Term } from '../../actors/raft/protocol.ts'
import type { Harness, HarnessOptions, Mail } from './raftHarness.ts'

type MessageOf<Type extends RaftMessage['type']> = Extract<RaftMessage, { type: Type }>

const encoder = new TextEncoder()

/** Entries of these terms, from index `first` on; the payload tells them apart. */
export const entriesOf = (first: Index, ...terms: Term[]): Entry[] =>
  terms.map((term, i) => ({ term, index: first + i, kind: EntryKind.batch, payload: encoder.encode(`${first + i}/${term}`) }))

/** What the member has said since this was asked last; everything in flight is forgotten. */
export const takeSent = (harness: Harness): Mail[] => harness.network.splice(0)

export const sentOf = <Type extends RaftMessage['type']>(mails: readonly Mail[], type: Type): MessageOf<Type>[] =>
  mails.map(({ message }) => message).filter((message): message is MessageOf<Type> => message.type === type)

/** The peer with this number says something to the member. */
export const say = (harness: Harness, from: number, message: RaftMessage, to = 1): void =>
  harness.send(to, { ...message, from: idOf(from) })

type Append = MessageOf<'raft.append'>

export const append = (term: Term, prev: readonly [Index, Term], entries: readonly Entry[], commitIndex: Index = 0): Append =>
  ({ type: 'raft.append', term, prevIndex: prev[0], prevTerm: prev[1], commitIndex, entries })

/** Completes every write and flush of the member; what it says stays in flight. */
export const settleDisk = (harness: Harness, number = 1): void => {
  do harness.flush(number)
  while (harness.writeOne(number))
}

/** Member 1 alone on stage: the others exist only in what the test says for them. */
export const createSolo = (options: HarnessOptions = {}): Harness => createHarness({ ...options, isScripted: true })

/** Member 1 follows member 2 in this term, with these entries durable. */
export const createFollower = (term: Term, terms: readonly Term[] = [], options: HarnessOptions = {}): Harness => {
  const harness = createSolo(options)
  say(harness, 2, append(term, [0, 0], entriesOf(1, ...terms)))
  settleDisk(harness)
  takeSent(harness)
  return harness
}

/** Member 1 is elected by member 2's vote, its no-op is durable at home; nothing else has happened. */
export const createElected = (options: HarnessOptions = {}): Harness => {
  const harness = createSolo(options)
  electAgain(harness)
  return harness
}

export const electAgain = (harness: Harness): void => {
  const { core } = harness.member(1)
  core.electionTicks = core.electionTimeout
  core.ticksSinceLeader = Number.POSITIVE_INFINITY
  harness.tickOnly(1, 1)
  say(harness, 2, { type: 'raft.preVoteGranted', term: core.term + 1 })
  settleDisk(harness)
  say(harness, 2, { type: 'raft.voteGranted', term: core.term, wallMs: core.wallMs })
  settleDisk(harness)
  takeSent(harness)
}

/** As above, and member 2 has accepted the no-op: member 1 may serve. */
export const createServing = (options: HarnessOptions = {}): Harness => {
  const harness = createElected(options)
  const { core } = harness.member(1)
  say(harness, 2, { type: 'raft.appendAccepted', term: core.term, matchIndex: core.leading.noopIndex })
  settleDisk(harness)
  takeSent(harness)
  return harness
}

export const rolesOf = (harness: Harness): string[] => harness.members.map(({ core }) => core.role)
