/** What a caller may choose for one call, and the checks that need no cluster. */

import { TTL_MS_MAX } from '../actors/shard/operation.ts'
import { InvalidError } from './errors.ts'
import { TIMEOUT_MS_MAX } from './limits.ts'
import { nearestName } from './nearestName.ts'
import { isSignal } from './signals.ts'
import type { Consistency } from '../actors/shard/operation.ts'
import type { Key } from './keyName.ts'

export interface CallOptions {
  /** All keys of a partition share a shard; the key's full name is `{partition}key`. */
  readonly partition?: string | undefined
  /** How long the call and its repetitions may take, 1 to 300,000 ms; default: the connection's. */
  readonly timeoutMs?: number | undefined
  /** Aborting it rejects the call with AbortError, which says whether the operation may have happened. */
  readonly signal?: AbortSignal | undefined
  /** The trace that it belongs to (W3C Trace Context); default: what the connection's `traceparent` says. Only a sampled one is sent. */
  readonly traceparent?: string | undefined
}

export interface ReadOptions extends CallOptions {
  /** `linearizable`: the latest value. `lease`: the same on the word of the leader's clock, a little sooner. `stale`: any replica's. */
  readonly consistency?: Consistency | undefined
}

export interface DeleteOptions extends CallOptions {
  /** Only when the key has this revision. */
  readonly ifRevision?: number | undefined
}

export interface PutOptions extends CallOptions {
  /** Milliseconds until the key expires, up to ten years; left out or 0: never. */
  readonly ttlMs?: number | undefined
  /** Only when the key has this revision; 0: only when it does not exist. */
  readonly ifRevision?: number | undefined
}

export interface IncrementOptions extends CallOptions {
  /** Milliseconds until the key expires; left out: as before; 0: never. */
  readonly ttlMs?: number | undefined
}

export interface CloseOptions {
  /** How long the connection waits for what is in flight, 1 to 300,000 ms; default: until all of it has ended, by its own timeouts. */
  readonly timeoutMs?: number | undefined
  /** Aborting it ends the waiting. */
  readonly signal?: AbortSignal | undefined
}

/** A write of `mput`. */
export interface PutEntry<Value> extends Pick<PutOptions, 'partition' | 'ttlMs' | 'ifRevision'> {
  readonly key: Key
  readonly value: Value
}

/** Of all operations: what one of them has no use for is left to the types. */
const callNames = ['partition', 'timeoutMs', 'signal', 'traceparent', 'consistency', 'ttlMs', 'ifRevision'] as const
const closeNames = ['timeoutMs', 'signal'] as const
const entryNames = ['key', 'value', 'partition', 'ttlMs', 'ifRevision'] as const

/** A misspelt option would be no option: `{ ttl: 60 }` a key that never expires, and so would be 60 alone. */
export const namesProblem = (given: object, names: readonly string[]): InvalidError | null => {
  if (typeof given !== 'object') return new InvalidError('Options are an object, such as { timeoutMs: 1000 }.')
  for (const name in given) if (!names.includes(name)) return unknownName(name, names)
  return null
}

/** Of what a caller gave to one call, before anything is put beside it: most calls have no options, and cost nothing here. */
export const callProblem = (options: CallOptions | undefined): InvalidError | null =>
  (options === undefined ? null : namesProblem(options, callNames))

const NAME_CHARACTERS_MAX = 40

const unknownName = (name: string, names: readonly string[]): InvalidError => {
  const near = nearestName(name, names)
  const advice = near === null ? `There are ${names.join(', ')}.` : `Is it ${near}?`
  return new InvalidError(`There is no option "${name.slice(0, NAME_CHARACTERS_MAX)}". ${advice}`)
}

export const closeProblem = (options: CloseOptions): InvalidError | null => namesProblem(options, closeNames) ?? optionsProblem(options)

export const entryProblem = (entry: object): InvalidError | null => namesProblem(entry, entryNames)

const isWhole = (value: number | undefined, min: number, max: number): boolean =>
  value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)

export const writeProblem = (ttlMs: number | undefined, ifRevision: number | undefined): InvalidError | null => {
  if (!isWhole(ttlMs, 0, TTL_MS_MAX)) return new InvalidError(`ttlMs is a whole number from 0 to ${TTL_MS_MAX}.`)
  return isWhole(ifRevision, 0, Number.MAX_SAFE_INTEGER) ? null : new InvalidError('A revision is a whole number from 0.')
}

/** What is wrong with the values of a call's options, beside those of writes, or null. */
export const optionsProblem = (options: Pick<ReadOptions, 'timeoutMs' | 'consistency' | 'signal'>): InvalidError | null => {
  const { timeoutMs, consistency, signal } = options
  if (!isWhole(timeoutMs, 1, TIMEOUT_MS_MAX)) return new InvalidError(`timeoutMs is a whole number from 1 to ${TIMEOUT_MS_MAX}.`)
  if (signal !== undefined && !isSignal(signal)) return new InvalidError('signal is an AbortSignal: controller.signal, not the controller.')
  if (consistency === undefined || consistencies.includes(consistency)) return null
  return new InvalidError(`consistency is ${consistencies.join(', ')}.`)
}

const consistencies: readonly Consistency[] = ['linearizable', 'lease', 'stale']
