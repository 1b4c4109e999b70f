/** The entry payload: encode then decode is identity, what decodes is canonical, and nothing makes the decoder throw. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeBatch, encodeBatch, encodedOperationBytes } from '../../../actors/shard/batch.ts'
import { BATCH_OPERATIONS_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../../../actors/shard/operation.ts'
import { del, inSession, operations, put } from './entries.ts'
import type { Batch } from '../../../actors/shard/batch.ts'

const batches: fc.Arbitrary<Batch> = fc.record({
  timeMs: fc.maxSafeNat(),
  operations: fc.array(operations, { maxLength: 8 }),
})

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
const bytesOf = (text: string): Uint8Array => Uint8Array.from(text.split(' '), (byte) => Number.parseInt(byte, 16))

describe('the batch codec', () => {
  test('encodes the worked example of its header', () => {
    const bytes = encodeBatch({ timeMs: 5, operations: [put('a', '1')] })
    expect(hex(bytes)).toBe('01 00 01 00 05 00 00 00 00 00 00 00 02 01 01 00 61 01 00 00 00 31')
  })

  test('decodes what it encoded, to equal operations', () => {
    fc.assert(fc.property(batches, (batch) => {
      expect(decodeBatch(encodeBatch(batch))).toEqual({ value: batch })
    }))
  })

  test('knows the length of an operation before it is encoded', () => {
    fc.assert(fc.property(operations, (operation) => {
      expect(encodeBatch({ timeMs: 0, operations: [operation] }).length).toBe(12 + encodedOperationBytes(operation))
    }))
  })

  test('carries the greatest time, revision, sequence, key and value', () => {
    const max = Number.MAX_SAFE_INTEGER
    const operation = put('k'.repeat(KEY_BYTES_MAX), 'v'.repeat(VALUE_BYTES_MAX), { ifRevision: max, ...inSession(0xffff, max, max) })
    expect(decodeBatch(encodeBatch({ timeMs: max, operations: [operation] }))).toEqual({ value: { timeMs: max, operations: [operation] } })
  })

  test('hands out values as views into the payload, without a copy', () => {
    const bytes = encodeBatch({ timeMs: 5, operations: [put('a', '1')] })
    const decoded = decodeBatch(bytes)
    expect('value' in decoded && decoded.value.operations[0]?.value?.buffer).toBe(bytes.buffer)
  })

  test('refuses a changed payload with a reason, or it was another canonical one', () => {
    const changes = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.nat(), add: fc.uint8Array({ maxLength: 3 }) })
    fc.assert(fc.property(batches, changes, (batch, { at, to, cut, add }) => {
      const bytes = encodeBatch(batch)
      bytes[at % bytes.length] = to
      const changed = Uint8Array.from([...bytes.subarray(0, bytes.length - (cut % 4)), ...add])
      const decoded = decodeBatch(changed)
      if ('reason' in decoded) expect(decoded.reason).not.toBe('')
      else expect(hex(encodeBatch(decoded.value))).toBe(hex(changed))
    }), { numRuns: 2_000 })
  })

  test('never throws, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const decoded = decodeBatch(Uint8Array.from([1, 0, 1, 0, ...bytes]))
      expect('reason' in decoded || decoded.value.operations.length === 1).toBe(true)
    }), { numRuns: 2_000 })
  })

  test('refuses a batch cut at any byte', () => {
    const all = { ...put('key', 'value', { ifRevision: 1, ttlMs: 2, requestId: 'id' }), ...inSession(7, 3) }
    const bytes = encodeBatch({ timeMs: 5, operations: [all, del('x')] })
    for (let length = 0; length < bytes.length; length += 1) expect(decodeBatch(bytes.subarray(0, length))).toHaveProperty('reason')
    expect(decodeBatch(bytes)).toHaveProperty('value')
  })

  const head = '01 00 01 00 05 00 00 00 00 00 00 00'
  const refusals: readonly (readonly [string, string, string])[] = [
    ['an unknown version', '02 00 00 00 05 00 00 00 00 00 00 00', 'version 2'],
    ['a reserved byte that is set', '01 01 00 00 05 00 00 00 00 00 00 00', 'reserved'],
    ['too many operations', '01 00 01 10 05 00 00 00 00 00 00 00', 'above the limit'],
    ['a time above 2^53', '01 00 00 00 05 00 00 00 00 00 20 00', 'above 2^53'],
    ['bytes after the end', '01 00 00 00 05 00 00 00 00 00 00 00 00', 'follow'],
    ['a read, which changes nothing', `${head} 01 00 01 00 61`, 'code 1'],
    ['operation code 0', `${head} 00 00 01 00 61`, 'code 0'],
    ['operation code 8', `${head} 08 00 01 00 61`, 'code 8'],
    ['an unknown flag', `${head} 03 20 01 00 61`, 'unknown flag'],
    ['a key above the limit', `${head} 03 00 01 04 61`, 'a key is above'],
    ['a value above the limit', `${head} 02 01 01 00 61 01 00 08 00`, 'a value is above'],
    ['an empty request id', `${head} 03 10 01 00 61 00`, '1 to 64'],
    ['a request id above the limit', `${head} 03 10 01 00 61 41`, '1 to 64'],
  ]
  test.each(refusals)('refuses %s', (_, bytes, reason) => {
    const decoded = decodeBatch(bytesOf(bytes))
    expect('reason' in decoded && decoded.reason).toContain(reason)
  })

  test('refuses to encode more operations than a batch holds', () => {
    const many = Array.from({ length: BATCH_OPERATIONS_MAX + 1 }, () => del('k'))
    expect(() => encodeBatch({ timeMs: 0, operations: many })).toThrow('at most 4096')
  })
})
