/** Binary strings by Node's primitives against the portable loop, in any place of any array. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createNodeText } from '../../../actors/kernel/nodeText.ts'
import { bytesOfText, readHex64, textOfBytes } from '../../../actors/shard/bytes.ts'

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
      expect([...nodeText.passingBytesOf(text)]).toEqual([...part])
      const target = new Uint8Array(part.length + 5)
      nodeText.write(target.subarray(2), 1, text)
      expect(target.subarray(3, 3 + part.length)).toEqual(Uint8Array.from(part))
    }))
  })

  test('that are cut one after the other share nothing but their block', () => {
    const texts = Array.from({ length: 2_000 }, (_, i) => String(i).repeat(i % 40))
    const cut = texts.map((text) => nodeText.passingBytesOf(text))
    expect(cut.map((bytes) => textOfBytes(bytes))).toEqual(texts)
    expect(nodeText.passingBytesOf('x'.repeat(70_000))).toHaveLength(70_000)
  })
})

test('the name of a session is the same however often it is read, and whatever was read in its place before', () => {
  const name = fc.tuple(fc.nat(0xffff_ffff), fc.nat(2_000))
  fc.assert(fc.property(fc.array(name, { minLength: 2 }), (names) => {
    const view = new DataView(new ArrayBuffer(8))
    for (const [high, places] of [...names, ...names]) {
      const low = places * 1_024
      view.setUint32(0, high)
      view.setUint32(4, low)
      expect(readHex64(view, 0)).toBe((BigInt(high) << 32n | BigInt(low)).toString(16).padStart(16, '0'))
    }
  }))
})
