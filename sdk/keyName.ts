/** From the key a caller writes to its full name and its shard (bus/keys.ts has the rules of names). */

import { tokensOfKey } from '../bus/keys.ts'
import { isBroken } from './brokenText.ts'
import { InvalidError, TooLargeError } from './errors.ts'
import type { ShardKvError } from './errors.ts'

/** Text stands for its UTF-8 bytes. */
export type Key = string | Uint8Array

/** Of mget and mdel. A text is no list, although one can go through its characters. */
export type Keys = Iterable<Key> & { readonly charAt?: never }

export type KeyName =
  | { readonly ok: true; readonly key: string; readonly hashToken: string }
  | { readonly ok: false; readonly error: ShardKvError }

// eslint-disable-next-line no-control-regex
const ascii = /^[\u0000-\u007f]*$/

/** Bytes as a binary string, one character per byte. */
export const binaryOf = (key: Key): string => {
  if (typeof key !== 'string') return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
  return ascii.test(key) ? key : Buffer.from(key).toString('latin1')
}

/** The full name is `{partition}key`; without the option it may be written so by hand. */
export const nameOf = (key: Key, partition: string | undefined): KeyName => {
  if (typeof key !== 'string' && !(key instanceof Uint8Array)) {
    return { ok: false, error: new InvalidError(`A key is text or a Uint8Array, not ${typeof key}.`) }
  }
  const binary = binaryOf(key)
  if (partition !== undefined && typeof partition !== 'string') {
    return { ok: false, error: new InvalidError(`A partition is text, not ${typeof partition}.`) }
  }
  if (partition !== undefined && (partition === '' || partition.includes('}'))) {
    return { ok: false, error: new InvalidError('A partition is not empty and contains no }.') }
  }
  // What is all ASCII is as it was, and whole.
  if ((typeof key === 'string' && binary !== key && isBroken(key)) || (partition !== undefined && isBroken(partition))) {
    return { ok: false, error: new InvalidError('The key holds half of a surrogate pair, which has no UTF-8: give its bytes.') }
  }
  const name = partition === undefined ? binary : `{${binaryOf(partition)}}${binary}`
  const tokens = tokensOfKey(name)
  if (tokens.ok) return { ok: true, key: name, hashToken: tokens.hashToken }
  const message = `The key can not be used: ${tokens.reason}.`
  return { ok: false, error: tokens.isTooLarge === true ? new TooLargeError(message) : new InvalidError(message) }
}
