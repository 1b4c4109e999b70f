/**
 * Keys and the subject tokens that carry them.
 *
 * A key is any bytes, held as a binary string (one character per byte). In a subject it is one token: bytes outside
 * `A-Za-z0-9_-=/~:@+,` are percent-encoded with upper-case hex. Exactly one encoding of a key is accepted (RFC 3986, section
 * 6.2.2 calls it the normal form): the broker hashes the token, so a second spelling would be a second home for one key.
 *
 * A key in a partition has the full name `{partition}key`. The partition contains no `}` and a key without a partition does not
 * start with `{`, so a full name reads in one way only.
 */

import { KEY_BYTES_MAX } from '../actors/shard/operation.ts'

export interface KeyRefusal {
  readonly ok: false
  readonly reason: string
  /** A limit is passed; otherwise the name can not be meant. */
  readonly isTooLarge?: true
}

export type TokenResult = { readonly ok: true; readonly key: string } | KeyRefusal

/** A full name as the tokens that stand for it in a subject; the hash token decides the shard. */
export type KeyTokens =
  | { readonly ok: true; readonly tokens: string; readonly hashToken: string }
  | KeyRefusal

const PERCENT = 0x25
const OPEN_BRACE = 0x7b
const plainToken = /^[A-Za-z0-9_\-=/~:@+,]+$/
const HEX = '0123456789ABCDEF'

const isPlainCode: readonly boolean[] = Array.from({ length: 256 }, (_, code) => plainToken.test(String.fromCharCode(code)))

/** Every byte's canonical form: itself, or `%` and two upper-case hex digits. */
const encodedByte: readonly string[] = isPlainCode.map((isPlain, code) =>
  isPlain ? String.fromCharCode(code) : `%${HEX.charAt(code >> 4)}${HEX.charAt(code & 15)}`)

/** The canonical token of a binary string. Characters above 255 are not bytes: only the low byte would survive, so none may occur. */
export const encodeToken = (key: string): string => {
  if (plainToken.test(key)) return key
  let token = ''
  for (let i = 0; i < key.length; i += 1) token += encodedByte[key.charCodeAt(i) & 0xff] ?? ''
  return token
}

/** The binary string a token stands for, or why it is not the canonical token of any. */
export const decodeToken = (token: string): TokenResult => {
  if (plainToken.test(token)) return { ok: true, key: token }
  if (token === '') return refuse('a key has at least one byte')
  let key = ''
  for (let i = 0; i < token.length; i += 1) {
    const code = token.charCodeAt(i)
    if (code !== PERCENT) {
      if (isPlainCode[code] !== true) return refuse(`a key's token holds A-Za-z0-9_-=/~:@+, and %XX; percent-encode the character at ${i}`)
      key += token.charAt(i)
      continue
    }
    const byte = byteOfEscape(token, i + 1)
    if (byte < 0) return refuse(`the escape at ${i} is not % and two upper-case hex digits`)
    if (isPlainCode[byte] === true) return refuse(`the escape at ${i} stands for a character that is written as it is`)
    key += String.fromCharCode(byte)
    i += 2
  }
  return { ok: true, key }
}

const byteOfEscape = (token: string, at: number): number => {
  const high = HEX.indexOf(token.charAt(at))
  const low = HEX.indexOf(token.charAt(at + 1))
  return at + 1 < token.length && high >= 0 && low >= 0 ? high * 16 + low : -1
}

/** The full name from one token (`key`) or two (`partition`, `key`), as they stand in a request's subject. */
export const keyOfTokens = (tokens: readonly string[]): TokenResult => {
  const last = decodeToken(tokens[tokens.length - 1] ?? '')
  if (!last.ok) return last
  if (tokens.length === 1) {
    return last.key.charCodeAt(0) === OPEN_BRACE ? refuse(PARTITION_HINT) : withinLimit(last.key)
  }
  const partition = decodeToken(tokens[0] ?? '')
  if (!partition.ok) return refuse(`partition: ${partition.reason}`)
  if (partition.key.includes('}')) return refuse('a partition contains no }, or two subjects would name one key')
  return withinLimit(`{${partition.key}}${last.key}`)
}

/** The tokens of a full name, or why it is not one: the inverse of `keyOfTokens`. */
export const tokensOfKey = (key: string): KeyTokens => {
  const limited = withinLimit(key)
  if (!limited.ok) return limited
  if (key.charCodeAt(0) !== OPEN_BRACE) {
    const token = encodeToken(key)
    return { ok: true, tokens: token, hashToken: token }
  }
  const close = key.indexOf('}')
  if (close < 2 || close === key.length - 1) return refuse(PARTITION_HINT)
  const hashToken = encodeToken(key.slice(1, close))
  return { ok: true, tokens: `${hashToken}.${encodeToken(key.slice(close + 1))}`, hashToken }
}

const PARTITION_HINT = 'a key that starts with { names a partition: write {partition}key, sent as <op>.<partition>.<key>'

const withinLimit = (key: string): TokenResult => {
  if (key === '') return refuse('a key has at least one byte')
  if (key.length <= KEY_BYTES_MAX) return { ok: true, key }
  return { ok: false, reason: `a key has at most ${KEY_BYTES_MAX} bytes, this one ${key.length}`, isTooLarge: true }
}

const refuse = (reason: string): KeyRefusal => ({ ok: false, reason })
