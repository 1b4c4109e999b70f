/** The small parts of the kernel: the laws of the seeded generator, then assertions, the system clock and the silent logger. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { between, chance, createRandom, fraction, hex64, pick, shuffle } from '../../../actors/kernel/random.ts'
import { AssertionError, assert, must } from '../../../actors/kernel/assert.ts'
import { createSystemClock } from '../../../actors/kernel/systemClock.ts'
import { silentLogger } from '../../../actors/kernel/log.ts'

describe('the random generator', () => {
  test('gives the same sequence for the same seed, and another for another', () => {
    const draw = (seed: number): number[] => {
      const random = createRandom(seed)
      return Array.from({ length: 8 }, () => random.uint32())
    }
    expect(draw(42)).toEqual(draw(42))
    expect(draw(42)).not.toEqual(draw(43))
    expect(draw(2 ** 40 + 42)).not.toEqual(draw(42))
  })

  test('draws integers from both ends of the range and nothing outside', () => {
    const random = createRandom(1)
    const drawn = new Set(Array.from({ length: 500 }, () => between(random, 3, 6)))
    expect([...drawn].sort()).toEqual([3, 4, 5, 6])
  })

  test('shuffles without losing or inventing an item, and picks only what is there', () => {
    fc.assert(fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
      const random = createRandom(seed)
      expect([...shuffle(random, items)].sort()).toEqual([...items].sort())
      const picked = pick(random, items)
      if (items.length === 0) expect(picked).toBeUndefined()
      else expect(items).toContain(picked)
    }))
  })

  test('is about as often true as asked', () => {
    const random = createRandom(7)
    const hits = Array.from({ length: 10_000 }, () => chance(random, 0.3)).filter(Boolean).length
    expect(hits).toBeGreaterThan(2_700)
    expect(hits).toBeLessThan(3_300)
    expect(fraction(random)).toBeLessThan(1)
    expect(hex64(random)).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe('assertions', () => {
  test('throw a typed error that says what was expected', () => {
    expect(() => assert(false, 'the term only grows')).toThrow(AssertionError)
    expect(() => must(undefined, 'a leader is known')).toThrow('a leader is known')
    expect(must(0, 'zero is a value')).toBe(0)
  })
})

describe('the system clock', () => {
  test('runs timers and deferred work, and a cancelled timer never', async () => {
    const clock = createSystemClock()
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      clock.after(1, () => seen.push('cancelled'))()
      clock.defer(() => seen.push('deferred'))
      clock.after(5, () => {
        seen.push('timer')
        resolve()
      })
    })
    expect(seen).toEqual(['deferred', 'timer'])
    expect(clock.wall()).toBeGreaterThan(1_600_000_000_000)
    expect(clock.now()).toBeGreaterThan(0)
  })
})

describe('the silent logger', () => {
  test('swallows every level and stays silent in its children', () => {
    const child = silentLogger.child({ actor: 'test' })
    for (const level of ['error', 'warn', 'info', 'debug', 'trace'] as const) child[level]({}, 'nothing')
    expect(child).toBe(silentLogger)
  })
})
