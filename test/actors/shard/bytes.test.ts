/** Binary strings by Node's primitives against the portable loop, in any place of any array. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createNodeText } from '../../../actors/kernel/nodeText.ts'
import { bytesOfText, textOfBytes } from '../../../actors/shard/bytes.ts'

const nodeText = createNodeText()

describe('binary strings', () => {
  test('are the same whoever reads and writes them', () => {
    const place = fc.tuple(fc.uint8Array({ maxLength: 3_000 }), fc.nat(3_000), fc.nat(3_000))
    fc.assert(fc.property(place, ([whole, from, to]) => {
      const part = whole.subarray(Math.min(from, to), Math.max(from, to))
      const text = textOfBytes(part)
      expect(nodeText.read(part, 0, part.length)).toBe(text)
      expect(bytesOfText(text)).toEqual(Uint8Array.from(part))
      const own = nodeText.bytesOf(text)
      expect([...own]).toEqual([...part])
      // Of no pool: what a table remembers must not keep its neighbours.
      expect(own.buffer.byteLength).toBe(part.length)
      const target = new Uint8Array(part.length + 5)
      nodeText.write(target.subarray(2), 1, text)
      expect(target.subarray(3, 3 + part.length)).toEqual(Uint8Array.from(part))
    }))
  })
})
