/**
 * Bytes and binary strings without Buffer, so that the core also runs in a browser.
 *
 * Integers up to 2^53 - 1 are two little-endian 32-bit words, low first; the high word stays below 2^21.
 */

import type { BinaryText } from '../kernel/nodeText.ts'

const HIGH_WORD = 0x1_0000_0000
const HIGH_WORD_MAX = 0x1f_ffff

/** Up to this many characters are made in one call; V8 limits the arguments of a call. */
const CHARACTERS_PER_CALL_MAX = 1_024

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const writeSafeInteger = (view: DataView, offset: number, value: number): void => {
  view.setUint32(offset, value % HIGH_WORD, true)
  view.setUint32(offset + 4, Math.floor(value / HIGH_WORD), true)
}

/** The integer, or -1 when it is above 2^53 - 1. */
export const readSafeInteger = (view: DataView, offset: number): number => {
  const high = view.getUint32(offset + 4, true)
  return high > HIGH_WORD_MAX ? -1 : high * HIGH_WORD + view.getUint32(offset, true)
}

const portable: BinaryText = {
  write: (bytes, offset, text, length = text.length) => {
    for (let i = 0; i < length; i += 1) bytes[offset + i] = text.charCodeAt(i)
  },
  read: (bytes, offset, length) => {
    let text = ''
    for (let at = offset; at < offset + length; at += CHARACTERS_PER_CALL_MAX) {
      const end = Math.min(at + CHARACTERS_PER_CALL_MAX, offset + length)
      text += String.fromCharCode.apply(null, bytes.subarray(at, end) as unknown as number[])
    }
    return text
  },
  bytesOf: (text) => {
    const bytes = new Uint8Array(text.length)
    portable.write(bytes, 0, text)
    return bytes
  },
  passingBytesOf: (text, length = text.length) => {
    const bytes = new Uint8Array(length)
    portable.write(bytes, 0, text, length)
    return bytes
  },
}

let binaryText = portable

/** A shell whose host does the same faster says so, once (kernel/nodeText.ts); test/actors/shard/bytes.test.ts holds them equal. */
export const useBinaryText = (faster: BinaryText): void => {
  binaryText = faster
}

/** One byte per character, all of them or the first ones. Characters above 255 never come here: `checkOperation` refuses them. */
export const writeBinaryString = (bytes: Uint8Array, offset: number, text: string, length = text.length): void =>
  binaryText.write(bytes, offset, text, length)

export const readBinaryString = (bytes: Uint8Array, offset: number, length: number): string => binaryText.read(bytes, offset, length)

export const bytesOfText = (text: string): Uint8Array => binaryText.bytesOf(text)

/** For an answer, which leaves with the turn. */
export const passingBytesOfText = (text: string, length = text.length): Uint8Array => binaryText.passingBytesOf(text, length)

export const textOfBytes = (bytes: Uint8Array): string => readBinaryString(bytes, 0, bytes.length)

/** Sixteen lower-case hex digits as eight bytes. Parsed only where they are not the last ones: the writes of an entry share a session. */
export const writeHex64 = (view: DataView, offset: number, hex: string): void => {
  if (hex !== lastWritten.text) {
    lastWritten = { high: Number.parseInt(hex.slice(0, 8), 16), low: Number.parseInt(hex.slice(8), 16), text: hex }
  }
  view.setUint32(offset, lastWritten.high)
  view.setUint32(offset + 4, lastWritten.low)
}

/**
 * The text is made anew only where it is not the last of its place: a session's name stands in every write under it, and one that is new
 * each time has to be put together, and hashed by whoever looks it up.
 */
export const readHex64 = (view: DataView, offset: number): string => {
  const high = view.getUint32(offset)
  const low = view.getUint32(offset + 4)
  const place = low % REMEMBERED_NAMES
  const known = remembered[place]
  if (known?.high === high && known.low === low) return known.text
  const text = hex32(high) + hex32(low)
  remembered[place] = { high, low, text }
  return text
}

const hex32 = (word: number): string => word.toString(16).padStart(8, '0')

interface Name {
  readonly high: number
  readonly low: number
  readonly text: string
}

const REMEMBERED_NAMES = 1_024
const remembered: (Name | undefined)[] = Array.from({ length: REMEMBERED_NAMES })
let lastWritten: Name = { high: 0, low: 0, text: '0000000000000000' }
