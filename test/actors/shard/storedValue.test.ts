/** How values lie in memory: whatever the way, the bytes that come out are those that went in. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { nodeByteText } from '../../../actors/kernel/nodeByteText.ts'
import { TEXT_BYTES_MAX, plainByteText, storedValue, valueBytes, writeValue } from '../../../actors/shard/storedValue.ts'

const sizes = [0, 1, TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1, 5 * TEXT_BYTES_MAX]
const allBytes = Uint8Array.from({ length: 5 * TEXT_BYTES_MAX + 7 }, (_, i) => (i * 131) & 0xff)

describe.each([['plain code', plainByteText], ['Node', nodeByteText]])('a value, by %s', (_, byteText) => {
  test.each(sizes)('of %d bytes comes out as it went in, and keeps nothing of what it was cut from', (size) => {
    const source = allBytes.slice()
    const value = storedValue(byteText, source.subarray(7, 7 + size))
    source.fill(0)
    expect([...valueBytes(byteText, value)]).toEqual([...allBytes.subarray(7, 7 + size)])
    expect(typeof value).toBe(size <= TEXT_BYTES_MAX ? 'string' : 'object')
    expect(value.length).toBe(size)
    const target = new Uint8Array(size + 2)
    writeValue(target, 1, value)
    expect([...target]).toEqual([0, ...allBytes.subarray(7, 7 + size), 0])
  })
})

test('both conversions agree on any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3_000 }), (bytes) => {
    const text = nodeByteText.textOf(bytes)
    expect(text).toBe(plainByteText.textOf(bytes))
    expect([...nodeByteText.bytesOf(text)]).toEqual([...plainByteText.bytesOf(text)])
  }))
})
