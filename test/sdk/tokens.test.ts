/** Tokens for where answers come to. */

import { expect, test } from '@jest/globals'
import { createTokens } from '../../sdk/tokens.ts'

const MANY = 2_000

test('tokens are 16 hex digits, and none is given twice', () => {
  const newToken = createTokens()
  const tokens = Array.from({ length: MANY }, newToken)
  expect(tokens.every((token) => /^[0-9a-f]{16}$/.test(token))).toBe(true)
  expect(new Set(tokens).size).toBe(MANY)
})

test('all of a block is given, in order, and then a new one is drawn', () => {
  let drawn = 0
  const newToken = createTokens((block) => {
    drawn += 1
    for (let at = 0; at < block.length; at += 8) block.writeBigUInt64BE(BigInt(drawn * 1_000 + at / 8), at)
  })
  const tokens = Array.from({ length: 513 }, newToken)
  expect(drawn).toBe(2)
  expect(tokens.map((token) => Number(`0x${token}`))).toEqual([...Array.from({ length: 512 }, (_, i) => 1_000 + i), 2_000])
})

test('connections do not share their tokens', () => {
  expect(createTokens()()).not.toBe(createTokens()())
})
