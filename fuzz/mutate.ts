/**
 * Changes to a valid encoding. Half of them aim at fields: a place whose value could be the length or count of what follows it, or a place
 * of two, four or eight bytes that takes a number at one of its ends; the other half are blind.
 */

import { between, chance } from '../actors/kernel/random.ts'
import { one } from './draw.ts'
import type { Random } from '../actors/kernel/random.ts'

/** No input is longer. */
export const INPUT_BYTES_MAX = 4_096

export interface Seed {
  readonly bytes: Uint8Array
  readonly fields: readonly Field[]
}

interface Field { readonly at: number; readonly width: 1 | 2 | 4; readonly isLittle: boolean }

const FIELDS_MAX = 64
const ENDS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff] as const

/** Finds what looks like a length: a number no greater than the bytes behind it. */
export const seedOf = (bytes: Uint8Array): Seed => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const fields: Field[] = []
  for (let at = 0; at < bytes.length && fields.length < FIELDS_MAX; at += 1) {
    for (const width of [1, 2, 4] as const) {
      const left = bytes.length - at - width
      if (left < 0) continue
      for (const isLittle of [false, true]) {
        const value = numberAt(view, { at, width, isLittle })
        if (value > 0 && value <= left && (width === 1 || value < 0x100 ** width)) fields.push({ at, width, isLittle })
      }
    }
  }
  return { bytes, fields }
}

const numberAt = (view: DataView, { at, width, isLittle }: Field): number => {
  if (width === 1) return view.getUint8(at)
  return width === 2 ? view.getUint16(at, isLittle) : view.getUint32(at, isLittle)
}

const setNumber = (view: DataView, { at, width, isLittle }: Field, value: number): void => {
  if (width === 1) view.setUint8(at, value & 0xff)
  else if (width === 2) view.setUint16(at, value & 0xffff, isLittle)
  else view.setUint32(at, value >>> 0, isLittle)
}

type Change = (random: Random, bytes: Uint8Array, seed: Seed, other: Seed) => Uint8Array

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
const place = (random: Random, bytes: Uint8Array): number => between(random, 0, bytes.length)

const field: Change = (random, bytes, seed) => {
  const chosen = seed.fields[between(random, 0, seed.fields.length - 1)]
  if (chosen === undefined || chosen.at + chosen.width > bytes.length) return bytes
  const view = viewOf(bytes)
  const value = numberAt(view, chosen)
  setNumber(view, chosen, one(random, [value + 1, value - 1, value * 2, 0, between(random, 0, 300), one(random, ENDS)]))
  return bytes
}

const number: Change = (random, bytes) => {
  const width = one(random, [1, 2, 4] as const)
  if (bytes.length < width) return bytes
  const at = between(random, 0, bytes.length - width)
  setNumber(viewOf(bytes), { at, width, isLittle: chance(random, 0.5) }, one(random, ENDS))
  return bytes
}

const flip: Change = (random, bytes) => {
  const at = between(random, 0, bytes.length - 1)
  if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << between(random, 0, 7))
  return bytes
}

const replace: Change = (random, bytes) => {
  const at = between(random, 0, bytes.length - 1)
  if (bytes.length > 0) bytes[at] = random.uint32() & 0xff
  return bytes
}

const truncate: Change = (random, bytes) => Uint8Array.from(bytes.subarray(0, place(random, bytes)))

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const result = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    result.set(part, at)
    at += part.length
  }
  return result.length > INPUT_BYTES_MAX ? result.slice(0, INPUT_BYTES_MAX) : result
}

const remove: Change = (random, bytes) => {
  const from = place(random, bytes)
  return joined(bytes.subarray(0, from), bytes.subarray(from + between(random, 1, 9)))
}

const repeat: Change = (random, bytes) => {
  const from = place(random, bytes)
  const to = Math.min(bytes.length, from + between(random, 1, 40))
  return joined(bytes.subarray(0, to), bytes.subarray(from, to), bytes.subarray(to))
}

const insert: Change = (random, bytes) => {
  const at = place(random, bytes)
  const noise = Uint8Array.from({ length: between(random, 1, 6) }, () => random.uint32() & 0xff)
  return joined(bytes.subarray(0, at), noise, bytes.subarray(at))
}

const splice: Change = (random, bytes, _, other) =>
  joined(bytes.subarray(0, place(random, bytes)), other.bytes.subarray(place(random, other.bytes)))

const changes: readonly Change[] = [field, field, field, field, number, number, flip, replace, truncate, remove, repeat, insert, splice]

export interface MutateOptions { readonly seed: Seed; readonly other: Seed; readonly words: readonly Uint8Array[] }

/** A changed copy: one change, seldom many. */
export const mutate = (random: Random, { seed, other, words }: MutateOptions): Uint8Array => {
  let bytes = Uint8Array.from(seed.bytes)
  do {
    if (words.length > 0 && chance(random, 0.4)) {
      const at = place(random, bytes)
      const skip = chance(random, 0.5) ? between(random, 0, 6) : 0
      bytes = joined(bytes.subarray(0, at), one(random, words), bytes.subarray(at + skip)) as typeof bytes
    } else bytes = one(random, changes)(random, bytes, seed, other) as typeof bytes
  } while (chance(random, 0.4))
  return bytes
}
