/** How values lie in memory: the bytes that come out are those that went in. */

import { expect, test } from '@jest/globals'
import { TEXT_BYTES_MAX, storedValue, valueBytes, writeValue } from '../../../actors/shard/storedValue.ts'

const allBytes = Uint8Array.from({ length: 5 * TEXT_BYTES_MAX + 7 }, (_, i) => (i * 131) & 0xff)

test.each([0, 1, TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1, 5 * TEXT_BYTES_MAX])(
  'a value of %d bytes comes out as it went in, and keeps nothing of what it was cut from',
  (size) => {
    const source = allBytes.slice()
    const value = storedValue(source.subarray(7, 7 + size))
    source.fill(0)
    expect([...valueBytes(value)]).toEqual([...allBytes.subarray(7, 7 + size)])
    expect(typeof value).toBe(size <= TEXT_BYTES_MAX ? 'string' : 'object')
    expect(value.length).toBe(size)
    const target = new Uint8Array(size + 2)
    writeValue(target, 1, value)
    expect([...target]).toEqual([0, ...allBytes.subarray(7, 7 + size), 0])
  },
)
