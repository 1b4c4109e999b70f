/**
 * The specification of one shard in a page: a plain map with deadlines, a revision counter, a table of request ids, and sessions. The
 * product's state machine is compared with it after every committed entry, so it shares nothing with it but the batch codec and the names
 * of its limits.
 *
 * Expiry as committed: each batch carries a log time; time is the greatest seen. Before a batch is executed, every key whose deadline is
 * reached is removed, in order of deadline and key, each under a revision of its own, and every session that was idle for too long ends.
 * A session remembers the result of each sequence from its first incomplete one on. The model keeps every session that ended.
 * Whatever has a memory keeps what was asked beside the result: under a known id nothing else is executed, and nothing else is answered.
 */

import { decodeBatch } from '../actors/shard/batch.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { SESSION_IDLE_MS, SESSION_RENEW_MS } from '../actors/shard/sessions.ts'
import type { Operation, SessionRequest } from '../actors/shard/operation.ts'

export interface ModelResult {
  readonly status: 'OK' | 'NOT_FOUND' | 'CONFLICT' | 'INVALID'
  readonly revision: number
  readonly value?: string
}

export interface ModelStep {
  readonly operation: Operation
  readonly value: string | undefined
  /** Null: its session is over, or has forgotten it, or its id was given to another write. */
  readonly result: ModelResult | null
  /** False for a duplicate, which gets its first result, and where there is no result: nothing was executed. */
  readonly isExecuted: boolean
  readonly isReuse: boolean
}

export interface ModelRecord {
  readonly value: string
  readonly revision: number
  /** Log time in milliseconds; 0 when it does not expire. */
  readonly expiresAtMs: number
}

export interface ModelObserver {
  /** Right after each operation. */
  readonly onStep: (step: ModelStep) => void
  readonly onExpired: (key: string) => void
  /** Idle for too long. */
  readonly onSessionEnded: (client: string) => void
}

export interface Model {
  /** Applies one batch payload; false when the payload does not decode. */
  readonly apply: (payload: Uint8Array, observer: ModelObserver) => boolean
  readonly read: (key: string) => ModelRecord | undefined
  readonly revision: () => number
  readonly keys: () => number
  /** Log time, the greatest seen. */
  readonly timeMs: () => number
  /** Log time at which the next key or session ends; infinite when none does. */
  readonly nextEndMs: () => number
}

interface Known {
  readonly content: string
  readonly result: ModelResult
}

interface Session {
  renewedAtMs: number
  firstIncomplete: number
  readonly results: Map<number, Known>
}

const endOf = ({ renewedAtMs }: Session): number => renewedAtMs + SESSION_IDLE_MS + SESSION_RENEW_MS

/** What a write asks for, whenever and however often it is sent: a time to live may be reckoned anew for each attempt. */
const contentOf = ({ code, key, ifRevision, ttlMs }: Operation, value: string | undefined): string =>
  JSON.stringify([code, key, value ?? (code === OpCode.incr ? '1' : null), ifRevision ?? null, ttlMs === undefined ? null : ttlMs > 0])

const decoder = new TextDecoder()
const done: ModelResult = { status: 'OK', revision: 0 }

export const createModel = (): Model => {
  const records = new Map<string, ModelRecord>()
  const requests = new Map<string, Known>()
  const sessions = new Map<string, Session>()
  const ended = new Set<string>()
  let revision = 0
  let timeMs = 0

  const deadlineIn = (ttlMs: number | undefined): number => (ttlMs === undefined || ttlMs === 0 ? 0 : timeMs + ttlMs)
  const write = (key: string, value: string, expiresAtMs: number): ModelResult => {
    revision += 1
    records.set(key, { value, revision, expiresAtMs })
    return { status: 'OK', revision }
  }
  const remove = (key: string): ModelResult => {
    records.delete(key)
    revision += 1
    return { status: 'OK', revision }
  }
  const execute = (operation: Operation, value: string | undefined): ModelResult => {
    const { key, ttlMs } = operation
    const found = records.get(key)
    const current = found?.revision ?? 0
    if (operation.ifRevision !== undefined && operation.ifRevision !== current) return { status: 'CONFLICT', revision: current }
    if (operation.code === OpCode.put) return write(key, value ?? '', deadlineIn(ttlMs))
    if (operation.code === OpCode.incr) {
      const before = found?.value ?? '0'
      if (!/^-?\d+$/.test(before)) return { status: 'INVALID', revision: 0 }
      const sum = String(Number(before) + Number(value ?? '1'))
      return { ...write(key, sum, ttlMs === undefined ? found?.expiresAtMs ?? 0 : deadlineIn(ttlMs)), value: sum }
    }
    if (operation.code !== OpCode.del && operation.code !== OpCode.touch) return { status: 'INVALID', revision: 0 }
    if (found === undefined) return { status: 'NOT_FOUND', revision: 0 }
    return operation.code === OpCode.del ? remove(key) : write(key, found.value, deadlineIn(ttlMs))
  }

  const openSession = (client: string): ModelResult | null => {
    const session = sessions.get(client)
    if (session !== undefined) renew(session)
    else if (ended.has(client)) return null
    else sessions.set(client, { renewedAtMs: timeMs, firstIncomplete: 1, results: new Map() })
    return done
  }
  const endSession = (client: string): ModelResult | null => {
    if (!sessions.delete(client) && !ended.has(client)) return null
    ended.add(client)
    return done
  }
  /** The last use is noted in steps. */
  const renew = (session: Session): void => {
    if (timeMs - session.renewedAtMs >= SESSION_RENEW_MS) session.renewedAtMs = timeMs
  }
  type Executed = Pick<ModelStep, 'result' | 'isExecuted' | 'isReuse'>
  const answered = (result: ModelResult | null): Executed => ({ result, isExecuted: false, isReuse: false })
  const again = (known: Known, content: string): Executed =>
    (known.content === content ? answered(known.result) : { result: null, isExecuted: false, isReuse: true })
  type Run = { readonly content: string; readonly run: () => ModelResult }
  const inSession = ({ client, sequence, firstIncomplete }: SessionRequest, { content, run }: Run): Executed => {
    const session = sessions.get(client)
    if (session === undefined) return answered(null)
    renew(session)
    session.firstIncomplete = Math.max(session.firstIncomplete, firstIncomplete)
    for (const known of session.results.keys()) if (known < session.firstIncomplete) session.results.delete(known)
    if (sequence < session.firstIncomplete) return answered(null)
    const first = session.results.get(sequence)
    if (first !== undefined) return again(first, content)
    const result = run()
    session.results.set(sequence, { content, result })
    return { result, isExecuted: true, isReuse: false }
  }
  const stepOf = (operation: Operation, value: string | undefined): Executed => {
    const { code, requestId, session } = operation
    if (session !== undefined && code === OpCode.openSession) return answered(openSession(session.client))
    if (session !== undefined && code === OpCode.closeSession) return answered(endSession(session.client))
    const content = contentOf(operation, value)
    if (session !== undefined) return inSession(session, { content, run: () => execute(operation, value) })
    const known = requestId === undefined ? undefined : requests.get(requestId)
    if (known !== undefined) return again(known, content)
    const result = execute(operation, value)
    if (requestId !== undefined) requests.set(requestId, { content, result })
    return { result, isExecuted: true, isReuse: false }
  }

  const expire = ({ onExpired, onSessionEnded }: ModelObserver): void => {
    const due = [...records].filter(([, { expiresAtMs }]) => expiresAtMs !== 0 && expiresAtMs <= timeMs)
    due.sort(([aKey, a], [bKey, b]) => a.expiresAtMs - b.expiresAtMs || (aKey < bKey ? -1 : 1))
    for (const [key] of due) {
      remove(key)
      onExpired(key)
    }
    for (const [client, session] of sessions) {
      if (endOf(session) > timeMs) continue
      endSession(client)
      onSessionEnded(client)
    }
  }

  return {
    apply: (payload, observer) => {
      const decoded = decodeBatch(payload)
      if ('reason' in decoded) return false
      timeMs = Math.max(timeMs, decoded.value.timeMs)
      expire(observer)
      for (const operation of decoded.value.operations) {
        const value = operation.value === undefined ? undefined : decoder.decode(operation.value)
        observer.onStep({ operation, value, ...stepOf(operation, value) })
      }
      return true
    },
    read: (key) => records.get(key),
    revision: () => revision,
    keys: () => records.size,
    timeMs: () => timeMs,
    nextEndMs: () => Math.min(
      ...[...records.values()].map(({ expiresAtMs }) => expiresAtMs || Number.POSITIVE_INFINITY),
      ...[...sessions.values()].map(endOf),
    ),
  }
}
