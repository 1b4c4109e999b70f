/** Entries, operations and generators of both, for the shard's tests. */

import fc from 'fast-check'
import { applyEntry, ignoreChanges } from '../../../actors/shard/apply.ts'
import { encodeBatch } from '../../../actors/shard/batch.ts'
import { bytesOfText } from '../../../actors/shard/bytes.ts'
import { OpCode } from '../../../actors/shard/operation.ts'
import { openRestore } from '../../../actors/shard/restore.ts'
import { openSnapshot } from '../../../actors/shard/snapshotCodec.ts'
import { createState } from '../../../actors/shard/state.ts'
import { EntryKind } from '../../../actors/raft/protocol.ts'
import type { Entry } from '../../../actors/raft/protocol.ts'
import type { Operation, OperationResult } from '../../../actors/shard/operation.ts'
import type { ShardState } from '../../../actors/shard/state.ts'

export const text = (bytes: Uint8Array | undefined): string | undefined =>
  (bytes === undefined ? undefined : String.fromCharCode(...bytes))

export const put = (key: string, value: string, more: Partial<Operation> = {}): Operation =>
  ({ code: OpCode.put, key, value: bytesOfText(value), ...more })
export const get = (key: string): Operation => ({ code: OpCode.get, key })
export const del = (key: string, more: Partial<Operation> = {}): Operation => ({ code: OpCode.del, key, ...more })
export const incr = (key: string, delta?: string, more: Partial<Operation> = {}): Operation =>
  ({ code: OpCode.incr, key, ...(delta === undefined ? {} : { value: bytesOfText(delta) }), ...more })
export const touch = (key: string, ttlMs: number, more: Partial<Operation> = {}): Operation => ({ code: OpCode.touch, key, ttlMs, ...more })

export const client = (n: number): string => n.toString(16).padStart(16, '0')
export const inSession = (n: number, sequence: number, firstIncomplete = 1): Pick<Operation, 'session'> =>
  ({ session: { client: client(n), sequence, firstIncomplete } })
export const open = (n: number): Operation => ({ code: OpCode.openSession, key: '', ...inSession(n, 1) })
export const close = (n: number): Operation => ({ code: OpCode.closeSession, key: '', ...inSession(n, 1) })

export const batchEntry = (index: number, timeMs: number, operations: readonly Operation[], term = 1): Entry =>
  ({ term, index, kind: EntryKind.batch, payload: encodeBatch({ timeMs, operations }) })
export const noopEntry = (index: number, term = 1): Entry => ({ term, index, kind: EntryKind.noop, payload: new Uint8Array(0) })

/** A state and a way to apply one entry after the other to it. */
export const createReplica = (state: ShardState = createState()) => ({
  state,
  apply: (timeMs: number, ...operations: readonly Operation[]): readonly OperationResult[] =>
    applyEntry(state, batchEntry(state.appliedIndex + 1, timeMs, operations), ignoreChanges),
})

export const chunksOf = (state: ShardState): Uint8Array[] => {
  const chunks: Uint8Array[] = []
  const iterator = openSnapshot(state)
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) chunks.push(next.value)
  return chunks
}

export const restoreOf = (chunks: readonly Uint8Array[]): ShardState => {
  const restore = openRestore()
  for (const chunk of chunks) restore.push(chunk)
  const restored = restore.finish()
  if ('reason' in restored) throw new Error(restored.reason)
  return restored.state
}

const keys = fc.constantFrom('a', 'b', 'c', '{p}d', '\u0000\u00ff')
const values = fc.constantFrom('', '1', '-5', '41', 'x', '9223372036854775807', 'longer than a counter could ever be')
const conditions = fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined, freq: 3 })
const times = fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined, freq: 2 })

const identities: fc.Arbitrary<Partial<Operation>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.record({ requestId: fc.constantFrom('r1', 'r2', 'r3') }) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
      .map(([n, a, b]) => inSession(n, Math.max(a, b), Math.min(a, b))),
  },
)

const defined = (fields: Readonly<Record<string, unknown>>): Partial<Operation> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** Well-formed operations that collide often: few keys, few ids. */
export const operations: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(keys, values, conditions, times, identities).map(([key, value, ifRevision, ttlMs, identity]) =>
    put(key, value, { ...defined({ ifRevision, ttlMs }), ...identity })) },
  { weight: 2, arbitrary: fc.tuple(keys, conditions, identities).map(([key, ifRevision, identity]) =>
    del(key, { ...defined({ ifRevision }), ...identity })) },
  { weight: 3, arbitrary: fc.tuple(keys, fc.constantFrom(undefined, '1', '-3', '9223372036854775807'), conditions, times, identities)
    .map(([key, delta, ifRevision, ttlMs, identity]) => incr(key, delta, { ...defined({ ifRevision, ttlMs }), ...identity })) },
  { weight: 1, arbitrary: fc.tuple(keys, fc.integer({ min: 0, max: 60 }), identities)
    .map(([key, ttlMs, identity]) => touch(key, ttlMs, identity)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map(open) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map(close) },
)

export interface Step {
  /** Milliseconds since the step before; mostly short, now and then past every session's life. */
  readonly elapsedMs: number
  readonly operations: readonly Operation[]
}

/** Some operations come again as they were: of what is only drawn anew, what has an id would mostly be a reuse of it. */
export const histories: fc.Arbitrary<readonly Step[]> = fc.array(operations, { minLength: 1, maxLength: 6 }).chain((known) => fc.array(
  fc.record({
    elapsedMs: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: -5, max: 40 }) }, { weight: 1, arbitrary: fc.constant(640_000) }),
    operations: fc.array(
      fc.oneof({ weight: 1, arbitrary: operations }, { weight: 1, arbitrary: fc.constantFrom(...known) }), { maxLength: 6 },
    ),
  }),
  { minLength: 1, maxLength: 25 },
))

/** The entries of a history, from index 1; times never below 0. */
export const entriesOf = (history: readonly Step[]): Entry[] => {
  let timeMs = 1_000
  return history.map((step, i) => {
    timeMs = Math.max(0, timeMs + step.elapsedMs)
    return batchEntry(i + 1, timeMs, step.operations)
  })
}
