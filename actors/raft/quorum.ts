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

/**
 * Sorted from the largest, the value at position floor(n / 2) is reached by floor(n / 2) + 1 members: a majority. Sorted by insertion into
 * a list that is kept: a node of hundreds of groups asks thousands of times a second, about a few voters.
 */
const majorityValue = (voters: readonly ReplicaId[], valueOf: (replica: ReplicaId) => number): number => {
  if (voters.length === 0) return Number.POSITIVE_INFINITY
  let count = 0
  for (const voter of voters) {
    const value = valueOf(voter)
    let at = count
    count += 1
    for (; at > 0 && (sorted[at - 1] as number) < value; at -= 1) sorted[at] = sorted[at - 1] as number
    sorted[at] = value
  }
  return sorted[Math.floor(voters.length / 2)] as number
}

/** Never seen outside one call of `majorityValue`. */
const sorted: number[] = []

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
