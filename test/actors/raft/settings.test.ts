/** Times and limits are checked where they enter, and configurations survive their encoding. */

import fc from 'fast-check'
import { describe, expect, test } from '@jest/globals'
import { raftLimitDefaults, raftLimits } from '../../../actors/raft/limits.ts'
import {
  configurationAt, createMembership, decodeConfiguration, encodeConfiguration, forgetBefore, forgetFrom, noteEntry,
} from '../../../actors/raft/membership.ts'
import { EntryKind } from '../../../actors/raft/protocol.ts'
import { raftTiming, raftTimingDefaults } from '../../../actors/raft/timing.ts'
import { nodeId, replicaId } from '../../../topology/ids.ts'
import { idOf } from '../../support/raftHarness.ts'
import { entriesOf } from '../../support/raftScript.ts'
import type { Configuration } from '../../../actors/raft/protocol.ts'

describe('timing', () => {
  test('has defaults, and takes overrides', () => {
    expect(raftTiming()).toEqual(raftTimingDefaults)
    expect(raftTiming({ tickMs: 10 }).tickMs).toBe(10)
  })

  test.each([
    { tickMs: 0 }, { electionTicksMin: 3 }, { electionTicksMax: 10 }, { heartbeatTicks: 0 }, { heartbeatTicks: 6 }, { resendTicks: 0 },
    { quietHeartbeatTicks: 1 }, { quietHeartbeatTicks: 6 }, { quietAfterTicks: -1 },
    { snapshotRetryTicks: 0 }, { commitStallElections: 0 }, { leaseDriftPercent: -1 }, { leaseDriftPercent: 100 },
  ])('refuses %j', (override) => {
    expect(() => raftTiming(override)).toThrow(Object.keys(override)[0])
  })
})

describe('limits', () => {
  test('have defaults, and take overrides', () => {
    expect(raftLimits()).toEqual(raftLimitDefaults)
    expect(raftLimits({ tailEntriesMax: 0 }).tailEntriesMax).toBe(0)
  })

  test.each([
    { appendBytesMax: 0 }, { readsWaitingMax: 1.5 }, { tailBytesMax: -1 }, { roundsInFlightMax: 513 },
  ])('refuse %j', (override) => {
    expect(() => raftLimits(override)).toThrow(Object.keys(override)[0])
  })
})

describe('configurations', () => {
  const replica = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 })).map(([n, g]) => replicaId(nodeId(`n${n}`), g))

  test('survive their encoding', () => {
    const replicas = fc.array(replica)
    const configuration = fc.record({
      epoch: fc.nat(), voters: fc.array(replica, { minLength: 1 }), outgoing: replicas, learners: replicas,
    })
    fc.assert(fc.property(configuration, (value) => {
      expect(decodeConfiguration(encodeConfiguration(value))).toEqual(value)
    }))
  })

  test.each(['', 'n1:1', '\n\n\n0', 'n1:1\n\n', 'n1:1\n\n\n0\n'])('refuse the payload %j', (text) => {
    expect(() => decodeConfiguration(new TextEncoder().encode(text))).toThrow(/four lines/)
  })

  test('refuse an epoch that is no whole number', () => {
    expect(() => decodeConfiguration(new TextEncoder().encode('n1:1\n\n\nx'))).toThrow(/epoch/)
  })

  test('are those of their index: what a snapshot of that moment carries', () => {
    const of = (...numbers: number[]): Configuration => ({ epoch: 0, voters: numbers.map(idOf), outgoing: [], learners: [] })
    const membership = createMembership(0, of(1))
    for (const [index, configuration] of [[3, of(1, 2)], [7, of(2)]] as const) {
      noteEntry(membership, { index, term: 1, kind: EntryKind.configuration, payload: encodeConfiguration(configuration) })
    }
    expect([0, 2, 3, 6, 7, 9].map((index) => configurationAt(membership, index).voters.length)).toEqual([1, 1, 2, 2, 1, 1])
  })

  test('follow the log: pushed by entries, popped by cuts, forgotten by compaction, and the last one always stays', () => {
    const of = (...numbers: number[]): Configuration => ({ epoch: 0, voters: numbers.map(idOf), outgoing: [], learners: [] })
    const entry = (index: number, configuration: Configuration) =>
      ({ index, term: 1, kind: EntryKind.configuration, payload: encodeConfiguration(configuration) })
    const membership = createMembership(0, of(1))
    expect(entriesOf(1, 1).map((other) => noteEntry(membership, other))).toEqual([false])
    expect([entry(3, of(1, 2)), entry(7, of(1, 2, 3))].map((change) => noteEntry(membership, change))).toEqual([true, true])
    expect(membership.configuration).toEqual(of(1, 2, 3))
    expect([forgetFrom(membership, 8), forgetFrom(membership, 7)]).toEqual([false, true])
    expect(membership.configuration).toEqual(of(1, 2))
    forgetBefore(membership, 5)
    expect(membership.history).toHaveLength(1)
    expect(forgetFrom(membership, 1)).toBe(false)
    expect(membership.configuration).toEqual(of(1, 2))
  })
})
