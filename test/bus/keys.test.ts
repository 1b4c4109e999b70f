/** Keys and their tokens: one key, one spelling. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeToken, encodeToken, keyOfTokens, tokensOfKey } from '../../bus/keys.ts'

const binaryString = (constraints: { minLength: number; maxLength: number }): fc.Arbitrary<string> =>
  fc.uint8Array(constraints).map((bytes) => Buffer.from(bytes).toString('latin1'))

describe('encoding a key as a token', () => {
  test.each([
    ['user42', 'user42'],
    ['a.b', 'a%2Eb'],
    ['A-z_0=/~:@+,', 'A-z_0=/~:@+,'],
    [' *>', '%20%2A%3E'],
    ['\x00\xff', '%00%FF'],
    ['100%', '100%25'],
    ['{x', '%7Bx'],
    ['caf\xc3\xa9', 'caf%C3%A9'],
  ])('writes %j as %s and reads it back', (key, token) => {
    expect(encodeToken(key)).toBe(token)
    expect(decodeToken(token)).toEqual({ ok: true, key })
  })

  test('is undone by decoding, for any bytes', () => {
    fc.assert(fc.property(binaryString({ minLength: 1, maxLength: 200 }), (key) => {
      const token = encodeToken(key)
      expect(token).toMatch(/^[A-Za-z0-9_\-=/~:@+,%]+$/)
      expect(decodeToken(token)).toEqual({ ok: true, key })
    }))
  })

  test('has no second spelling: whatever decodes is what encoding gives', () => {
    const nearlyToken = fc.array(fc.constantFrom('%', '2', 'E', 'e', 'F', '0', 'a', '.', '4', '1', '~', 'é', ' '), { maxLength: 8 })
    fc.assert(fc.property(nearlyToken.map((parts) => parts.join('')), (token) => {
      const decoded = decodeToken(token)
      if (decoded.ok) expect(encodeToken(decoded.key)).toBe(token)
    }), { numRuns: 2_000 })
  })

  test.each([
    ['lower-case hex', '%2e', /upper-case/],
    ['a needless escape', '%41', /written as it is/],
    ['an escape cut short', 'a%2', /two upper-case/],
    ['an escape of nothing', '%', /two upper-case/],
    ['no hex', '%ZZ', /two upper-case/],
    ['half hex', '%2Z', /two upper-case/],
    ['a stray blank', 'a b', /percent-encode the character at 1/],
    ['a stray star', '*', /percent-encode/],
    ['a character beyond bytes', 'é€', /percent-encode/],
    ['nothing', '', /at least one byte/],
  ])('refuses %s', (_name, token, reason) => {
    const decoded = decodeToken(token)
    expect(decoded.ok).toBe(false)
    expect(decoded).toMatchObject({ reason: expect.stringMatching(reason) })
  })
})

describe('the full name of a key', () => {
  test.each([
    ['one token', ['user42'], 'user42', 'user42'],
    ['a partition', ['user42', 'email'], '{user42}email', 'user42'],
    ['an encoded partition', ['a%2Eb', 'c%2Ed'], '{a.b}c.d', 'a%2Eb'],
    ['a brace that opens inside', ['a%7Bb', '%7Bc%7D'], '{a{b}{c}', 'a%7Bb'],
    ['a brace later in a plain key', ['a%7Bb%7D'], 'a{b}', 'a%7Bb%7D'],
  ])('reads %s and writes it back', (_name, tokens, key, hashToken) => {
    expect(keyOfTokens(tokens)).toEqual({ ok: true, key })
    expect(tokensOfKey(key)).toEqual({ ok: true, tokens: tokens.join('.'), hashToken })
  })

  test('has one home: names and tokens translate into each other exactly', () => {
    const token = binaryString({ minLength: 1, maxLength: 30 }).map(encodeToken)
    fc.assert(fc.property(fc.array(token, { minLength: 1, maxLength: 2 }), (tokens) => {
      const named = keyOfTokens(tokens)
      if (named.ok) expect(tokensOfKey(named.key)).toMatchObject({ ok: true, tokens: tokens.join('.'), hashToken: tokens[0] })
    }))
    fc.assert(fc.property(binaryString({ minLength: 1, maxLength: 30 }), (key) => {
      const built = tokensOfKey(key)
      if (built.ok) expect(keyOfTokens(built.tokens.split('.'))).toEqual({ ok: true, key })
      else expect(key.startsWith('{')).toBe(true)
    }))
  })

  test.each([
    ['a one-token key that looks like a partition', ['%7Ba%7Db'], /names a partition/],
    ['a partition with a closing brace', ['a%7D', 'b'], /contains no }/],
    ['a partition that is no token', ['%zz', 'b'], /^partition: /],
    ['a key that is no token', ['a', '%zz'], /two upper-case/],
    ['no token at all', [], /at least one byte/],
    ['a key of 1,025 bytes', ['k'.repeat(1_025)], /at most 1024/],
    ['a name of 1,025 bytes with its partition', ['p'.repeat(500), 'k'.repeat(523)], /at most 1024/],
  ])('refuses %s', (_name, tokens, reason) => {
    expect(keyOfTokens(tokens)).toMatchObject({ ok: false, reason: expect.stringMatching(reason) })
  })

  test.each([
    ['an unclosed partition', '{abc'],
    ['an empty partition', '{}abc'],
    ['a partition without a key', '{abc}'],
  ])('is not %s', (_name, key) => {
    expect(tokensOfKey(key)).toMatchObject({ ok: false, reason: expect.stringMatching(/partition/) })
  })

  test('has 1 to 1,024 bytes', () => {
    expect(tokensOfKey('').ok).toBe(false)
    expect(tokensOfKey('k'.repeat(1_024)).ok).toBe(true)
    expect(tokensOfKey('k'.repeat(1_025)).ok).toBe(false)
    expect(keyOfTokens(['k'.repeat(1_024)]).ok).toBe(true)
  })
})
