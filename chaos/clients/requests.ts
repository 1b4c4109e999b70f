/**
 * Plain NATS requests, as any NATS client makes them. Without a request id a request is never sent twice: executed twice, it shows
 * in a sum. With one it is sent again until it is answered, as a careful client does, and must take effect once.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { outcomeOfAnswer } from '../../sim/calls.ts'
import { isReuse } from '../../sim/history.ts'
import type { Bus } from '../../bus/port.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'
import type { NewWay } from './load.ts'

const TIMEOUT_MS_DEFAULT = 1_500
const ATTEMPTS_MAX = 4
const RETRY_MS = 100

const subjects: Readonly<Record<Call['kind'], string>> = { get: 'get', put: 'put', cas: 'put', incr: 'incr', del: 'del', touch: 'touch' }

interface Asked {
  readonly key: string
  readonly call: Call
  readonly consistency: HistoryOperation['consistency']
  readonly requestId?: string
  readonly timeoutMs?: number
}

export const requestOver = (bus: Bus, timeoutMs = TIMEOUT_MS_DEFAULT): NewWay => () => ({
  name: 'request',
  perform: (key, call, consistency) => request(bus, { key, call, consistency, timeoutMs }),
})

let clients = 0

export const rememberedRequestOver = (bus: Bus): NewWay => () => {
  clients += 1
  const client = `${process.pid.toString(36)}-${clients}`
  let sequence = 0
  let last: Asked | null = null
  return {
    name: 'rememberedRequest',
    perform: async (key, call, consistency) => {
      sequence += 1
      last = { key, call, consistency, requestId: `${client}-${sequence}` }
      return await untilAnswered(bus, last)
    },
    repeat: () => (last === null ? Promise.resolve({ kind: 'unknown' }) : request(bus, last)),
  }
}

/** One attempt that may have taken effect makes a later definite failure unknown: that failure speaks of itself alone. */
const untilAnswered = async (bus: Bus, asked: Asked): Promise<Outcome> => {
  let isUnsure = false
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await request(bus, asked)
    // Its id is its own, so that nobody may refuse it as another's, whatever became of it before.
    if (outcome.kind === 'answered' || isReuse(outcome)) return outcome
    isUnsure ||= outcome.kind === 'unknown'
    if (attempt === ATTEMPTS_MAX) return isUnsure ? { kind: 'unknown' } : outcome
    await pause(RETRY_MS)
  }
}

const request = (bus: Bus, asked: Asked): Promise<Outcome> => new Promise((resolve) => {
  const { key, call, consistency, requestId, timeoutMs = TIMEOUT_MS_DEFAULT } = asked
  const headers = new Map<string, string>()
  if (call.kind === 'cas') headers.set('Kv-If-Revision', String(call.ifRevision))
  if ('ttlMs' in call && call.ttlMs !== undefined) headers.set('Kv-Ttl-Ms', String(call.ttlMs))
  if (requestId !== undefined && call.kind !== 'get') headers.set('Kv-Request-Id', requestId)
  if (consistency !== 'linearizable') headers.set('Kv-Consistency', consistency)
  bus.request(`kv.${subjects[call.kind]}.${key}`, payloadOf(call), { timeoutMs, headers }, (failure, answer) =>
    resolve(outcomeOfAnswer(call, failure, answer)))
})

const payloadOf = (call: Call): Uint8Array => {
  if (call.kind === 'put' || call.kind === 'cas') return new TextEncoder().encode(call.value)
  return new TextEncoder().encode(call.kind === 'incr' ? String(call.amount) : '')
}
