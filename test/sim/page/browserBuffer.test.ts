/** What stands in for Node's parts in the page does what they do: the codec's numbers and texts, views and copies, and the checksum. */

import fc from 'fast-check'
import { expect, test } from '@jest/globals'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { Buffer as BrowserBuffer } from '../../../sim/page/browserBuffer.ts'
import { crc32 } from '../../../sim/page/browserCrc.ts'

const latin1 = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 20_000 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const bytes = fc.uint8Array({ maxLength: 300 })

test('numbers and texts are written and read as Node does', () => {
  fc.assert(fc.property(latin1, fc.nat(0xffff), fc.nat(0xffff_ffff), (text, small, large) => {
    const [own, nodes] = [BrowserBuffer.allocUnsafeSlow(text.length + 6), Buffer.alloc(text.length + 6)]
    for (const one of [own, nodes]) {
      one.writeUInt16BE(small, 0)
      one.writeUInt32BE(large, 2)
    }
    expect(own.write(text, 6)).toBe(nodes.write(text, 6, 'latin1'))
    expect(Buffer.compare(own, nodes)).toBe(0)
    expect([own.readUInt16BE(0), own.readUInt32BE(2), own.toString('latin1', 6, own.length)]).toEqual([small, large, text])
  }), { numRuns: 50 })
})

test('a part is a view, bytes are copied, and what is no such buffer is known', () => {
  const own = BrowserBuffer.from(Uint8Array.of(1, 2, 3, 4, 5))
  const part = own.subarray(1, 3)
  expect([BrowserBuffer.isBuffer(part), BrowserBuffer.isBuffer(Uint8Array.of(1)), [...part]]).toEqual([true, false, [2, 3]])
  part[0] = 9
  expect([...own]).toEqual([1, 9, 3, 4, 5])
  const view = BrowserBuffer.from(own.buffer, 2, 2)
  const target = new Uint8Array(4)
  expect([view.copy(target, 1), [...target], [...own.subarray(3)], [...own.subarray(4, 9)]]).toEqual([2, [0, 3, 4, 0], [4, 5], [5]])
  const copy = BrowserBuffer.from(view)
  copy[0] = 7
  expect([...view]).toEqual([3, 4])
  expect(BrowserBuffer.prototype.latin1Slice.call(Uint8Array.of(72, 105), 0, 2)).toBe('Hi')
})

test('the checksum is zlib\'s, also when it goes on from another', () => {
  fc.assert(fc.property(bytes, bytes, (first, second) => {
    expect(crc32(second, crc32(first))).toBe(zlibCrc32(second, zlibCrc32(first)))
  }))
})
