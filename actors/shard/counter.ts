/**
 * Counters: values that are signed 64-bit decimals in ASCII, in their one canonical form (`0`, `-7`, `42`; no sign `+`, no leading
 * zeros, no `-0`).
 */

import { textOfBytes } from './bytes.ts'

const DIGITS_MAX = 19
const canonical = /^(?:0|-?[1-9][0-9]{0,18})$/
/** Decimals this short are exact as numbers, and so is the sum of two. */
const EXACT_LENGTH_MAX = 15
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/** The decimal's text, or null when `bytes` is not a canonical signed 64-bit decimal. */
export const decimalOf = (bytes: Uint8Array): string | null => (bytes.length > DIGITS_MAX + 1 ? null : decimalIn(textOfBytes(bytes)))

/** The same for a binary string. */
export const decimalIn = (text: string): string | null => {
  if (text.length > DIGITS_MAX + 1) return null
  if (!canonical.test(text)) return null
  return text.length <= EXACT_LENGTH_MAX || isInt64(BigInt(text)) ? text : null
}

/** The sum of two canonical decimals, or null when it does not fit in 64 bits. */
export const addDecimals = (a: string, b: string): string | null => {
  if (a.length <= EXACT_LENGTH_MAX && b.length <= EXACT_LENGTH_MAX) return String(Number(a) + Number(b))
  const sum = BigInt(a) + BigInt(b)
  return isInt64(sum) ? sum.toString() : null
}

const isInt64 = (value: bigint): boolean => value >= INT64_MIN && value <= INT64_MAX
