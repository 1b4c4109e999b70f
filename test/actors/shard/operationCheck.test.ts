/** What is refused without looking at any state. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { checkOperation } from '../../../actors/shard/operationCheck.ts'
import { KEY_BYTES_MAX, OpCode, TTL_MS_MAX, VALUE_BYTES_MAX } from '../../../actors/shard/operation.ts'
import { client, close, del, get, inSession, incr, open, operations, put, touch } from './entries.ts'
import type { Operation } from '../../../actors/shard/operation.ts'

const BYTES_MAX = 600_000

describe('the stateless check', () => {
  test('passes every well-formed operation', () => {
    fc.assert(fc.property(operations, (operation) => {
      expect(checkOperation(operation, BYTES_MAX, 'slot')).toBeNull()
    }))
  })

  const passing: readonly (readonly [string, Operation])[] = [
    ['the longest key', get('k'.repeat(KEY_BYTES_MAX))],
    ['the longest value', put('k', 'v'.repeat(VALUE_BYTES_MAX))],
    ['an empty value', put('k', '')],
    ['the longest time to live', put('k', 'v', { ttlMs: TTL_MS_MAX })],
    ['the longest request id', put('k', 'v', { requestId: 'r'.repeat(64) })],
  ]
  test.each(passing)('passes %s', (_, operation) => {
    expect(checkOperation(operation, BYTES_MAX, 'slot')).toBeNull()
  })

  const invalid: readonly (readonly [string, Operation])[] = [
    ['an empty key', get('')],
    ['a character that is no byte', get('\u0100')],
    ['a session operation with a key', { ...open(1), key: 'k' }],
    ['a session operation without a session', { code: OpCode.closeSession, key: '' }],
    ['a negative revision', put('k', 'v', { ifRevision: -1 })],
    ['a broken revision', del('k', { ifRevision: 1.5 })],
    ['a revision above 2^53', del('k', { ifRevision: 2 ** 53 })],
    ['a time to live above ten years', put('k', 'v', { ttlMs: TTL_MS_MAX + 1 })],
    ['touch without a time to live', { code: OpCode.touch, key: 'k' }],
    ['a time to live on del', del('k', { ttlMs: 5 })],
    ['a condition on a read', { ...get('k'), ifRevision: 1 }],
    ['an empty request id', put('k', 'v', { requestId: '' })],
    ['a request id above 64 bytes', put('k', 'v', { requestId: 'r'.repeat(65) })],
    ['a request id with a colon', put('k', 'v', { requestId: 'a:b' })],
    ['a request id that is not bytes', put('k', 'v', { requestId: '\u0100' })],
    ['a request id and a session', put('k', 'v', { requestId: 'r', ...inSession(1, 1) })],
    ['a session name that is not hex', put('k', 'v', { session: { client: 'X'.repeat(16), sequence: 1, firstIncomplete: 1 } })],
    ['a sequence below its mark', put('k', 'v', inSession(1, 2, 3))],
    ['a mark of 0', put('k', 'v', inSession(1, 2, 0))],
    ['a sequence above 2^53', put('k', 'v', { session: { client: client(1), sequence: 2 ** 53, firstIncomplete: 1 } })],
    ['a mark that is not whole', put('k', 'v', inSession(1, 2, 1.5))],
    ['put without a value', { code: OpCode.put, key: 'k' }],
    ['del with a value', { ...put('k', 'v'), code: OpCode.del }],
    ['incr by something else than a number', incr('k', 'many')],
    ['close with a value', { ...close(1), value: new Uint8Array(1) }],
  ]
  test.each(invalid)('refuses %s', (_, operation) => {
    expect(checkOperation(operation, BYTES_MAX, 'slot')).toMatchObject({ status: 'INVALID', definite: true, message: expect.any(String) })
  })

  const tooLarge: readonly (readonly [string, Operation, number])[] = [
    ['a key of 1,025 bytes', get('k'.repeat(KEY_BYTES_MAX + 1)), BYTES_MAX],
    ['a value of 524,289 bytes', put('k', 'v'.repeat(VALUE_BYTES_MAX + 1)), BYTES_MAX],
    ['an operation above the entry budget', put('k', 'v'.repeat(100)), 108],
  ]
  test.each(tooLarge)('finds %s too large', (_, operation, bytesMax) => {
    expect(checkOperation(operation, bytesMax, 'forward')).toMatchObject({ status: 'TOO_LARGE', definite: true })
  })

  test('says for certain by a slot what every node would say, and not what follows from the broker that this one began with', () => {
    const bySlot = tooLarge.map(([, operation, bytesMax]) => checkOperation(operation, bytesMax, 'slot')?.definite)
    expect(bySlot).toEqual([true, true, false])
  })

  test('passes an operation that fits the entry budget exactly', () => {
    expect(checkOperation(put('k', 'v'.repeat(100)), 109, 'slot')).toBeNull()
    expect(checkOperation(touch('k', 5), 13, 'slot')).toBeNull()
  })
})
