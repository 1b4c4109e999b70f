/** Signed 64-bit decimals. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { bytesOfText } from '../../../actors/shard/bytes.ts'
import { addDecimals, decimalOf } from '../../../actors/shard/counter.ts'

const MAX = '9223372036854775807'
const MIN = '-9223372036854775808'

describe('a counter', () => {
  test.each(['0', '7', '-7', '10', MAX, MIN])('is the canonical decimal %s', (decimal) => {
    expect(decimalOf(bytesOfText(decimal))).toBe(decimal)
  })

  test.each([
    '', '-', '-0', '+1', '01', '-01', ' 1', '1.0', '1e3', 'x', '9223372036854775808', '-9223372036854775809',
    '1'.repeat(21), '1'.repeat(40),
  ])('is not %p', (other) => {
    expect(decimalOf(bytesOfText(other))).toBeNull()
  })

  const sums: readonly (readonly [string, string, string | undefined])[] = [
    ['0', '1', '1'],
    ['5', '-5', '0'],
    ['-3', '-4', '-7'],
    ['999999999999999', '999999999999999', '1999999999999998'],
    ['9007199254740993', '1', '9007199254740994'],
    [MAX, '0', MAX],
    [MAX, '1', undefined],
    [MIN, '-1', undefined],
    [MIN, MAX, '-1'],
  ]
  test.each(sums)('%s + %s is %s', (a, b, sum) => {
    expect(addDecimals(a, b) ?? undefined).toBe(sum)
  })

  test('adds like arbitrary precision does, or overflows', () => {
    const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    fc.assert(fc.property(int64, int64, (a, b) => {
      const expected = BigInt.asIntN(64, a + b) === a + b ? String(a + b) : undefined
      expect(addDecimals(String(a), String(b)) ?? undefined).toBe(expected)
    }))
  })
})
