/** What a node believes of the others, against claims out of order, nodes gone silent or restarted, and malformed beacons. */

import { describe, expect, test } from '@jest/globals'
import { beaconOf, createBeacon } from '../../topology/beacon.ts'
import { META_GROUP, bootId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import type { BeaconMessage } from '../../topology/beacon.ts'

const boot = (n: number) => bootId(n.toString(16).padStart(16, '0'))
const n1 = nodeId('n1')
const n2 = nodeId('n2')
const n3 = nodeId('n3')
const message = (over: Partial<BeaconMessage> = {}): BeaconMessage =>
  ({ boot: boot(2), startedAtMs: 1_000, state: 'serving', epoch: 1, leads: [], damaged: [], ...over })
const open = () => createBeacon({ node: n1, boot: boot(1), startedAtMs: 1_000, prefix: 'kv' })

describe('the beacon', () => {
  test('of two claims to one shard the newer term wins, whatever order they arrive in', () => {
    const beacon = open()
    beacon.heard(n2, message({ leads: [[7, 5]] }), 0)
    beacon.heard(n3, message({ leads: [[7, 4]] }), 1)
    expect(beacon.leaderOf(shardId(7), 2)).toEqual({ node: n2, term: 5 })
    beacon.heard(n3, message({ leads: [[7, 6]] }), 2)
    expect(beacon.leaderOf(shardId(7), 3)).toEqual({ node: n3, term: 6 })
  })

  test('forgets a leadership that its node no longer claims, and one whose node has gone silent', () => {
    const beacon = open()
    beacon.heard(n2, message({ leads: [[7, 5], [8, 2]] }), 0)
    beacon.heard(n2, message({ leads: [[8, 2]] }), 10)
    expect(beacon.leaderOf(shardId(7), 11)).toBeNull()
    expect(beacon.leaderOf(shardId(8), 3_009)).toEqual({ node: n2, term: 2 })
    expect(beacon.leaderOf(shardId(8), 3_010)).toBeNull()
    expect(beacon.leaderOf(shardId(9), 11)).toBeNull()
  })

  test('calls a node steady only after it served for three beacons without a break or a restart', () => {
    const beacon = open()
    for (const at of [0, 1_000, 2_000]) beacon.heard(n2, message(), at)
    expect(beacon.isSteady(n2, 2_999)).toBe(false)
    beacon.heard(n2, message(), 3_000)
    expect(beacon.isSteady(n2, 3_000)).toBe(true)
    expect(beacon.isSteady(n2, 6_000)).toBe(false)
    beacon.heard(n2, message({ boot: boot(9) }), 6_100)
    expect(beacon.isSteady(n2, 6_200)).toBe(false)
    expect(beacon.isSteady(n3, 6_200)).toBe(false)
  })

  test('tells which layouts a node knows only while it is steady: a node that comes back may be another build', () => {
    const beacon = open()
    const levels = { min: 1, max: 2 }
    for (const at of [0, 1_000, 2_000, 3_000]) beacon.heard(n2, message({ levels }), at)
    expect(beacon.levelsOf(n2, 3_000)).toEqual(levels)
    expect(beacon.levelsOf(n2, 6_000)).toBeUndefined()
    beacon.heard(n2, message({ levels, state: 'draining' }), 3_500)
    expect(beacon.levelsOf(n2, 3_500)).toBeUndefined()
    beacon.heard(n2, message({ boot: boot(9), levels: { min: 1, max: 1 } }), 4_000)
    expect(beacon.levelsOf(n2, 4_000)).toBeUndefined()
    for (const at of [5_000, 6_000, 7_000]) beacon.heard(n2, message({ boot: boot(9), levels: { min: 1, max: 1 } }), at)
    expect(beacon.levelsOf(n2, 7_000)).toEqual({ min: 1, max: 1 })
    for (const at of [0, 1_000, 2_000, 3_000]) beacon.heard(n3, message(), at)
    expect(beacon.levelsOf(n3, 3_000)).toBeUndefined()
  })

  test('tells who has layout levels at all by what it said last', () => {
    const beacon = open()
    expect(beacon.tellsLevels(n2, 0)).toBe(false)
    beacon.heard(n2, message({ levels: { min: 1, max: 1 } }), 0)
    expect([beacon.tellsLevels(n2, 0), beacon.tellsLevels(n2, 3_000)]).toEqual([true, false])
    beacon.heard(n2, message({ boot: boot(9) }), 1_000)
    expect(beacon.tellsLevels(n2, 1_000)).toBe(false)
  })

  test('does not call a draining node steady', () => {
    const beacon = open()
    for (const at of [0, 1_000, 2_000, 3_000]) beacon.heard(n2, message({ state: 'draining' }), at)
    expect(beacon.isSteady(n2, 3_000)).toBe(false)
  })

  test.each([
    ['an older process with this name', message({ startedAtMs: 999 }), 'older'],
    ['a younger process with this name', message({ startedAtMs: 1_001 }), 'noted'],
    ['one of the same millisecond and a smaller boot id', message({ boot: boot(0) }), 'older'],
    ['one of the same millisecond and a greater boot id', message({ boot: boot(2) }), 'noted'],
    ['this very process', message({ boot: boot(1), startedAtMs: 5 }), 'noted'],
  ] as const)('hears %s', (_name, heard, verdict) => {
    expect(open().heard(n1, heard, 0)).toBe(verdict)
  })

  test.each([
    [null], ['text'], [{}], [{ ...message(), boot: 1 }], [{ ...message(), boot: 'xyz' }], [{ ...message(), state: 'dancing' }],
    [{ ...message(), leads: 'x' }], [{ ...message(), leads: [[1]] }],
    [{ ...message(), levels: 2 }], [{ ...message(), levels: { min: 2, max: 1 } }], [{ ...message(), levels: { min: 0, max: 1 } }],
    [{ ...message(), leads: [[1, -1]] }], [{ ...message(), startedAtMs: 'now' }],
  ])('takes %j for no beacon', (value) => {
    expect(beaconOf(value)).toBeNull()
  })

  test('takes a well-formed one as it is', () => {
    expect(beaconOf({ ...message({ leads: [[3, 4]] }) })).toEqual(message({ leads: [[3, 4]] }))
    expect(beaconOf({ ...message({ mute: true }) })).toEqual(message({ mute: true }))
    expect(beaconOf({ ...message(), mute: false })).toBeNull()
    // What a mute node says, and what a build makes of it that does not know what mute is: nothing.
    expect(beaconOf({ ...message(), leads: null, mute: true })).toEqual(message({ mute: true }))
    expect(beaconOf({ ...message(), leads: null })).toBeNull()
    expect(beaconOf({ ...message({ levels: { min: 1, max: 3 } }) })).toEqual(message({ levels: { min: 1, max: 3 } }))
  })
})

test('a beacon says where its process can be reached, which is remembered, and counts without that where it is not understood', () => {
  const addresses = { host: 'web2', http: 'http://10.0.0.2:8481', hasAdmin: true }
  expect(beaconOf({ ...message(), addresses })).toEqual(message({ addresses }))
  expect(beaconOf({ ...message(), addresses: { ...addresses, http: 'somewhere' } })).toEqual(message())
  const beacon = open()
  beacon.heard(n2, message({ addresses }), 0)
  expect([beacon.addressesOf(n2), beacon.addressesOf(n3)]).toEqual([addresses, undefined])
  beacon.heard(n2, message({ boot: boot(3), addresses: { ...addresses, http: 'http://10.0.0.9:8481' } }), 1)
  expect(beacon.addressesOf(n2)?.http).toBe('http://10.0.0.9:8481')
})

test('a beacon says which prefix its node serves, and counts without that where it is not understood', () => {
  expect(beaconOf({ ...message(), prefix: 'kv' })).toEqual(message({ prefix: 'kv' }))
  for (const prefix of ['KV', 'a.b', '', 7, null, 'x'.repeat(33)]) expect(beaconOf({ ...message(), prefix })).toEqual(message())
  const beacon = open()
  beacon.heard(n3, message({ prefix: 'kv' }), 0)
  beacon.heard(n2, message({ prefix: 'other', state: 'joining' }), 0)
  expect(beacon.prefixes(2_999)).toEqual([{ node: n2, prefix: 'other' }, { node: n3, prefix: 'kv' }])
  beacon.heard(n2, message({ prefix: 'other', state: 'draining' }), 1)
  expect(beacon.prefixes(2)).toEqual([{ node: n3, prefix: 'kv' }])
  beacon.heard(n3, message(), 2)
  expect(beacon.prefixes(3)).toEqual([])
  beacon.heard(n3, message({ prefix: 'kv' }), 3)
  expect([beacon.prefixes(3_002).length, beacon.prefixes(3_003).length]).toEqual([1, 0])
})

test('a node that serves another prefix is never fit to be handed a leadership, and one that tells none may be', () => {
  const beacon = open()
  for (const at of [0, 1_000, 2_000, 3_000]) {
    beacon.heard(n2, message({ prefix: 'other' }), at)
    beacon.heard(n3, message(), at)
  }
  expect([beacon.isSteady(n2, 3_000), beacon.isSteady(n3, 3_000)]).toEqual([false, true])
  beacon.heard(n2, message({ prefix: 'kv' }), 3_001)
  expect(beacon.isSteady(n2, 3_001)).toBe(true)
})

test('what the others say of their own replicas is kept, by node, until they say otherwise', () => {
  const beacon = createBeacon({ node: n1, boot: boot(1), startedAtMs: 1, prefix: 'kv' })
  beacon.heard(n3, message({ damaged: [[META_GROUP, 4]] }), 0)
  beacon.heard(n2, message({ damaged: [[7, 1]] }), 1)
  expect(beacon.damaged()).toEqual([{ group: 7, id: 'n2:1' }, { group: META_GROUP, id: 'n3:4' }])
  beacon.heard(n2, message(), 2)
  expect(beacon.damaged()).toEqual([{ group: META_GROUP, id: 'n3:4' }])
})

test('which replicas of the others are loading their state is what they said last', () => {
  const beacon = open()
  beacon.heard(n2, message({ loading: [[7, 3], [8, 1]] }), 0)
  expect(([[7, n2, 3], [8, n2, 1], [7, n2, 4], [9, n2, 3], [7, n3, 3]] as const).map(([shard, node, generation]) =>
    beacon.isLoading(shardId(shard), replicaId(node, generation)))).toEqual([true, true, false, false, false])
  beacon.heard(n2, message({ loading: [[8, 1]] }), 1)
  expect(beacon.isLoading(shardId(7), replicaId(n2, 3))).toBe(false)
  beacon.heard(n2, message(), 2)
  expect(beacon.isLoading(shardId(8), replicaId(n2, 1))).toBe(false)
})

test('a beacon says which of its replicas are loading, and one of before that was told counts', () => {
  expect(beaconOf({ ...message(), loading: [[7, 3]] })).toEqual(message({ loading: [[7, 3]] }))
  expect(beaconOf({ ...message(), loading: [] })).toEqual(message())
  for (const loading of [7, 'x', [[1]], [[1, 0]], [[-1, 1]]]) expect(beaconOf({ ...message(), loading })).toBeNull()
})

test('of damage a younger process is not believed while an elder of its name is heard', () => {
  const beacon = open()
  const elder = message({ startedAtMs: 10 })
  const younger = message({ boot: boot(3), startedAtMs: 9_000, damaged: [[7, 1]] })
  beacon.heard(n2, elder, 10_000)
  beacon.heard(n2, younger, 10_200)
  expect(beacon.damaged()).toEqual([])
  beacon.heard(n2, { ...elder, damaged: [[8, 1]] }, 11_000)
  beacon.heard(n2, younger, 11_200)
  expect(beacon.damaged()).toEqual([{ group: 8, id: 'n2:1' }])
  beacon.heard(n2, younger, 13_999)
  expect(beacon.damaged()).toEqual([{ group: 8, id: 'n2:1' }])
  beacon.heard(n2, younger, 14_000)
  expect(beacon.damaged()).toEqual([{ group: 7, id: 'n2:1' }])
})

test('of damage a younger process is not believed while its elder is mute, and who is mute counts as heard for nothing else', () => {
  const beacon = open()
  const elder = message({ startedAtMs: 10, mute: true })
  beacon.heard(n2, elder, 10_000)
  beacon.heard(n2, elder, 12_000)
  beacon.heard(n2, message({ startedAtMs: 20, boot: boot(9), damaged: [[7, 1]] }), 12_500)
  beacon.heard(n2, elder, 14_000)
  expect(beacon.damaged()).toEqual([])
  expect([beacon.heardAt(n2), beacon.isSteady(n2, 14_000)]).toEqual([12_500, false])
  expect(beacon.heard(n1, message({ boot: boot(9), startedAtMs: 5, mute: true }), 14_000)).toBe('older')
})

test('of damage an elder process is believed at once, also when a younger was heard first', () => {
  const beacon = open()
  beacon.heard(n2, message({ boot: boot(3), startedAtMs: 9_000, damaged: [[7, 1]] }), 10_000)
  beacon.heard(n2, message({ startedAtMs: 10 }), 10_100)
  expect(beacon.damaged()).toEqual([])
})

test('a node from before there was repair says nothing of damage, and no replica has generation 0', () => {
  const { damaged: _unknown, ...older } = message()
  expect(beaconOf(older)).toEqual(message())
  expect(beaconOf({ ...message(), damaged: [[7, 0]] })).toBeNull()
})
