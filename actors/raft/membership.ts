/**
 * Who is in the group, as the log says.
 *
 * A configuration is an entry like any other, but it is in force from the moment it is appended, not when it commits (section 6). So
 * the history of configurations follows the log: an appended one is pushed, a truncation pops what it cuts, a compaction forgets
 * what can not be cut any more. The first row is the snapshot's, or the genesis'.
 */

import { assert, must } from '../kernel/assert.ts'
import { EntryKind } from './protocol.ts'
import { generationOf, nodeOf, shared } from '../../topology/ids.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Configuration, Entry, Index } from './protocol.ts'

export interface Membership {
  /** Rising by index, never empty. */
  history: { readonly index: Index; readonly configuration: Configuration }[]
  /** The newest of the history. */
  configuration: Configuration
}

export const createMembership = (index: Index, configuration: Configuration): Membership =>
  ({ history: [{ index, configuration }], configuration })

/** Takes note of an appended entry; false when it says nothing about membership. */
export const noteEntry = (membership: Membership, entry: Entry): boolean => {
  if (entry.kind !== EntryKind.configuration) return false
  membership.history.push({ index: entry.index, configuration: decodeConfiguration(entry.payload) })
  refresh(membership)
  return true
}

/** Rolls back what a truncation at `index` cut. */
export const forgetFrom = (membership: Membership, index: Index): boolean => {
  const before = membership.history.length
  while (membership.history.length > 1 && latest(membership).index >= index) membership.history.pop()
  refresh(membership)
  return membership.history.length !== before
}

/** Forgets configurations that were replaced at or before `index`. */
export const forgetBefore = (membership: Membership, index: Index): void => {
  while ((membership.history[1]?.index ?? Number.POSITIVE_INFINITY) <= index) membership.history.shift()
}

/** What was in force at `index`: a snapshot of that moment carries it. Not asked before what `forgetBefore` has forgotten. */
export const configurationAt = ({ history }: Membership, index: Index): Configuration =>
  must(history.findLast((row) => row.index <= index), `the configuration at ${index} is known`).configuration

export const configurationIndex = (membership: Membership): Index => latest(membership).index

const latest = (membership: Membership): Membership['history'][number] => must(membership.history.at(-1), 'a group has a configuration')

const refresh = (membership: Membership): void => {
  membership.configuration = latest(membership).configuration
}

export const isVoter = ({ voters, outgoing }: Configuration, replica: ReplicaId): boolean =>
  voters.includes(replica) || outgoing.includes(replica)

/** Every voter once, then the learners. */
export const membersOf = ({ voters, outgoing, learners }: Configuration): ReplicaId[] => [...new Set([...voters, ...outgoing, ...learners])]

/**
 * A voter, or a replica that the log does not know yet; false for one that a higher generation on its node has replaced. A learner has
 * replaced nobody: the voter whose place it shall take counts until it has lost its vote, and may be alive (test: "A voter whose
 * successor is a learner votes until that is promoted").
 */
export const isCurrent = (configuration: Configuration, replica: ReplicaId): boolean =>
  isVoter(configuration, replica) || !membersOf(configuration).some((member) =>
    nodeOf(member) === nodeOf(replica) && generationOf(member) > generationOf(replica))

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The payload of a configuration entry, four lines: space-separated replica ids of voters, outgoing and learners, then the epoch. */
export const encodeConfiguration = ({ epoch, voters, outgoing, learners }: Configuration): Uint8Array =>
  encoder.encode([...[voters, outgoing, learners].map((replicas) => replicas.join(' ')), epoch].join('\n'))

const replicasIn = (line: string): ReplicaId[] => line.split(' ').filter((id) => id !== '').map((id) => shared(id as ReplicaId))

export const decodeConfiguration = (payload: Uint8Array): Configuration => {
  const lines = decoder.decode(payload).split('\n')
  const [voters, outgoing, learners] = lines.slice(0, 3).map(replicasIn)
  const epoch = Number(lines[3])
  assert(lines.length === 4 && voters !== undefined && outgoing !== undefined && learners !== undefined && voters.length > 0,
    'a configuration entry has four lines and at least one voter')
  assert(Number.isSafeInteger(epoch) && epoch >= 0, `the epoch ${epoch} of a configuration is a whole number`)
  return { epoch, voters, outgoing, learners }
}
