/**
 * Majorities, of one set of voters or of two at once.
 *
 * While a configuration is joint (thesis 4.3) a decision needs a majority of the incoming voters *and* one of the outgoing ones.
 * Outside a joint phase `outgoing` is empty and agrees with everything.
 *
 * Everything here is a pure function of a configuration and one number or answer per replica. test/actors/raft/quorum.test.ts
 * compares each with a version that tries every subset.
 */

import type { ReplicaId } from '../../topology/ids.ts'
import type { Configuration } from './protocol.ts'

/**
 * The largest value that a quorum has reached, each member having reached `valueOf(member)`: the committed index from match
 * indexes, the confirmed round from acknowledged rounds, the age of a quorum's contact from send times.
 */
export const quorumValue = (configuration: Configuration, valueOf: (replica: ReplicaId) => number): number =>
  Math.min(majorityValue(configuration.voters, valueOf), majorityValue(configuration.outgoing, valueOf))

/** Sorted from the largest, the value at position floor(n / 2) is reached by floor(n / 2) + 1 members: a majority. */
const majorityValue = (voters: readonly ReplicaId[], valueOf: (replica: ReplicaId) => number): number => {
  if (voters.length === 0) return Number.POSITIVE_INFINITY
  const values = voters.map(valueOf).sort((a, b) => b - a)
  return values[Math.floor(voters.length / 2)] as number
}

export const isQuorum = (configuration: Configuration, has: (replica: ReplicaId) => boolean): boolean =>
  isMajority(configuration.voters, has) && isMajority(configuration.outgoing, has)

const isMajority = (voters: readonly ReplicaId[], has: (replica: ReplicaId) => boolean): boolean => {
  if (voters.length === 0) return true
  let count = 0
  for (const voter of voters) if (has(voter)) count += 1
  return count > voters.length / 2
}

/** `lost` when the voters that have not refused can no longer make a quorum. */
export const voteResult = (
  configuration: Configuration,
  voteOf: (replica: ReplicaId) => boolean | undefined,
): 'won' | 'lost' | 'pending' => {
  if (isQuorum(configuration, (voter) => voteOf(voter) === true)) return 'won'
  return isQuorum(configuration, (voter) => voteOf(voter) !== false) ? 'pending' : 'lost'
}
