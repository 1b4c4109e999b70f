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
import { performEach } from './each.ts'
import { CodecError, InvalidError, TooLargeError } from './errors.ts'
import { nameOf } from './keyName.ts'
import { callProblem, closeProblem, entryProblem, optionsProblem, writeProblem } from './options.ts'
import { sampledTrace } from './trace.ts'
import type { Consistency } from '../actors/shard/operation.ts'
import type { Client, Stats } from './client.ts'
import type { Codec } from './codec.ts'
import type { ShardKvError } from './errors.ts'
import type { Key, Keys } from './keyName.ts'
import type { CallOptions, CloseOptions, DeleteOptions, IncrementOptions, PutEntry, PutOptions, ReadOptions } from './options.ts'
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
  /**
   * Refuses new calls, waits for what is in flight, lists to their end, says goodbye and closes the connection, of all views. What is still
   * in flight when the time is over, or the signal is aborted, is cut off, each call with its own error, and this rejects with TimeoutError
   * or AbortError.
   */
  readonly close: (options?: CloseOptions) => Promise<void>
  readonly stats: () => Stats
}

export interface KvDefaults {
  readonly timeoutMs: number
  readonly consistency: Consistency
  readonly traceparent?: ReadTraceparent | undefined
}

/** What an operation is, beside what its caller may choose for any call; the caller's choice counts where nothing is said here. */
interface Deed extends Pick<PutOptions, 'partition' | 'ttlMs' | 'ifRevision'> {
  readonly code: OpCode
  readonly bytes?: Uint8Array
  readonly isListed?: boolean
}

type AnyOptions = ReadOptions & PutOptions

/** Of a call without options, which is known by it. */
const none: AnyOptions = {}

export const createKv = <Value>(client: Client, codec: Codec<Value>, defaults: KvDefaults): Kv<Value> => {
  const wrongCodec = codecProblem(codec)
  /**
   * `Result` is what the operation resolves with (call.ts): the caller knows which. Nothing is spread here: that costs more than all the
   * rest of a call.
   */
  const call = <Result>(key: Key, deed: Deed, given: AnyOptions | undefined): Promise<Result> => {
    const options = given ?? none
    const { code, bytes } = deed
    const named = nameOf(key, deed.partition === undefined ? options.partition : deed.partition)
    if (!named.ok) return Promise.reject(named.error)
    const ttlMs = deed.ttlMs === undefined ? options.ttlMs : deed.ttlMs
    const ifRevision = deed.ifRevision === undefined ? options.ifRevision : deed.ifRevision
    const problem = wrongCodec ?? (options === none ? null : optionsProblem(options)) ?? writeProblem(ttlMs, ifRevision)
      ?? valueProblem(client, bytes)
    if (problem !== null) return Promise.reject(problem)
    return new Promise((resolve, reject) => {
      client.submit({
        code,
        name: typeof key === 'string' ? key : named.key,
        key: named.key,
        shard: shardOf(named.hashToken, client.shardCount()),
        value: bytes,
        ifRevision,
        ttlMs,
        consistency: code === OpCode.get ? options.consistency ?? defaults.consistency : 'linearizable',
        decode: codec.decode,
        timeoutMs: options.timeoutMs ?? defaults.timeoutMs,
        signal: options.signal,
        trace: sampledTrace(options.traceparent, defaults.traceparent),
        resolve: resolve as (value: unknown) => void,
        reject,
      }, deed.isListed === true)
    })
  }
  const write = (entry: PutEntry<Value>, options: PutOptions | undefined, isListed = false): Promise<Written> => {
    if (wrongCodec !== null) return Promise.reject(wrongCodec)
    let bytes: Uint8Array
    try {
      bytes = codec.encode(entry.value)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      return Promise.reject(new CodecError(`The value can not be encoded: ${why}.`, { definite: true, cause }))
    }
    // From plain JavaScript anything may come, and what is no array of bytes would be stored as zeros.
    if (!(bytes instanceof Uint8Array)) {
      const message = 'The codec gave no Uint8Array: encode the value to bytes, or use the codec json or text.'
      return Promise.reject(new CodecError(message, { definite: true }))
    }
    const { key, partition, ttlMs, ifRevision } = entry
    return call(key, { code: OpCode.put, bytes, partition, ttlMs, ifRevision, isListed }, options)
  }
  const each = async <Item, Result>(
    items: Iterable<Item>, keyOfItem: (item: Item) => Key, perform: (item: Item, isListed: boolean) => Promise<Result>,
  ): Promise<Outcome<Result>[]> => {
    const problem = listProblem(items)
    if (problem !== null) throw problem
    const isListed = client.isOpen()
    return performEach([...items], { ...client, keyOf: keyOfItem, perform: (item) => perform(item, isListed) })
  }
  const get = (key: Key, options: ReadOptions | undefined, isListed = false): Promise<Entry<Value> | null> =>
    refusalOf(options) ?? call(key, { code: OpCode.get, isListed }, options)
  const del = (key: Key, options: DeleteOptions | undefined, isListed = false): Promise<Written | null> =>
    refusalOf(options) ?? call(key, { code: OpCode.del, isListed }, options)
  return {
    get: (key, options) => get(key, options),
    put: (key, value, options) => refusalOf(options) ?? write({ key, value }, options),
    cas: (key, ifRevision, value, options) =>
      refusalOf(options) ?? missing(ifRevision, 'the revision') ?? write({ key, value, ifRevision }, options),
    del: (key, options) => del(key, options),
    incr: (key, by = 1, options) => {
      const amount = decimalOf(by)
      if (amount === null) return Promise.reject(notWhole())
      return refusalOf(options) ?? call(key, { code: OpCode.incr, bytes: Buffer.from(amount) }, options)
    },
    touch: (key, ttlMs, options) => refusalOf(options) ?? missing(ttlMs, 'ttlMs') ?? call(key, { code: OpCode.touch, ttlMs }, options),
    mget: (keys, options) => each(keys, (key) => key, (key, isListed) => get(key, options, isListed)),
    mput: (entries, options) => each(entries, keyOf, (entry, isListed) => {
      const refusal = refusalOf(options) ?? rejectionOf(itemProblem(entry))
      return refusal ?? write(isPair(entry) ? { key: entry[0], value: entry[1] } : entry, options, isListed)
    }),
    mdel: (keys, options) => each(keys, (key) => key, (key, isListed) => del(key, options, isListed)),
    withCodec: (other) => createKv(client, other, defaults),
    close: (options) => {
      const wish = options ?? {}
      const problem = closeProblem(wish)
      return problem === null ? client.close(wish) : Promise.reject(problem)
    },
    stats: client.stats,
  }
}

const rejectionOf = (problem: ShardKvError | null): Promise<never> | null => (problem === null ? null : Promise.reject(problem))

const refusalOf = (options: CallOptions | undefined): Promise<never> | null => rejectionOf(callProblem(options))

/** Left out in plain JavaScript, a revision to compare with would be none, and the write unconditional. */
const missing = (value: number | undefined, what: string): Promise<never> | null =>
  (value === undefined ? Promise.reject(new InvalidError(`${what} is missing: it is a whole number from 0.`)) : null)

const valueProblem = (client: Client, value: Uint8Array | undefined): ShardKvError | null => {
  if (value === undefined) return null
  const bytesMax = Math.min(VALUE_BYTES_MAX, byteBudget(client.maxPayloadBytes()).valueBytesMax)
  if (value.length <= bytesMax) return null
  return new TooLargeError(`The value has ${value.length} bytes: the limit is ${bytesMax}. Split it over several keys.`)
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

const decimalOf = (by: number | bigint): string | null => {
  if (typeof by === 'number') return Number.isSafeInteger(by) ? String(by) : null
  return typeof by === 'bigint' && by >= INT64_MIN && by <= INT64_MAX ? String(by) : null
}

const notWhole = (): InvalidError =>
  new InvalidError('incr adds a whole number: an integer up to 2^53-1, or a signed 64-bit bigint.')

const isPair = <Value>(entry: PutEntry<Value> | readonly [Key, Value]): entry is readonly [Key, Value] => Array.isArray(entry)

const keyOf = <Value>(entry: PutEntry<Value> | readonly [Key, Value]): Key => {
  if (isPair(entry)) return entry[0]
  return isObject(entry) ? entry.key : ''
}

/** Options that stand as a third element would be none, and the key one that never expires. */
const itemProblem = <Value>(entry: PutEntry<Value> | readonly [Key, Value]): InvalidError | null => {
  if (!isPair(entry)) return isObject(entry) ? entryProblem(entry) : new InvalidError('An entry of mput is [key, value] or { key, value }.')
  if ((entry as readonly unknown[]).length === 2) return null
  return new InvalidError('An entry of mput is [key, value]; with options write { key, value, ttlMs }.')
}

const isObject = (entry: unknown): boolean => typeof entry === 'object' && entry !== null

const listProblem = (items: unknown): InvalidError | null => {
  const isKey = typeof items === 'string' || items instanceof Uint8Array
  if (!isKey && typeof (items as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function') return null
  return new InvalidError('What was given is no list of keys, and for mput no list of entries: one key is written as ["user42"].')
}
