/**
 * So many executions of one decoder, drawn from a seed: the same slice makes the same inputs, whoever runs it. It starts from the corpus
 * and drawn examples, and keeps every input whose outcome it has not seen yet as one more to start from.
 */

import { chance, createRandom } from '../actors/kernel/random.ts'
import { execute, witnessOf } from './checks.ts'
import { one } from './draw.ts'
import { mutate, seedOf } from './mutate.ts'
import { utf8 } from './target.ts'
import type { Seed } from './mutate.ts'
import type { Target } from './target.ts'

export const EXECUTIONS_PER_SLICE = 5_000
const EXAMPLES = 24
const POOL_MAX = 400
const FRESH_SHARE = 0.02
const MEND_SHARE = 0.8
const PIECES_EVERY = 2
const TRACES_EVERY = 64
const ALLOCATION_EVERY = 64
const PROBLEMS_MAX = 3

export interface SliceInput {
  readonly target: Target
  readonly seed: number
  readonly corpus: readonly Uint8Array[]
  readonly executions: number
  /** Told every input before it is tried. */
  readonly trying: (bytes: Uint8Array) => void
}

export interface Finding { readonly problem: string; readonly bytes: Uint8Array }

export interface SliceReport {
  readonly executions: number
  readonly accepted: number
  readonly problems: readonly Finding[]
  /** The first input of every outcome. */
  readonly signatures: ReadonlyMap<string, Uint8Array>
  readonly slowest: Uint8Array
}

export const runSlice = ({ target, seed, corpus, executions, trying }: SliceInput): SliceReport => {
  const random = createRandom(seed)
  const examples = Array.from({ length: EXAMPLES }, () => target.example(random))
  const pool: Seed[] = [...corpus, ...examples].map(seedOf)
  const witness = witnessOf(target, one(random, examples))
  const words = (target.words ?? []).map((word) => (typeof word === 'string' ? utf8(word) : word))
  const signatures = new Map<string, Uint8Array>()
  const problems: Finding[] = []
  let accepted = 0
  let slowest: Uint8Array = new Uint8Array(0)
  let slowestMs = 0

  const inputOf = (turn: number): Uint8Array => {
    const given = pool[turn]
    if (given !== undefined && turn < corpus.length + EXAMPLES) return given.bytes
    if (chance(random, FRESH_SHARE)) return target.example(random)
    const bytes = mutate(random, { seed: one(random, pool), other: one(random, pool), words })
    if (target.mend !== undefined && chance(random, MEND_SHARE)) target.mend(bytes)
    return bytes
  }
  for (let turn = 0; turn < executions && problems.length < PROBLEMS_MAX; turn += 1) {
    const bytes = inputOf(turn)
    const looks = {
      pieces: turn % PIECES_EVERY === 0, traces: turn % TRACES_EVERY === 0, allocation: turn % ALLOCATION_EVERY === 0,
    }
    trying(bytes)
    const startedAt = performance.now()
    const { signature, isAccepted, problem } = execute(target, bytes, { random, looks, witness })
    const tookMs = performance.now() - startedAt
    if (isAccepted) accepted += 1
    if (tookMs > slowestMs && !looks.traces && !looks.allocation) {
      slowestMs = tookMs
      slowest = bytes
    }
    if (problem !== undefined) problems.push({ problem, bytes })
    if (signatures.has(signature)) continue
    signatures.set(signature, bytes)
    if (pool.length < POOL_MAX) pool.push(seedOf(bytes))
  }
  return { executions, accepted, problems, signatures, slowest }
}
