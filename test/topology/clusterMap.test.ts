/** The first cluster map and the ids in it: the same on every member, every replica hosted once, ill-formed ids refused. */

import { describe, expect, test } from '@jest/globals'
import { createGenesis, hostedBy, mapOfGenesis, preferredLeader } from '../../topology/clusterMap.ts'
import {
  bootId, clusterId, generationOf, isHex64, isNodeId, nodeId, nodeOf, replicaId, shardId,
} from '../../topology/ids.ts'
import { must } from '../../actors/kernel/assert.ts'

const cluster = clusterId('0123456789abcdef')
const members = ['n3', 'n1', 'n2', 'n5', 'n4'].map(nodeId)
const genesis = createGenesis({ cluster, members, shardCount: 16, replicationFactor: 3, createdAtMs: 1 })

describe('the genesis', () => {
  test('is the same for every member but for its own name', () => {
    expect(genesis.map(({ node }) => node)).toEqual(['n1', 'n2', 'n3', 'n4', 'n5'])
    for (const own of genesis) expect({ ...own, node: '' }).toEqual({ ...must(genesis[0], 'five'), node: '' })
  })

  test('depends on nothing but its input', () => {
    const reversed = { cluster, members: [...members].reverse(), shardCount: 16, replicationFactor: 3, createdAtMs: 1 }
    expect(createGenesis(reversed)).toEqual(genesis)
  })

  test('gives every replica the first generation', () => {
    for (const replica of must(genesis[0], 'five').replicas.flat()) expect(generationOf(replica)).toBe(1)
  })
})

describe('the first cluster map', () => {
  const map = mapOfGenesis(must(genesis[0], 'five'))

  test('has epoch 1 and hosts every replica exactly once', () => {
    expect(map.epoch).toBe(1)
    const hosted = members.flatMap((node) => hostedBy(map, node))
    expect(hosted).toHaveLength(16 * 3)
    for (const { shard, replica } of hosted) expect(map.replicas[shard]).toContain(replica)
  })

  test('names the first replica of a shard as its preferred leader', () => {
    for (let shard = 0; shard < 16; shard += 1) expect(preferredLeader(map, shardId(shard))).toBe(map.replicas[shard]?.[0])
    expect(() => preferredLeader(map, shardId(16))).toThrow('at least one replica')
  })
})

describe('ids', () => {
  test.each([['n1', true], ['node-7', true], ['N1', false], ['1n', false], ['', false], ['a.b', false], ['a'.repeat(33), false]])(
    'node id %j is valid: %s', (text, valid) => {
      expect(isNodeId(text)).toBe(valid)
      if (!valid) expect(() => nodeId(text)).toThrow('node id')
    })

  test('a replica id names its node and generation', () => {
    const id = replicaId(nodeId('node-7'), 12)
    expect(id).toBe('node-7:12')
    expect([nodeOf(id), generationOf(id)]).toEqual(['node-7', 12])
    expect(() => replicaId(nodeId('n1'), 0)).toThrow('at least 1')
  })

  test.each([[-1], [1.5], [1_024]])('shard id %d is refused', (n) => {
    expect(() => shardId(n)).toThrow('shard id')
  })

  test('boot and cluster ids are 16 lower-case hex digits', () => {
    expect(isHex64('0123456789abcdef')).toBe(true)
    expect(() => bootId('0123456789ABCDEF')).toThrow('16 hex digits')
    expect(() => clusterId('12')).toThrow('16 hex digits')
  })
})
