/** The answer to `kv.map`, and whether the broker takes it. */

import { describe, expect, test } from '@jest/globals'
import { createGenesis, mapOfGenesis } from '../../topology/clusterMap.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { createMapText, mapAnswer, mapProblem } from '../../topology/mapAnswer.ts'
import { must } from '../../actors/kernel/assert.ts'
import type { LeaderHint } from '../../topology/beacon.ts'
import type { ClusterMap } from '../../topology/clusterMap.ts'

const mapWith = (shardCount: number, names: readonly string[]): ClusterMap => {
  const [genesis] = createGenesis({
    cluster: clusterId('0123456789abcdef'), members: names.map(nodeId), shardCount, replicationFactor: 3, createdAtMs: 1,
  })
  return mapOfGenesis(must(genesis, 'there are members'))
}

const longNames = ['a', 'b', 'c'].map((letter) => letter.repeat(32))

describe('the answer to kv.map', () => {
  test('is the map with what is known about leaders', () => {
    const map = mapWith(2, ['n1', 'n2', 'n3'])
    expect(mapAnswer(map, (shard) => (shard === 0 ? null : { node: nodeId('n2'), term: 7 }))).toEqual({
      ...map, leaders: [null, { node: 'n2', term: 7 }],
    })
  })

  test('as text is always what it would be anew, whatever has changed since it was asked for last', () => {
    let map = mapWith(2, ['n1', 'n2', 'n3'])
    let leaders: (LeaderHint | null)[] = [null, null]
    const text = createMapText(() => map, (shard) => leaders[shard] ?? null)
    const changes: (() => void)[] = [
      () => {},
      () => { leaders = [null, { node: nodeId('n2'), term: 1 }] },
      () => { leaders = [null, { node: nodeId('n2'), term: 2 }] },
      () => { leaders = [null, { node: nodeId('n3'), term: 2 }] },
      () => { map = { ...map, epoch: map.epoch + 1 } },
      () => { leaders = [{ node: nodeId('n1'), term: 1 }, null] },
      () => { map = mapWith(4, ['n1', 'n2', 'n3']) },
      () => { leaders = [null, null] },
    ]
    for (const change of changes) {
      change()
      expect(text()).toBe(JSON.stringify(mapAnswer(map, (shard) => leaders[shard] ?? null)))
    }
  })

  test('as text is made once while nothing changes', () => {
    const map = mapWith(2, ['n1', 'n2', 'n3'])
    let made = 0
    const counted = { ...map, toJSON: () => { made += 1; return map } }
    const text = createMapText(() => counted, () => ({ node: nodeId('n1'), term: 1 }))
    expect([text(), text(), text()].every((one) => one === JSON.stringify(map))).toBe(true)
    expect(made).toBe(1)
  })

  test.each([
    ['16 shards of short names on 64 KiB', 16, ['n1', 'n2', 'n3'], 65_536],
    ['1,024 shards of long names on 1 MiB', 1_024, longNames, 1_048_576],
  ] as const)('fits: %s', (_what, shards, names, payload) => {
    expect(mapProblem(mapWith(shards, names), payload)).toBeNull()
  })

  test('does not fit, and it is said before anybody asks: 1,024 shards of long names on 64 KiB', () => {
    expect(mapProblem(mapWith(1_024, longNames), 65_536)).toMatch(/the cluster map .* \d{6} bytes.*takes 65536 .*raise its max_payload/)
  })

  test('is reckoned with a leader for every shard: it fits before the elections and not after', () => {
    const map = mapWith(1_024, ['node-1', 'node-2', 'node-3'])
    const withoutLeaders = JSON.stringify(mapAnswer(map, () => null)).length
    expect(mapProblem(map, withoutLeaders + 64)).not.toBeNull()
    const withLeaders = JSON.stringify(mapAnswer(map, () => ({ node: nodeId('node-1'), term: 99_999 }))).length
    expect(mapProblem(map, 2 * withLeaders)).toBeNull()
  })
})
