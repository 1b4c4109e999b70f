/** One plain request on one subject, as any NATS client makes it, and what came back. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Bus, RequestFailure } from '../../bus/port.ts'

export interface KvReply {
  /** `Kv-Status`, or why there is no answer. */
  readonly status: string
  readonly value: string
  readonly revision: number
  readonly shard: number
  readonly headers: ReadonlyMap<string, string>
  readonly bytes: Uint8Array
}

const TIMEOUT_MS = 5_000

export const kv = (
  bus: Bus, subject: string, value: string | Uint8Array = '', headers: Readonly<Record<string, string>> = {},
): Promise<KvReply> => new Promise((resolve) => {
  const data = typeof value === 'string' ? new TextEncoder().encode(value) : value
  bus.request(subject, data, { timeoutMs: TIMEOUT_MS, headers: new Map(Object.entries(headers)) }, (failure, answer) => {
    if (answer === null) resolve(unanswered(failure))
    else {
      const given = answer.headers ?? new Map<string, string>()
      resolve({
        status: given.get('Kv-Status') ?? '', value: new TextDecoder().decode(answer.data), bytes: Uint8Array.from(answer.data),
        revision: Number(given.get('Kv-Revision') ?? 0), shard: Number(given.get('Kv-Shard') ?? -1), headers: new Map(given),
      })
    }
  })
})

const unanswered = (failure: RequestFailure | null): KvReply =>
  ({ status: failure ?? 'timeout', value: '', revision: 0, shard: -1, headers: new Map(), bytes: new Uint8Array(0) })

const SETTLES_WITHIN_MS = 10_000
const RETRY_MS = 25
const transient: ReadonlySet<string> = new Set(['noResponders', 'NOT_LEADER', 'OVERLOADED', 'NO_QUORUM', 'TIMEOUT', 'timeout'])

/** It passes by itself. */
export const isTransient = ({ status }: KvReply): boolean => transient.has(status)

/**
 * Asks again while the answer is one that passes by itself, since leadership moves now and then: when it certainly did not happen, and
 * when asking again does no harm, as for reads and for writes with a request id.
 */
export const settledKv = async (...request: Parameters<typeof kv>): Promise<KvReply> => {
  const [, subject, , headers = {}] = request
  const isHarmless = subject.startsWith('kv.get.') || 'Kv-Request-Id' in headers
  const giveUpAt = performance.now() + SETTLES_WITHIN_MS
  for (;;) {
    const reply = await kv(...request)
    const isDefinite = reply.status === 'noResponders' || reply.headers.get('Kv-Definite') === 'true'
    if (!isTransient(reply) || !(isDefinite || isHarmless) || performance.now() > giveUpAt) return reply
    await pause(RETRY_MS)
  }
}
