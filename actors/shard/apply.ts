/**
 * The state machine: applies committed entries in order. Deterministic, and it never throws on input: a payload that does not decode
 * (it was checked before it was proposed, so only a bug or another version makes one) is a counted no-op on every replica.
 *
 * Whatever depends on state is decided here and nowhere else: comparing revisions, existence, duplicates, session life. A leader that
 * slept and wakes with a stale view thus refuses nothing wrongly (docs/TESTING.md T26).
 */

import { assert } from '../kernel/assert.ts'
import { EntryKind } from '../raft/protocol.ts'
import { decodeBatch } from './batch.ts'
import { bytesOfText } from './bytes.ts'
import { contentHashOf } from './contentHash.ts'
import { addDecimals, decimalIn, decimalOf } from './counter.ts'
import { expireKeys } from './expiry.ts'
import { expiresAtMsOf, revisionOf, valueBytesOf, valueOf } from './keyRecord.ts'
import { OpCode } from './operation.ts'
import { answerAgain, conflict, counterOverflow, incomplete, notACounter, notFound, ok, toRemember } from './outcome.ts'
import { admitRequest, closeSession, endIdleSessions, openSession, rememberOutcome } from './sessions.ts'
import { isLive, liveRecord, removeKey, storeKey } from './state.ts'
import type { Entry } from '../raft/protocol.ts'
import type { ChangeObserver } from './expiry.ts'
import type { KeyRecord, StoredValue } from './keyRecord.ts'
import type { Operation, OperationResult } from './operation.ts'
import type { ShardState } from './state.ts'

export const ignoreChanges: ChangeObserver = () => {}

/** One result per operation, in order; empty for entries that carry none. The entry must be the next one. */
export const applyEntry = (state: ShardState, entry: Entry, changed: ChangeObserver): readonly OperationResult[] => {
  assert(entry.index === state.appliedIndex + 1, `entries are applied in order: ${entry.index} after ${state.appliedIndex}`)
  state.appliedIndex = entry.index
  state.appliedTerm = entry.term
  if (entry.kind !== EntryKind.batch) return []
  const decoded = decodeBatch(entry.payload)
  if ('reason' in decoded) {
    state.undecodable += 1
    return []
  }
  const { timeMs, operations } = decoded.value
  state.timeMs = Math.max(state.timeMs, timeMs)
  expireKeys(state, changed)
  endIdleSessions(state.sessions, state.timeMs)
  return operations.map((operation) => applyOperation(state, operation, changed))
}

/** A read of the applied state. */
export const readKey = (state: ShardState, key: string): OperationResult => {
  const record = liveRecord(state, key)
  return record === undefined ? notFound : ok(revisionOf(record), valueBytesOf(record))
}

const applyOperation = (state: ShardState, operation: Operation, changed: ChangeObserver): OperationResult => {
  const { code, session, requestId } = operation
  if (code === OpCode.openSession || code === OpCode.closeSession) {
    if (session === undefined) return incomplete
    return code === OpCode.openSession
      ? openSession(state.sessions, session.client, state.timeMs)
      : closeSession(state.sessions, session.client)
  }
  if (session !== undefined) {
    const asked = { request: session, content: contentHashOf(operation) }
    const admitted = admitRequest(state.sessions, asked, state.timeMs)
    if ('status' in admitted) return admitted
    const outcome = mutate(state, operation, changed)
    rememberOutcome(admitted, asked, outcome)
    return outcome
  }
  if (requestId === undefined) return mutate(state, operation, changed)
  const content = contentHashOf(operation)
  const first = state.requests.get(requestId)
  if (first !== undefined) return answerAgain(first, content)
  const outcome = mutate(state, operation, changed)
  state.requests.push({ key: requestId, outcome: toRemember(outcome), content })
  return outcome
}

/** `stored` is what the map holds, `live` the same unless it is past its deadline. */
interface Target {
  readonly operation: Operation
  readonly stored: KeyRecord | undefined
  readonly live: KeyRecord | undefined
}

const mutate = (state: ShardState, operation: Operation, changed: ChangeObserver): OperationResult => {
  const stored = state.keys.get(operation.key)
  const live = stored !== undefined && isLive(stored, state.timeMs) ? stored : undefined
  if (operation.ifRevision !== undefined) {
    const found = live === undefined ? 0 : revisionOf(live)
    if (operation.ifRevision !== found) return conflict(found)
  }
  const before = state.revision
  const outcome = change(state, { operation, stored, live })
  if (state.revision !== before) changed(operation.key, state.revision, operation.code)
  return outcome
}

const change = (state: ShardState, target: Target): OperationResult => {
  switch (target.operation.code) {
    case OpCode.put: return put(state, target)
    case OpCode.del: return del(state, target)
    case OpCode.incr: return incr(state, target)
    case OpCode.touch: return touch(state, target)
    default: return incomplete
  }
}

const deadlineIn = (state: ShardState, ttlMs: number): number => (ttlMs === 0 ? 0 : state.timeMs + ttlMs)

/** Stores the value under a new revision. */
const store = (state: ShardState, target: Target, next: { readonly value: StoredValue; readonly expiresAtMs: number }): number => {
  state.revision += 1
  const content = { value: next.value, revision: state.revision, expiresAtMs: next.expiresAtMs }
  storeKey(state, target.operation.key, { previous: target.stored, content })
  return state.revision
}

const put = (state: ShardState, target: Target): OperationResult => {
  const { value, ttlMs = 0 } = target.operation
  if (value === undefined) return incomplete
  // The value is a view into the entry, which belongs to the log: the state keeps a copy.
  return ok(store(state, target, { value, expiresAtMs: deadlineIn(state, ttlMs) }))
}

const del = (state: ShardState, { operation, live }: Target): OperationResult => {
  if (live === undefined) return notFound
  removeKey(state, operation.key, live)
  state.revision += 1
  return ok(state.revision)
}

/** A long value is no counter: a decimal has at most 20 characters. */
const counterIn = (value: StoredValue): string | null => (typeof value === 'string' ? decimalIn(value) : null)

const keptDeadline = (live: KeyRecord | undefined): number => (live === undefined ? 0 : expiresAtMsOf(live))

/** Keeps the deadline unless the operation brings one. */
const incr = (state: ShardState, target: Target): OperationResult => {
  const { operation: { value, ttlMs }, live } = target
  const delta = value === undefined ? '1' : decimalOf(value)
  const current = live === undefined ? '0' : counterIn(valueOf(live))
  if (delta === null || current === null) return notACounter
  const sum = addDecimals(current, delta)
  if (sum === null) return counterOverflow
  const expiresAtMs = ttlMs === undefined ? keptDeadline(live) : deadlineIn(state, ttlMs)
  return ok(store(state, target, { value: sum, expiresAtMs }), bytesOfText(sum))
}

const touch = (state: ShardState, target: Target): OperationResult => {
  const { operation: { ttlMs }, live } = target
  if (ttlMs === undefined) return incomplete
  if (live === undefined) return notFound
  return ok(store(state, target, { value: valueOf(live), expiresAtMs: deadlineIn(state, ttlMs) }))
}
