/** Majorities: the fast functions equal dumb ones that try every value and every subset. */

import fc from 'fast-check'
import { describe, expect, test } from '@jest/globals'
import { isQuorum, quorumValue, voteResult } from '../../../actors/raft/quorum.ts'
import { idOf } from '../../support/raftHarness.ts'
import type { ReplicaId } from '../../../topology/ids.ts'
import type { Configuration } from '../../../actors/raft/protocol.ts'

const replicas = Array.from({ length: 9 }, (_, i) => idOf(i + 1))
const subset = (minLength: number) => fc.uniqueArray(fc.constantFrom(...replicas), { minLength, maxLength: 7 })
const configuration: fc.Arbitrary<Configuration> = fc.record({
  epoch: fc.constant(0), voters: subset(1), outgoing: subset(0), learners: fc.constant([]),
})
const values = fc.array(fc.nat(12), { minLength: 9, maxLength: 9 })

/** By the definition: more than half of each set of voters that is not empty. */
const agreesDumbly = ({ voters, outgoing }: Configuration, has: (replica: ReplicaId) => boolean): boolean =>
  [voters, outgoing].every((set) => set.length === 0 || set.filter(has).length * 2 > set.length)

describe('quorums', () => {
  test('quorumValue is the largest value that a quorum has reached', () => {
    fc.assert(fc.property(configuration, values, (group, reached) => {
      const valueOf = (replica: ReplicaId): number => reached[replicas.indexOf(replica)] ?? 0
      let dumb = 0
      for (let value = 0; value <= 12; value += 1) if (agreesDumbly(group, (replica) => valueOf(replica) >= value)) dumb = value
      expect(quorumValue(group, valueOf)).toBe(dumb)
    }), { numRuns: 2_000 })
  })

  test('isQuorum is the definition', () => {
    fc.assert(fc.property(configuration, subset(0), (group, present) => {
      const has = (replica: ReplicaId): boolean => present.includes(replica)
      expect(isQuorum(group, has)).toBe(agreesDumbly(group, has))
    }))
  })

  test('any two quorums of one configuration share a voter', () => {
    fc.assert(fc.property(configuration, subset(0), subset(0), (group, left, right) => {
      if (!isQuorum(group, (replica) => left.includes(replica)) || !isQuorum(group, (replica) => right.includes(replica))) return
      expect(group.voters.some((voter) => left.includes(voter) && right.includes(voter))).toBe(true)
    }))
  })

  test('voteResult is lost exactly when no way to answer what is open would win', () => {
    const someVotes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 9, maxLength: 9 })
    fc.assert(fc.property(configuration, someVotes, (group, votes) => {
      const voteOf = (replica: ReplicaId): boolean | undefined => votes[replicas.indexOf(replica)]
      const isWon = agreesDumbly(group, (replica) => voteOf(replica) === true)
      const couldWin = agreesDumbly(group, (replica) => voteOf(replica) ?? true)
      expect(voteResult(group, voteOf)).toBe(isWon ? 'won' : couldWin ? 'pending' : 'lost')
    }), { numRuns: 1_000 })
  })
})
