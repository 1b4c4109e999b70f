/**
 * What a program holds: the operations on keys, for values of one type. Views made by `withCodec` share the connection.
 *
 * A call checks what needs no cluster, encodes its value, and becomes one Call object with one promise (call.ts); everything after that
 * is the client's (client.ts). Nothing here throws: what is wrong rejects the promise.
 */

import { OpCode, VALUE_BYTES_MAX } from '../actors/shard/operation.ts'
import { byteBudget } from '../bus/budget.ts'
import { shardOf } from '../topology/hash.ts'
import { codecProblem } from './codec.ts'
import { CodecError, InvalidError, TooLargeError } from './errors.ts'
import { nameOf } from './keyName.ts'
import { MULTI_OPERATIONS_MAX } from './limits.ts'
import { entryProblem, optionsProblem } from './options.ts'
import { sampledTrace } from './trace.ts'
import { ShardKvError } from './errors.ts'
import type { Consistency } from '../actors/shard/operation.ts'
import type { Client, Stats } from './client.ts'
import type { Codec } from './codec.ts'
import type { Key, Keys } from './keyName.ts'
import type { CallOptions, DeleteOptions, IncrementOptions, PutEntry, PutOptions, ReadOptions } from './options.ts'
import type { Outcome } from './outcome.ts'
import type { ReadTraceparent } from './trace.ts'

/** What a read found. */
export interface Entry<Value> {
  /** As it was asked for; one given as bytes is a binary string, one character per byte. */
  readonly key: string
  readonly value: Value
  /** Grows with every change: the token to compare and set with. */
  readonly revision: number
  /** What the read got. */
  readonly consistency: Consistency
}

export interface Written {
  readonly revision: number
}

export interface Counted {
  /** The new value: a signed 64-bit integer, which a `number` holds exactly only up to 2^53-1. */
  readonly value: bigint
  readonly revision: number
}

export interface Kv<Value> {
  /** Null: there is no such key. */
  readonly get: (key: Key, options?: ReadOptions) => Promise<Entry<Value> | null>
  readonly put: (key: Key, value: Value, options?: PutOptions) => Promise<Written>
  /** Writes only when the key has this revision (0: does not exist); rejects with ConflictError, which has the current one. */
  readonly cas: (key: Key, revision: number, value: Value, options?: Omit<PutOptions, 'ifRevision'>) => Promise<Written>
  /** Null: there was no such key. */
  readonly del: (key: Key, options?: DeleteOptions) => Promise<Written | null>
  /** Adds to a counter, exactly once however often it has to be sent; a key that is missing counts as 0. */
  readonly incr: (key: Key, by?: number | bigint, options?: IncrementOptions) => Promise<Counted>
  /** Sets the time to live and keeps the value; 0: for ever. Null: there is no such key. */
  readonly touch: (key: Key, ttlMs: number, options?: CallOptions) => Promise<Written | null>
  /** One outcome for each key, in order; rejects what is no list. `resultsOf` makes results of them. Each key is its own operation. */
  readonly mget: (keys: Keys, options?: ReadOptions) => Promise<Outcome<Entry<Value> | null>[]>
  readonly mput: (entries: Iterable<PutEntry<Value> | readonly [Key, Value]>, options?: CallOptions) => Promise<Outcome<Written>[]>
  readonly mdel: (keys: Keys, options?: CallOptions) => Promise<Outcome<Written | null>[]>
  /** The same connection for values of another type. */
  readonly withCodec: <Other>(codec: Codec<Other>) => Kv<Other>
  /** Refuses new calls, waits for what is in flight, says goodbye and closes the connection, of all views. */
  readonly close: () => Promise<void>
  readonly stats: () => Stats
}

export interface KvDefaults {
  readonly timeoutMs: number
  readonly consistency: Consistency
  readonly traceparent?: ReadTraceparent | undefined
}

interface Wish extends PutOptions, ReadOptions {
  readonly code: OpCode
  readonly bytes?: Uint8Array
}

export const createKv = <Value>(client: Client, codec: Codec<Value>, defaults: KvDefaults): Kv<Value> => {
  const wrongCodec = codecProblem(codec)
  /** `Result` is what the operation resolves with (call.ts): the caller knows which. */
  const call = <Result>(key: Key, wish: Wish): Promise<Result> => {
    const named = nameOf(key, wish.partition)
    if (!named.ok) return Promise.reject(named.error)
    const problem = wrongCodec ?? optionsProblem(wish) ?? valueProblem(client, wish.bytes)
    if (problem !== null) return Promise.reject(problem)
    return new Promise((resolve, reject) => {
      client.submit({
        code: wish.code,
        name: typeof key === 'string' ? key : named.key,
        key: named.key,
        shard: shardOf(named.hashToken, client.shardCount()),
        value: wish.bytes,
        ifRevision: wish.ifRevision,
        ttlMs: wish.ttlMs,
        consistency: wish.code === OpCode.get ? wish.consistency ?? defaults.consistency : 'linearizable',
        decode: codec.decode,
        timeoutMs: wish.timeoutMs ?? defaults.timeoutMs,
        signal: wish.signal,
        trace: sampledTrace(wish.traceparent, defaults.traceparent),
        resolve: resolve as (value: unknown) => void,
        reject,
      })
    })
  }
  const put = (key: Key, value: Value, options: PutOptions = {}): Promise<Written> => {
    if (wrongCodec !== null) return Promise.reject(wrongCodec)
    let bytes: Uint8Array
    try {
      bytes = codec.encode(value)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      return Promise.reject(new CodecError(`The value can not be encoded: ${why}.`, { definite: true, cause }))
    }
    // From plain JavaScript anything may come, and what is no array of bytes would be stored as zeros.
    if (!(bytes instanceof Uint8Array)) {
      const message = 'The codec gave no Uint8Array: encode the value to bytes, or use the codec json or text.'
      return Promise.reject(new CodecError(message, { definite: true }))
    }
    return call(key, { ...options, code: OpCode.put, bytes })
  }
  const putEntry = (entry: PutEntry<Value>, options: CallOptions): Promise<Written> => {
    const problem = entryProblem(entry)
    return problem === null ? put(entry.key, entry.value, { ...options, ...writeOptionsOf(entry) }) : Promise.reject(problem)
  }
  const get: Kv<Value>['get'] = (key, options = {}) => call(key, { ...options, code: OpCode.get })
  const del: Kv<Value>['del'] = (key, options = {}) => call(key, { ...options, code: OpCode.del })
  return {
    get,
    put,
    cas: (key, revision, value, options = {}) => put(key, value, { ...options, ifRevision: revision }),
    del,
    incr: (key, by = 1, options = {}) => {
      const amount = decimalOf(by)
      if (amount === null) return Promise.reject(notWhole())
      return call(key, { ...options, code: OpCode.incr, bytes: Buffer.from(amount) })
    },
    touch: (key, ttlMs, options = {}) => call(key, { ...options, ttlMs, code: OpCode.touch }),
    mget: (keys, options = {}) => inSlices(keys, (key) => key, (key) => get(key, options)),
    mput: (entries, options = {}) => inSlices(entries, keyOf, (entry) =>
      (isPair(entry) ? put(entry[0], entry[1], options) : putEntry(entry, options))),
    mdel: (keys, options = {}) => inSlices(keys, (key) => key, (key) => del(key, options)),
    withCodec: (other) => createKv(client, other, defaults),
    close: client.close,
    stats: client.stats,
  }
}

const valueProblem = (client: Client, value: Uint8Array | undefined): ShardKvError | null => {
  if (value === undefined) return null
  const bytesMax = Math.min(VALUE_BYTES_MAX, byteBudget(client.maxPayloadBytes()).valueBytesMax)
  return value.length <= bytesMax ? null : new TooLargeError(`The value has ${value.length} bytes: the limit is ${bytesMax}.`)
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

const decimalOf = (by: number | bigint): string | null => {
  if (typeof by === 'number') return Number.isSafeInteger(by) ? String(by) : null
  return by >= INT64_MIN && by <= INT64_MAX ? String(by) : null
}

const notWhole = (): InvalidError =>
  new InvalidError('incr adds a whole number: an integer up to 2^53-1, or a signed 64-bit bigint.')

const isPair = <Value>(entry: PutEntry<Value> | readonly [Key, Value]): entry is readonly [Key, Value] => Array.isArray(entry)

const keyOf = <Value>(entry: PutEntry<Value> | readonly [Key, Value]): Key => (isPair(entry) ? entry[0] : entry.key)

const writeOptionsOf = <Value>({ partition, ttlMs, ifRevision }: PutEntry<Value>): PutOptions =>
  ({ ...(partition === undefined ? {} : { partition }), ttlMs, ifRevision })

const listProblem = (items: unknown): InvalidError | null => {
  const isKey = typeof items === 'string' || items instanceof Uint8Array
  if (!isKey && typeof (items as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function') return null
  return new InvalidError('What was given is no list of keys, and for mput no list of entries: one key is written as ["user42"].')
}

/** A slice at a time, so that a long list neither fills the connection's limits nor fails for it. */
const inSlices = async <Item, Result>(
  items: Iterable<Item>, keyOfItem: (item: Item) => Key, perform: (item: Item) => Promise<Result>,
): Promise<Outcome<Result>[]> => {
  const problem = listProblem(items)
  if (problem !== null) throw problem
  const list = [...items]
  const outcomes: Outcome<Result>[] = []
  for (let from = 0; from < list.length; from += MULTI_OPERATIONS_MAX) {
    const slice = list.slice(from, from + MULTI_OPERATIONS_MAX)
    outcomes.push(...await Promise.all(slice.map((item) => outcomeOf(keyOfItem(item), perform(item)))))
  }
  return outcomes
}

const outcomeOf = async <Result>(key: Key, performed: Promise<Result>): Promise<Outcome<Result>> => {
  try {
    return { ok: true, key, result: await performed }
  } catch (error) {
    if (error instanceof ShardKvError) return { ok: false, key, error }
    throw error
  }
}
