/** The admin API of a cluster, as somebody at a terminal uses it: whichever node answers is asked (docs/ADMIN_API.md). */

import { setTimeout as pause } from 'node:timers/promises'
import type { NodesAnswer, PlanAnswer, ShardsAnswer } from '../../gateway/admin/views.ts'
import type { NodeId } from '../../topology/ids.ts'

export interface Admin {
  /** Each of these is null when nobody answers. */
  readonly nodes: () => Promise<NodesAnswer | null>
  readonly shards: () => Promise<ShardsAnswer | null>
  readonly plan: () => Promise<PlanAnswer | null>
  /** Asks until the cluster has decided, or for `withinMs`. */
  readonly drain: (node: NodeId, withinMs: number) => Promise<Decision>
  readonly remove: (node: NodeId, withinMs: number) => Promise<Decision>
}

/** `undecided`: nobody said anything, and it may yet happen. A refusal is its reason. */
export type Decision = 'done' | 'undecided' | { readonly refused: string }

export interface AdminOptions {
  /** Whom to ask, in order. */
  readonly nodes: () => readonly NodeId[]
  readonly log: (node: NodeId) => string
}

const TIMEOUT_MS = 3_000
const RETRY_MS = 200
/** Of a problem that is no answer yet. */
const UNAVAILABLE = 500

interface Answer {
  readonly status: number
  readonly body: unknown
}

let changes = 0

export const createAdmin = ({ nodes, log }: AdminOptions): Admin => {
  const ask = async (path: string, method: string, headers: Record<string, string>): Promise<Answer | null> => {
    for (const node of nodes()) {
      const port = adminPortOf(log(node))
      const answer = port === null ? null : await tryNode(`http://127.0.0.1:${port}${path}`, { method, headers })
      if (answer !== null && answer.status < UNAVAILABLE) return answer
    }
    return null
  }
  const get = async <T>(path: string): Promise<T | null> => {
    const answer = await ask(path, 'GET', {})
    return answer?.status === 200 ? answer.body as T : null
  }
  const change = async (method: string, path: string, withinMs: number): Promise<Decision> => {
    changes += 1
    const headers = { 'idempotency-key': `chaos-${process.pid}-${changes}`, 'shardkv-by': 'chaos' }
    const deadline = performance.now() + withinMs
    for (;;) {
      const decision = decisionOf(await ask(path, method, headers))
      if (decision !== 'undecided' || performance.now() > deadline) return decision
      await pause(RETRY_MS)
    }
  }
  return {
    nodes: () => get('/v1/nodes'),
    shards: () => get('/v1/shards'),
    plan: () => get('/v1/plan'),
    drain: (node, withinMs) => change('POST', `/v1/nodes/${node}/drain`, withinMs),
    remove: (node, withinMs) => change('DELETE', `/v1/nodes/${node}`, withinMs),
  }
}

/** Another epoch than expected is no refusal: moves make epochs all the time. */
const decisionOf = (answer: Answer | null): Decision => {
  if (answer === null) return 'undecided'
  if (answer.status === 200) return 'done'
  const { reason, detail } = answer.body as { readonly reason?: string; readonly detail?: string }
  return reason === 'staleEpoch' || reason === 'starting' ? 'undecided' : { refused: `${reason ?? answer.status}: ${detail ?? ''}` }
}

/** Of its newest process; a node tells its port when it has one. */
export const adminPortOf = (log: string): number | null => {
  const found = [...log.matchAll(/"port":(\d+),"hasAdmin":true/g)].at(-1)?.[1]
  return found === undefined ? null : Number(found)
}

interface Request {
  readonly method: string
  readonly headers: Record<string, string>
}

const tryNode = async (url: string, request: Request): Promise<Answer | null> => {
  try {
    const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) })
    return { status: answer.status, body: await answer.json() }
  } catch {
    return null
  }
}
