/** The parts of the SDK that need no cluster: names, codecs, options, the window of a session, pauses. */

import fc from 'fast-check'
import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { backoffMs } from '../../sdk/backoff.ts'
import { bytes, json, text } from '../../sdk/codec.ts'
import { binaryOf, nameOf } from '../../sdk/keyName.ts'
import { SESSION_WINDOW } from '../../sdk/limits.ts'
import { optionsProblem, writeProblem } from '../../sdk/options.ts'
import { completeSequence, createSession, hasRoom, isSettled, takeSequence } from '../../sdk/session.ts'

describe('a key', () => {
  test.each([
    ['plain text', 'user42', undefined, 'user42'],
    ['text of two bytes a character', 'é', undefined, '\u00c3\u00a9'],
    ['bytes', Uint8Array.of(0, 255, 65), undefined, '\u0000\u00ffA'],
    ['a part of a buffer', Uint8Array.of(1, 65, 66, 2).subarray(1, 3), undefined, 'AB'],
    ['one in a partition', 'email', 'user42', '{user42}email'],
    ['one with its partition written out', '{user42}email', undefined, '{user42}email'],
  ])('of %s has one full name', (_what, key, partition, name) => {
    expect(nameOf(key, partition)).toMatchObject({ ok: true, key: name })
  })

  test.each([
    ['nothing', '', undefined, 'INVALID'], ['a brace without its partition', '{x', undefined, 'INVALID'],
    ['an empty partition', 'k', '', 'INVALID'], ['a partition with a brace', 'k', 'a}b', 'INVALID'],
    ['more than 1,024 bytes', 'x'.repeat(1_025), undefined, 'TOO_LARGE'],
  ])('of %s is refused', (_what, key, partition, code) => {
    expect(nameOf(key, partition)).toMatchObject({ ok: false, error: { code, definite: true } })
  })

  test('of text is that of its UTF-8 bytes', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      expect(binaryOf(key)).toBe(binaryOf(new TextEncoder().encode(key)))
    }))
  })
})

describe('a codec', () => {
  test('gives back what it was given', () => {
    fc.assert(fc.property(fc.uint8Array(), fc.string({ unit: 'grapheme' }), fc.jsonValue(), (raw, words, value) => {
      expect(bytes.decode(bytes.encode(raw))).toEqual(raw)
      expect(text.decode(text.encode(words))).toBe(words)
      const codec = json<unknown>()
      expect(codec.decode(codec.encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }))
  })

  test('keeps no view of the network\'s buffer', () => {
    const view = Uint8Array.of(1, 2)
    const value = bytes.decode(view)
    view.fill(9)
    expect(value).toEqual(Uint8Array.of(1, 2))
  })

  test('refuses what it can not mean', () => {
    expect(() => bytes.encode('text' as unknown as Uint8Array)).toThrow(/withCodec/)
    expect(() => text.encode(5 as unknown as string)).toThrow(/string/)
    expect(() => json().encode(undefined)).toThrow(/JSON/)
    expect(() => text.decode(Uint8Array.of(0xff))).toThrow(/encoded data/)
  })
})

describe('options', () => {
  test.each([
    ['timeoutMs', optionsProblem({ timeoutMs: 0 })], ['timeoutMs', optionsProblem({ timeoutMs: 1.5 })],
    ['timeoutMs', optionsProblem({ timeoutMs: 300_001 })], ['ttlMs', writeProblem(-1, undefined)], ['ttlMs', writeProblem(1e12, undefined)],
    ['revision', writeProblem(undefined, -1)], ['revision', writeProblem(undefined, Number.NaN)],
    ['consistency', optionsProblem({ consistency: 'eventual' as 'stale' })],
  ])('of a bad %s are refused', (name, problem) => {
    expect(problem?.message).toContain(name)
  })

  test('of good numbers pass', () => {
    expect(optionsProblem({ timeoutMs: 1, consistency: 'lease' })).toBeNull()
    expect(optionsProblem({})).toBeNull()
    expect([writeProblem(0, 0), writeProblem(undefined, undefined)]).toEqual([null, null])
  })
})

describe('the window of a session', () => {
  test('has its mark at the first sequence whose caller knows nothing, whatever the order of completion', () => {
    fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 3_000 }), fc.integer({ min: 0, max: 2 ** 31 }), (steps, seed) => {
      const random = createRandom(seed)
      const session = createSession('00000000000000aa')
      const open: number[] = []
      for (const isTake of steps) {
        if (isTake && hasRoom(session)) open.push(takeSequence(session))
        else if (open.length > 0) completeSequence(session, open.splice(random.uint32() % open.length, 1)[0] ?? 0)
        expect(session.firstIncomplete).toBe(Math.min(session.next, ...open))
        expect(session.next - session.firstIncomplete).toBeLessThanOrEqual(SESSION_WINDOW)
        expect(isSettled(session)).toBe(open.length === 0)
      }
    }), { numRuns: 30 })
  })

  test('is full at 1,024, and stays so while the first is open', () => {
    const session = createSession('00000000000000aa')
    for (let i = 0; i < SESSION_WINDOW; i += 1) takeSequence(session)
    expect(hasRoom(session)).toBe(false)
    for (let sequence = 2; sequence <= SESSION_WINDOW; sequence += 1) completeSequence(session, sequence)
    expect(hasRoom(session)).toBe(false)
    completeSequence(session, 1)
    expect([hasRoom(session), session.firstIncomplete]).toEqual([true, SESSION_WINDOW + 1])
  })
})

describe('a pause', () => {
  test('is drawn from nothing up to a maximum that doubles, and never below what was asked for', () => {
    const random = createRandom(1)
    const drawn = (failures: number, floorMs?: number): number[] => Array.from({ length: 500 }, () => backoffMs(random, failures, floorMs))
    expect(Math.max(...drawn(0))).toBeLessThanOrEqual(10)
    expect(Math.max(...drawn(3))).toBeGreaterThan(60)
    expect(Math.max(...drawn(3))).toBeLessThanOrEqual(80)
    expect(Math.max(...drawn(40))).toBeLessThanOrEqual(250)
    expect(Math.min(...drawn(1))).toBeLessThan(2)
    expect(Math.min(...drawn(0, 500))).toBeGreaterThanOrEqual(500)
  })
})
