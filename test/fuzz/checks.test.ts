/** Every check of the fuzz lane fails on a decoder that has the mistake it is there for, and on no decoder of the product's corpus. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { readCorpus } from '../../fuzz/corpus.ts'
import { problemOf, shrink } from '../../fuzz/shrink.ts'
import { runSlice } from '../../fuzz/slice.ts'
import { refused } from '../../fuzz/target.ts'
import { targets } from '../../fuzz/targets.ts'
import { createLocalFiles } from '../../storage/localFiles.ts'
import type { SliceReport } from '../../fuzz/slice.ts'
import type { Outcome, Target } from '../../fuzz/target.ts'

const SEED = Number(process.env['SHARDKV_SEED'] ?? 1)

/** A length and as many bytes. */
const decode = (bytes: Uint8Array): Outcome => {
  const length = bytes[0] ?? 0
  if (bytes.length !== length + 1) return refused('another length than said')
  return { ok: true, shape: `${Math.min(length, 3)}`, again: Uint8Array.from(bytes), value: length }
}
const whole: Target = {
  name: 'sound', share: 1, isCanonical: true, decode,
  example: (random) => Uint8Array.from([4, ...Array.from({ length: 4 }, () => random.uint32() & 0xff)]),
}
const sound: Target = { ...whole, decodePieces: (pieces) => decode(Buffer.concat(pieces)) }

const fuzz = (target: Target, executions = 3_000): SliceReport =>
  runSlice({ target, seed: SEED, corpus: [], executions, trying: () => {} })

describe('the fuzz lane finds a decoder that', () => {
  let calls = 0
  const kept: Uint8Array[] = []
  test.each<readonly [string, Target, RegExp]>([
    ['throws', { ...whole, decode: (bytes) => {
      if (bytes[0] === 200) throw new RangeError('Invalid array length')
      return decode(bytes)
    } }, /throws RangeError: Invalid array length/],
    ['takes what it would not have written', { ...whole, decode: (bytes) => {
      const again = bytes.slice(0, 1 + (bytes[0] ?? 0))
      return { ok: true, shape: '', again }
    } }, /another encoding/],
    ['minds how its input is cut', { ...sound, decodePieces: (pieces) => {
      if (pieces.length > 2) return refused('too many')
      return decode(Buffer.concat(pieces))
    } }, /in pieces of/],
    ['writes to its input', { ...whole, decode: (bytes) => {
      const found = decode(bytes)
      bytes[1] = 7
      return found
    } }, /written to|another encoding/],
    ['remembers what it refused', { ...whole, isCanonical: false, decode: (bytes) => {
      const found = decode(bytes)
      if (!found.ok) calls += 1
      return found.ok ? { ...found, again: Uint8Array.from([...bytes.subarray(0, 1), ...bytes.subarray(1).map(() => calls)]) } : found
    } }, /valid input decodes to something else/],
    ['allocates what the input says', { ...whole, decode: (bytes) => {
      kept[0] = new Uint8Array((bytes[0] ?? 0) * 65_536)
      return decode(bytes)
    } }, /make it allocate/],
  ])('%s', (_, target, problem) => {
    const { problems } = fuzz(target, 20_000)
    expect(problems.map((found) => found.problem)).toEqual(expect.arrayContaining([expect.stringMatching(problem)]))
  })

  test('is sound: finds nothing', () => {
    expect(fuzz(sound).problems).toEqual([])
  })

  test('a finding shrinks to the least that still fails in the same way', () => {
    const target: Target = { ...whole, decode: (bytes) => {
      if (bytes.includes(0x2a)) throw new Error('the answer')
      return refused('no')
    } }
    const bytes = Uint8Array.from([1, 2, 3, 0x2a, 5, 6])
    expect(shrink(target, { problem: 'throws Error: the answer', bytes }).bytes).toEqual(Uint8Array.of(0x2a))
  })
})

describe.each(targets.map((target) => [target.name, target] as const))('the decoder of a %s', (name, target) => {
  test('holds to every check on its corpus, and on a few mutations', async () => {
    const corpus = (await readCorpus(createLocalFiles(), 'test/corpus/fuzz', [name])).get(name) ?? []
    expect(corpus.length).toBeGreaterThan(0)
    expect(corpus.map((bytes) => problemOf(target, bytes)).filter((problem) => problem !== undefined)).toEqual([])
    const { problems, accepted } = runSlice({ target, seed: SEED, corpus, executions: 400, trying: () => {} })
    expect(problems).toEqual([])
    expect(accepted).toBeGreaterThan(10)
  })

  test('makes valid examples, and the same ones from the same seed', () => {
    const examples = (): readonly Uint8Array[] => {
      const random = createRandom(SEED)
      return Array.from({ length: 200 }, () => Uint8Array.from(target.example(random)))
    }
    // Of plain requests, whose headers are drawn one by one, some 46 % are valid; of the others, nearly all.
    expect(examples().filter((bytes) => target.decode(bytes).ok).length).toBeGreaterThan(50)
    expect(examples()).toEqual(examples())
  })
})
