/** FNV-1a against published vectors; the comparison with a real broker is test/bus/routing.test.ts. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { fnv1a32, shardOf } from '../../topology/hash.ts'

describe('the hash that routes', () => {
  test.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['b', 0xe70c2de5],
    ['foobar', 0xbf9cf968],
    ['chongo was here!\n', 0xd49930d5],
  ])('is FNV-1a with 32 bits: %j', (token, expected) => {
    expect(fnv1a32(token)).toBe(expected)
  })

  test('gives every token one shard below the shard count', () => {
    fc.assert(fc.property(fc.string(), fc.integer({ min: 1, max: 1_024 }), (token, shardCount) => {
      const shard = shardOf(token, shardCount)
      expect(shard).toBeGreaterThanOrEqual(0)
      expect(shard).toBeLessThan(shardCount)
      expect(shardOf(token, shardCount)).toBe(shard)
    }))
  })
})
