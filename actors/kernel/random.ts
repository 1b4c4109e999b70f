/**
 * The randomness port. A core gets a generator in its input and draws from it; nothing else is random.
 *
 * `createRandom` is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, one addition chain, the same sequence on
 * every engine, which is what a replayable simulator needs. Not for secrets.
 */

export interface Random {
  /** The next unsigned 32-bit integer. */
  readonly uint32: () => number
}

export const createRandom = (seed: number): Random => {
  let a = 0x9e3779b9 ^ (seed >>> 0)
  let b = 0x243f6a88 ^ Math.floor(seed / 0x1_0000_0000)
  let c = 0xb7e15162
  let counter = 1
  const uint32 = (): number => {
    const result = (a + b + counter) >>> 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + result | 0
    return result
  }
  for (let warmUp = 0; warmUp < 12; warmUp += 1) uint32()
  return { uint32 }
}

/** A fraction in [0, 1). */
export const fraction = (random: Random): number => random.uint32() / 0x1_0000_0000

/** An integer in [min, max], both ends included. */
export const between = (random: Random, min: number, max: number): number =>
  min + Math.floor(fraction(random) * (max - min + 1))

/** True with probability `p`. */
export const chance = (random: Random, p: number): boolean => fraction(random) < p

/** One of `items`; undefined only for an empty list. */
export const pick = <T>(random: Random, items: readonly T[]): T | undefined =>
  items[between(random, 0, items.length - 1)]

/** A new list with the same items in random order (Fisher-Yates). */
export const shuffle = <T>(random: Random, items: readonly T[]): T[] => {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = between(random, 0, i)
    const swapped = result[i] as T
    result[i] = result[j] as T
    result[j] = swapped
  }
  return result
}

/** 16 lower-case hex digits: a boot id, a cluster id. */
export const hex64 = (random: Random): string =>
  random.uint32().toString(16).padStart(8, '0') + random.uint32().toString(16).padStart(8, '0')
