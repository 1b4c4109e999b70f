/** The admin API of the product (docs/ADMIN_API.md), asked at whichever node answers. */

import { setTimeout as pause } from 'node:timers/promises'
import type { NodesAnswer, PlanAnswer, ShardsAnswer } from '../../gateway/admin/views.ts'

export interface Admin {
  readonly nodes: () => Promise<NodesAnswer>
  readonly shards: () => Promise<ShardsAnswer>
  readonly plan: () => Promise<PlanAnswer>
  readonly drain: (node: string) => Promise<void>
}

const TIMEOUT_MS = 30_000
const ANSWERED_WITHIN_MS = 60_000
const RETRY_MS = 100
/** Other refusals than these two stand. */
const UNAVAILABLE = 500
const STALE = 412

/** Each throws when nobody answers, or when what was asked for is refused. */
export const createAdmin = (urls: readonly string[]): Admin => {
  const ask = async (path: string, method = 'GET'): Promise<unknown> => {
    const deadline = performance.now() + ANSWERED_WITHIN_MS
    for (let attempt = 0; performance.now() < deadline; attempt += 1) {
      const answer = await fetch(`${urls[attempt % urls.length]}${path}`, { method, signal: AbortSignal.timeout(TIMEOUT_MS) })
        .then(async (response) => ({ status: response.status, body: await response.text() }), () => null)
      if (answer?.status === 200) return JSON.parse(answer.body)
      if (answer !== null && answer.status < UNAVAILABLE && answer.status !== STALE) throw new Error(`${method} ${path}: ${answer.body}`)
      await pause(RETRY_MS)
    }
    throw new Error(`${method} ${path}: no answer from ${urls.join(', ')}`)
  }
  return {
    nodes: () => ask('/v1/nodes') as Promise<NodesAnswer>,
    shards: () => ask('/v1/shards') as Promise<ShardsAnswer>,
    plan: () => ask('/v1/plan') as Promise<PlanAnswer>,
    drain: async (node) => {
      await ask(`/v1/nodes/${node}/drain`, 'POST')
    },
  }
}
