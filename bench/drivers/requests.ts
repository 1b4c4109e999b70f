/** Raw NATS requests: one message per operation, no SDK. What any NATS client in any language gets. */

import { connectNats } from '../../bus/nats.ts'
import { requestSubject } from '../../bus/subjects.ts'
import type { Inbound } from '../../bus/port.ts'
import type { Answer, Driver, DriverTarget } from './port.ts'

const REQUEST_TIMEOUT_MS = 5_000
const NOTHING = new Uint8Array(0)

export const connectRequests = async ({ servers, prefix, login }: DriverTarget): Promise<Driver> => {
  const bus = await connectNats({ ...login, servers, name: 'shardkv bench/requests' })
  const ask = (op: 'put' | 'get', key: string, value: Uint8Array): Promise<Answer> => new Promise((resolve) => {
    const built = requestSubject(prefix, op, key)
    if (!built.ok) throw new Error(built.reason)
    bus.request(built.subject, value, { timeoutMs: REQUEST_TIMEOUT_MS }, (_failure, answer) => resolve(answerOf(op, answer)))
  })
  return {
    put: (key, value) => ask('put', key, value),
    get: (key) => ask('get', key, NOTHING),
    close: async () => bus.close(),
  }
}

const answerOf = (op: 'put' | 'get', answer: Inbound | null): Answer => {
  const status = answer?.headers?.get('Kv-Status')
  if (status === 'OK' || (op === 'get' && status === 'NOT_FOUND')) return 'ok'
  return status === 'OVERLOADED' ? 'overloaded' : 'failed'
}
