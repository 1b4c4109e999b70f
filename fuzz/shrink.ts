/** A failing input made smaller while it keeps failing in the same way. */

import { createRandom } from '../actors/kernel/random.ts'
import { execute, witnessOf } from './checks.ts'
import type { Finding } from './slice.ts'
import type { Target } from './target.ts'

const ROUNDS_MAX = 12
const SEED = 1

/** What is wrong with one input, every look taken. */
export const problemOf = (target: Target, bytes: Uint8Array): string | undefined => {
  const random = createRandom(SEED)
  const witness = witnessOf(target, target.example(random))
  return execute(target, bytes, { random, witness, looks: { pieces: true, traces: true, allocation: true } }).problem
}

const kindOf = (problem: string | undefined): string => (problem ?? '').replaceAll(/\d+/g, 'N').slice(0, 40)

export const shrink = (target: Target, { problem, bytes }: Finding): Finding => {
  const kind = kindOf(problem)
  let best = { problem, bytes }
  const attempt = (candidate: Uint8Array): boolean => {
    const found = problemOf(target, candidate)
    if (found === undefined || kindOf(found) !== kind) return false
    best = { problem: found, bytes: candidate }
    return true
  }
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const before = best.bytes.length
    for (let length = Math.ceil(before / 2); length >= 1; length = Math.floor(length / 2)) {
      for (let at = 0; at < best.bytes.length;) {
        const shorter = Buffer.concat([best.bytes.subarray(0, at), best.bytes.subarray(at + length)])
        if (!attempt(Uint8Array.from(shorter))) at += length
      }
    }
    if (best.bytes.length === before) return best
  }
  return best
}
