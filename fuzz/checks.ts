/**
 * What every execution is held to.
 *
 * - Nothing is thrown: a documented error is a refusal already (Target.decode).
 * - What decodes encodes again: to the same bytes where there is one encoding, else to bytes that decode and encode to themselves.
 * - Fed in pieces of any length, the result is the same.
 * - The input is not written to, and a refusal leaves no trace: a valid input still decodes to what it did before.
 * - Memory is bounded by the input: ALLOCATION_BASE and so many times its length, whether it is refused or not.
 *
 * The last two are looked at on a sample. How many steps an input takes is counted apart (fuzz/steps.ts).
 */

import { getHeapStatistics } from 'node:v8'
import { between } from '../actors/kernel/random.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Outcome, Target } from './target.ts'

/** Bytes that a decoder may allocate whatever it is given: the engine's own, and what the target says of its buffers. */
const ALLOCATION_BASE = 16 * 1_024
const ALLOCATION_FACTOR = 128
const ALLOCATION_TRIES = 4

export interface Execution {
  /** Tells kinds of outcomes apart: an input with a new one is worth keeping. */
  readonly signature: string
  readonly isAccepted: boolean
  readonly problem?: string
}

export interface Looks {
  readonly pieces: boolean
  readonly traces: boolean
  readonly allocation: boolean
}

export interface Witness { readonly bytes: Uint8Array; readonly expected: string }

export interface CheckOptions {
  readonly random: Random
  readonly looks: Looks
  readonly witness: Witness
}

export const execute = (target: Target, bytes: Uint8Array, { random, looks, witness }: CheckOptions): Execution => {
  const before = looks.traces ? Uint8Array.from(bytes) : undefined
  let outcome: Outcome
  try {
    outcome = target.decode(bytes)
  } catch (error) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { signature: 'throws', isAccepted: false, problem: `throws ${what}` }
  }
  const signature = signatureOf(outcome)
  const problem = identityProblem(target, bytes, outcome)
    ?? (looks.pieces ? piecesProblem(target, bytes, { random, outcome }) : undefined)
    ?? (before === undefined ? undefined : traceProblem(target, bytes, { before, witness }))
    ?? (looks.allocation ? allocationProblem(target, bytes) : undefined)
  return problem === undefined ? { signature, isAccepted: outcome.ok } : { signature, isAccepted: outcome.ok, problem }
}

/** Reasons without what differs from input to input. */
export const signatureOf = (outcome: Outcome): string => (outcome.ok ? `ok ${outcome.shape}`
  : `refused ${outcome.reason.replaceAll(/"[^"]*"/g, '""').replaceAll(/\d+/g, 'N').slice(0, 80)}`)

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const identityProblem = (target: Target, bytes: Uint8Array, outcome: Outcome): string | undefined => {
  if (!outcome.ok || outcome.again === undefined) return undefined
  const { again } = outcome
  if (isSame(again, bytes)) return undefined
  if (target.isCanonical) return 'has another encoding than the one it was decoded from'
  const second = target.decode(again)
  if (!second.ok) return `what it decodes to encodes to bytes that are refused: ${second.reason}`
  return second.again !== undefined && isSame(second.again, again) ? undefined : 'its encoding is not stable'
}

const textOf = (outcome: Outcome): string => {
  if (!outcome.ok) return `refused ${outcome.reason}`
  const { shape, again, value } = outcome
  return `${shape} ${again === undefined ? JSON.stringify(value) : Buffer.from(again).toString('hex')}`
}

interface PiecesContext { readonly random: Random; readonly outcome: Outcome }

const piecesProblem = ({ decodePieces }: Target, bytes: Uint8Array, { random, outcome }: PiecesContext): string | undefined => {
  if (decodePieces === undefined) return undefined
  const longest = between(random, 1, Math.max(1, Math.ceil(bytes.length / between(random, 1, 8))))
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + between(random, 0, longest))
    pieces.push(Uint8Array.from(bytes.subarray(at, end)))
    at = end
  }
  const inPieces = decodePieces(pieces)
  const [whole, cut] = [textOf(outcome), textOf(inPieces)]
  return whole === cut ? undefined
    : `in pieces of ${pieces.map(({ length }) => length).join(' ')} it is ${cut.slice(0, 200)}, whole ${whole.slice(0, 200)}`
}

interface TraceContext { readonly before: Uint8Array; readonly witness: Witness }

const traceProblem = (target: Target, bytes: Uint8Array, { before, witness }: TraceContext): string | undefined => {
  if (!isSame(before, bytes)) return 'the input was written to'
  return textOf(target.decode(witness.bytes)) === witness.expected ? undefined : 'after it a valid input decodes to something else'
}

export const witnessOf = (target: Target, bytes: Uint8Array): Witness => ({ bytes, expected: textOf(target.decode(bytes)) })

const usedBytes = (): number => {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

/** The least of a few tries: collections and compilation are not the input's. */
const allocationProblem = (target: Target, bytes: Uint8Array): string | undefined => {
  const bound = ALLOCATION_BASE + (target.scratchBytes ?? 0) + ALLOCATION_FACTOR * bytes.length
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < ALLOCATION_TRIES && least > bound; attempt += 1) {
    const before = usedBytes()
    target.decode(bytes)
    least = Math.min(least, usedBytes() - before)
  }
  return least <= bound ? undefined : `${bytes.length} bytes make it allocate ${least}, above the bound of ${bound}`
}
