/**
 * How values become bytes and back. `bytes` is the default; `text` and `json` are the usual others; anything with `encode` and
 * `decode` will do.
 */

import { isBroken } from './brokenText.ts'
import { InvalidError } from './errors.ts'
import { copyOfValue } from './shortValues.ts'

export interface Codec<Value> {
  /** The bytes are read until the write's promise settles: whoever changes them before that may change what is written, or make it fail. */
  readonly encode: (value: Value) => Uint8Array
  /** The bytes are those of the network buffer, valid during the call only: copy what you keep. */
  readonly decode: (bytes: Uint8Array) => Value
}

/** What is no codec, as plain JavaScript may hand in; null when it is one. */
export const codecProblem = (codec: unknown): InvalidError | null => {
  const { encode, decode } = (codec ?? {}) as Partial<Codec<unknown>>
  if (typeof encode === 'function' && typeof decode === 'function') return null
  return new InvalidError('A codec has the functions encode and decode: bytes, text, or json(), which is called.')
}

const encoder = new TextEncoder()
/** Strict: bytes that are no UTF-8 are an error, never a replacement character. A byte order mark is part of a text, not of JSON. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const jsonDecoder = new TextDecoder('utf-8', { fatal: true })

/** Values as they are. The `buffer` of one that was read may hold others, too: like a Buffer it begins at `byteOffset`. */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => {
    if (!(value instanceof Uint8Array)) throw new TypeError('a value is a Uint8Array; for others choose a codec: kv.withCodec(text)')
    return value
  },
  decode: copyOfValue,
}

/** Strings as UTF-8. */
export const text: Codec<string> = {
  encode: (value) => {
    if (typeof value !== 'string') throw new TypeError('a value of the text codec is a string')
    if (isBroken(value)) throw new TypeError('the text holds half of a surrogate pair, which has no UTF-8')
    return encoder.encode(value)
  },
  decode: (view) => decoder.decode(view),
}

/** Values as JSON. The type is the caller's word: what is read is not checked against it. */
export const json = <Value>(): Codec<Value> => ({
  encode: (value) => {
    const encoded = JSON.stringify(value) as string | undefined
    if (encoded === undefined) throw new TypeError('the value has no JSON form')
    return encoder.encode(encoded)
  },
  decode: (view) => JSON.parse(jsonDecoder.decode(view)) as Value,
})
