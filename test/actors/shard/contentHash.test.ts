/** The hash of what a request asks for: the same for each attempt of one write, another for any other write, and the same for ever. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { UNKNOWN_CONTENT, contentHashOf } from '../../../actors/shard/contentHash.ts'
import { del, incr, inSession, operations, put, touch } from './entries.ts'
import type { Operation } from '../../../actors/shard/operation.ts'

/** All that differ from the first, and from each other, in one thing. */
const different: Readonly<Record<string, Operation>> = {
  'a put': put('key', 'value'),
  'another operation': incr('key', 'value'),
  'an operation without a value': del('key'),
  'another key': put('kez', 'value'),
  'a longer key': put('keyv', 'alue'),
  'another value': put('key', 'valuf'),
  'an empty value': put('key', ''),
  'a value with a byte more': put('key', 'value\u0000'),
  'a condition': put('key', 'value', { ifRevision: 0 }),
  'another condition': put('key', 'value', { ifRevision: 1 }),
  'a condition beyond 32 bits': put('key', 'value', { ifRevision: 2 ** 32 + 1 }),
  'a time to live': put('key', 'value', { ttlMs: 1 }),
  'a time to live that clears another': put('key', 'value', { ttlMs: 0 }),
  'a touch': touch('key', 1),
  'a touch that clears': touch('key', 0),
  'an incr without a value': incr('key'),
}

describe('the hash of what is asked', () => {
  test('is another one for whatever is another write', () => {
    const hashes = new Map(Object.entries(different).map(([what, operation]) => [contentHashOf(operation), what]))
    expect([...hashes.values()]).toEqual(Object.keys(different))
  })

  test.each([37, 255, 256, 1_029])('is another one when any byte of %i differs, or two words have changed places', (length) => {
    const value = Array.from({ length }, (_, i) => String.fromCharCode((i * 37) % 256)).join('')
    const hashes = new Set([contentHashOf(put('k', value))])
    for (let at = 0; at < value.length; at += 1) {
      for (const bit of [1, 128]) {
        const changed = String.fromCharCode(value.charCodeAt(at) ^ bit)
        hashes.add(contentHashOf(put('k', value.slice(0, at) + changed + value.slice(at + 1))))
      }
    }
    hashes.add(contentHashOf(put('k', value.slice(4, 8) + value.slice(0, 4) + value.slice(8))))
    expect(hashes.size).toBe(1 + 2 * value.length + 1)
  })

  /** Mistakes look alike: the next number, the next name. Of so many a pair would meet once in 340 trials. */
  test('meets another one no more often than by chance, where contents are much alike', () => {
    const alike: readonly ((i: number) => Operation)[] = [
      (i) => put('k', String(i)), (i) => put(`user-${i}`, 'v'), (i) => incr('k', '1', { ifRevision: i }),
      (i) => put('order', `{"id":${i},"note":"${'x'.repeat(300)}","total":${i * 7}}`),
    ]
    for (const make of alike) {
      const hashes = new Set(Array.from({ length: 5_000 }, (_, i) => contentHashOf(make(i))))
      expect(hashes.size).toBeGreaterThanOrEqual(4_999)
    }
  })

  test('is the same for every attempt: under whatever identity, and with a time to live that was reckoned anew', () => {
    const hash = contentHashOf(put('k', 'v', { ttlMs: 5_000, ifRevision: 3 }))
    for (const identity of [{ requestId: 'r' }, inSession(1, 2), inSession(1, 2, 2), { ttlMs: 4_000 }]) {
      expect(contentHashOf(put('k', 'v', { ttlMs: 5_000, ifRevision: 3, ...identity }))).toBe(hash)
    }
  })

  test('is the same for an increment by one, spelled or not: doors differ in that', () => {
    expect(contentHashOf(incr('n'))).toBe(contentHashOf(incr('n', '1')))
  })

  test('is the same whatever buffer the value lies in', () => {
    const bytes = Uint8Array.from({ length: 512 }, (_, i) => i)
    for (const length of [21, 301]) {
      for (let at = 0; at < 8; at += 1) {
        const value = bytes.subarray(at, at + length)
        expect(contentHashOf({ ...put('k', ''), value })).toBe(contentHashOf({ ...put('k', ''), value: value.slice() }))
      }
    }
  })

  test('is a signed integer of 32 bits, and never what stands for an unknown one', () => {
    fc.assert(fc.property(operations, (operation) => {
      const hash = contentHashOf(operation)
      expect(hash).toBe(hash | 0)
      expect(hash).not.toBe(UNKNOWN_CONTENT)
    }))
  })

  /** It stands in snapshots: were it made in another way, every repetition across an upgrade would be refused. */
  test('is what it always was', () => {
    const golden = [put('a', 'value'), incr('n'), del('k', { ifRevision: 7 }), touch('{p}k', 9), put('', 'x'.repeat(1_000))]
    expect(golden.map(contentHashOf)).toEqual([509_017_579, 2_123_546_350, -988_962_455, -2_093_402_601, -1_108_389_404])
  })
})
