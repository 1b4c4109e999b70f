/** How records lie in memory: what comes out is what went in. */

import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  TEXT_BYTES_MAX, expiresAtMsOf, keyRecord, revisionOf, valueBytesOf, valueLengthOf, valueOf, writeValueOf,
} from '../../../actors/shard/keyRecord.ts'
import { textOfBytes } from '../../../actors/shard/bytes.ts'
import type { KeyRecord } from '../../../actors/shard/keyRecord.ts'

const allBytes = Uint8Array.from({ length: 5 * TEXT_BYTES_MAX + 7 }, (_, i) => (i * 131) & 0xff)

const contentOf = (record: KeyRecord) => {
  const target = new Uint8Array(valueLengthOf(record) + 2)
  writeValueOf(target, 1, record)
  const value = valueOf(record)
  return {
    revision: revisionOf(record), expiresAtMs: expiresAtMsOf(record), bytes: [...valueBytesOf(record)],
    written: [...target], value: typeof value === 'string' ? value : textOfBytes(value),
  }
}

test.each([0, 1, TEXT_BYTES_MAX - 1, TEXT_BYTES_MAX, TEXT_BYTES_MAX + 1, 5 * TEXT_BYTES_MAX])(
  'a value of %d bytes comes out as it went in, and keeps nothing of what it was cut from',
  (size) => {
    for (const expiresAtMs of [0, 1_800_000_000_000]) {
      const source = Buffer.from(allBytes)
      const record = keyRecord({ value: source.subarray(7, 7 + size), revision: 258, expiresAtMs })
      source.fill(0)
      keyRecord({ value: new Uint8Array(TEXT_BYTES_MAX), revision: 1, expiresAtMs: 0 })
      const bytes = allBytes.subarray(7, 7 + size)
      expect(contentOf(record)).toEqual({
        revision: 258, expiresAtMs, bytes: [...bytes], written: [0, ...bytes, 0], value: textOfBytes(bytes),
      })
      expect(typeof record).toBe(size <= TEXT_BYTES_MAX && expiresAtMs === 0 ? 'string' : 'object')
    }
  },
)

test('a revision of a record comes out as it went in, up to the greatest there is', () => {
  const revisions = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER))
  fc.assert(fc.property(revisions, fc.uint8Array({ maxLength: 40 }), fc.boolean(), (revision, bytes, isText) => {
    const record = keyRecord({ value: isText ? textOfBytes(bytes) : bytes, revision, expiresAtMs: 0 })
    expect([revisionOf(record), valueOf(record), valueLengthOf(record)]).toEqual([revision, textOfBytes(bytes), bytes.length])
  }))
})
