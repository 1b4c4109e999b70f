/**
 * A dumb shard: one plain list of everything, searched from the front, with nothing indexed, bounded or shared. What it answers is
 * right by reading; the real state machine must answer the same.
 */

import { OpCode } from '../../../actors/shard/operation.ts'
import { text } from './entries.ts'
import type { Operation } from '../../../actors/shard/operation.ts'

export interface ModelResult {
  readonly status: string
  readonly revision: number
  readonly value?: string | undefined
  readonly duplicate?: true
}

interface ModelKey { key: string; value: string; revision: number; expiresAt: number }
interface ModelSession { client: string; renewedAt: number; mark: number; results: [number, ModelResult, Operation][] }

const END_AFTER = 630_000
const RENEW_AFTER = 30_000
const integer = /^(0|-?[1-9]\d*)$/

/** The same write, sent again; a time to live may have been reckoned anew. */
const contentOf = ({ code, value }: Operation): string | undefined => text(value) ?? (code === OpCode.incr ? '1' : undefined)
const isSame = (a: Operation, b: Operation): boolean => a.code === b.code && a.key === b.key && contentOf(a) === contentOf(b)
  && a.ifRevision === b.ifRevision && Math.sign(a.ttlMs ?? -1) === Math.sign(b.ttlMs ?? -1)

export const createModel = () => {
  let time = 0
  let revision = 0
  let keys: ModelKey[] = []
  let sessions: ModelSession[] = []
  const ended: string[] = []
  const requests: [string, ModelResult, Operation][] = []

  const ok = (value?: string): ModelResult => ({ status: 'OK', revision, ...(value === undefined ? {} : { value }) })
  const failed = (status: string, at = 0): ModelResult => ({ status, revision: at })
  const again = (result: ModelResult, first: Operation, operation: Operation): ModelResult =>
    (isSame(first, operation) ? { ...result, duplicate: true } : failed('REQUEST_ID_REUSED'))
  const sessionOf = (client: string | undefined): ModelSession | undefined => {
    const session = sessions.find((candidate) => candidate.client === client)
    if (session !== undefined && time - session.renewedAt >= RENEW_AFTER) session.renewedAt = time
    return session
  }

  const expire = (): void => {
    const due = keys.filter(({ expiresAt }) => expiresAt !== 0 && expiresAt <= time)
    keys = keys.filter((key) => !due.includes(key))
    revision += due.length
    ended.push(...sessions.filter(({ renewedAt }) => renewedAt + END_AFTER <= time).map(({ client }) => client))
    sessions = sessions.filter(({ renewedAt }) => renewedAt + END_AFTER > time)
  }

  const store = (key: string, value: string, expiresAt: number): void => {
    revision += 1
    keys = [...keys.filter((other) => other.key !== key), { key, value, revision, expiresAt }]
  }

  const mutate = ({ code, key, value, ifRevision, ttlMs }: Operation): ModelResult => {
    const found = keys.find((candidate) => candidate.key === key)
    if (ifRevision !== undefined && ifRevision !== (found?.revision ?? 0)) return failed('CONFLICT', found?.revision ?? 0)
    const deadline = ttlMs === undefined || ttlMs === 0 ? 0 : time + ttlMs
    if (code === OpCode.put) {
      store(key, text(value) ?? '', deadline)
      return ok()
    }
    if (code === OpCode.incr) {
      const before = found?.value ?? '0'
      if (!integer.test(before)) return failed('INVALID')
      const sum = BigInt(before) + BigInt(text(value) ?? '1')
      if (BigInt.asIntN(64, sum) !== sum) return failed('INVALID')
      store(key, String(sum), ttlMs === undefined ? found?.expiresAt ?? 0 : deadline)
      return ok(String(sum))
    }
    if (found === undefined) return failed('NOT_FOUND')
    if (code === OpCode.touch) {
      store(key, found.value, deadline)
      return ok()
    }
    keys = keys.filter((other) => other !== found)
    revision += 1
    return ok()
  }

  const apply = (operation: Operation): ModelResult => {
    const { code, requestId, session: asked } = operation
    if (code === OpCode.openSession) {
      if (sessionOf(asked?.client) !== undefined) return failed('OK')
      if (ended.includes(asked?.client ?? '')) return failed('SESSION_EXPIRED')
      sessions.push({ client: asked?.client ?? '', renewedAt: time, mark: 1, results: [] })
      return failed('OK')
    }
    if (code === OpCode.closeSession) {
      if (ended.includes(asked?.client ?? '')) return { ...failed('OK'), duplicate: true }
      if (!sessions.some(({ client }) => client === asked?.client)) return failed('SESSION_EXPIRED')
      sessions = sessions.filter(({ client }) => client !== asked?.client)
      ended.push(asked?.client ?? '')
      return failed('OK')
    }
    if (asked !== undefined) {
      const session = sessionOf(asked.client)
      if (session === undefined) return failed('SESSION_EXPIRED')
      session.mark = Math.max(session.mark, asked.firstIncomplete)
      if (asked.sequence < session.mark) return failed('SESSION_EXPIRED')
      const first = session.results.find(([sequence]) => sequence === asked.sequence)
      if (first !== undefined) return again(first[1], first[2], operation)
      const result = mutate(operation)
      session.results.push([asked.sequence, result, operation])
      return result
    }
    const first = requests.find(([id]) => id === requestId)
    if (first !== undefined) return again(first[1], first[2], operation)
    const result = mutate(operation)
    if (requestId !== undefined) requests.push([requestId, result, operation])
    return result
  }

  return {
    applyAt: (timeMs: number, operations: readonly Operation[]): ModelResult[] => {
      time = Math.max(time, timeMs)
      expire()
      return operations.map(apply)
    },
    keys: (): readonly ModelKey[] => [...keys].sort((a, b) => (a.key < b.key ? -1 : 1)),
    revision: (): number => revision,
  }
}
