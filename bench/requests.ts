/**
 * One question: how many raw NATS requests a second, and how long does one take, with so many in flight? 16-byte keys out of KEYS,
 * 128-byte values, no SDK: what any NATS client gets.
 *
 * A closed loop: each answer starts the next request. Keys come from a seeded generator, so that two runs ask the same.
 */

import { createRandom, between } from '../actors/kernel/random.ts'
import { requestSubject } from '../bus/subjects.ts'
import type { Bus, Inbound } from '../bus/port.ts'

export const KEYS = 100_000
const VALUE_BYTES = 128
const KEY_DIGITS = 12
const REQUEST_TIMEOUT_MS = 5_000

export interface Measurement {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers other than OK (or NOT_FOUND for a get), and requests without an answer. */
  readonly failures: number
}

export interface Question {
  readonly op: 'put' | 'get'
  readonly inFlight: number
  readonly durationMs: number
  readonly seed: number
}

/** `key-000000004711`: 16 bytes. */
const keyName = (n: number): string => `key-${String(n).padStart(KEY_DIGITS, '0')}`

export const measure = (bus: Bus, prefix: string, question: Question): Promise<Measurement> => new Promise((resolve) => {
  const random = createRandom(question.seed)
  const value = question.op === 'put' ? new Uint8Array(VALUE_BYTES).fill(0x78) : new Uint8Array(0)
  const latencies: number[] = []
  const startedAt = performance.now()
  const endsAt = startedAt + question.durationMs
  let failures = 0
  let inFlight = 0
  const ask = (): void => {
    const built = requestSubject(prefix, question.op, keyName(between(random, 0, KEYS - 1)))
    if (!built.ok) throw new Error(built.reason)
    const askedAt = performance.now()
    inFlight += 1
    bus.request(built.subject, value, { timeoutMs: REQUEST_TIMEOUT_MS }, (_failure, answer) => {
      const now = performance.now()
      inFlight -= 1
      if (isSuccess(question.op, answer)) latencies.push(now - askedAt)
      else failures += 1
      if (now < endsAt) ask()
      else if (inFlight === 0) resolve(summarize(latencies, failures, now - startedAt))
    })
  }
  for (let i = 0; i < question.inFlight; i += 1) ask()
})

const isSuccess = (op: Question['op'], answer: Inbound | null): boolean => {
  const status = answer?.headers?.get('Kv-Status')
  return status === 'OK' || (op === 'get' && status === 'NOT_FOUND')
}

const summarize = (latencies: number[], failures: number, ms: number): Measurement => {
  const sorted = Float64Array.from(latencies).sort()
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { perSecond: sorted.length / (ms / 1_000), p50Ms: at(0.5), p99Ms: at(0.99), failures }
}

/** The run whose rate is the middle one. */
export const medianOf = (runs: readonly Measurement[]): Measurement | undefined =>
  runs.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(runs.length / 2)]
