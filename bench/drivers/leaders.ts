/** Who leads which shard, as `kv.map` says it. */

import { setTimeout as pause } from 'node:timers/promises'
import { spanningSubject } from '../../bus/subjects.ts'
import { nodeOf } from '../../topology/ids.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId, ReplicaId } from '../../topology/ids.ts'

const REQUEST_TIMEOUT_MS = 5_000
const LEADERS_WITHIN_MS = 30_000
const LEADERS_POLL_MS = 200

export interface Leaders {
  readonly shardCount: number
  readonly nodes: readonly NodeId[]
  /** By shard. */
  readonly leaders: readonly NodeId[]
  /** The sum of their terms: it grows with every election, and with every leadership that is handed over. */
  readonly terms: number
  /** Every shard is led by its first replica: no leadership is going to move. */
  readonly isBalanced: boolean
}

interface MapAnswer {
  readonly shardCount: number
  readonly nodes: readonly NodeId[]
  readonly replicas: readonly (readonly ReplicaId[])[]
  readonly leaders: readonly ({ readonly node: NodeId; readonly term: number } | null)[]
}

/** Waits until every shard has a leader, and, as asked, until they are where they are going to stay. */
export const awaitLeaders = async (
  bus: Bus, prefix: string, { isBalancedWanted = false, withinMs = LEADERS_WITHIN_MS } = {},
): Promise<Leaders> => {
  const deadline = performance.now() + withinMs
  while (performance.now() < deadline) {
    const found = leadersOf(await request(bus, spanningSubject(prefix, 'map'), new Uint8Array(0)))
    if (found !== null && (found.isBalanced || !isBalancedWanted)) return found
    await pause(LEADERS_POLL_MS)
  }
  throw new Error(`not every shard has ${isBalancedWanted ? 'its preferred' : 'a'} leader within ${withinMs} ms`)
}

const leadersOf = (answer: Buffer | null): Leaders | null => {
  if (answer === null) return null
  const map = JSON.parse(answer.toString()) as MapAnswer
  const leaders = map.leaders.flatMap((leader) => leader?.node ?? [])
  if (leaders.length < map.shardCount) return null
  const isBalanced = map.replicas.every(([first], shard) => first !== undefined && nodeOf(first) === leaders[shard])
  const terms = map.leaders.reduce((sum, leader) => sum + (leader?.term ?? 0), 0)
  return { shardCount: map.shardCount, nodes: map.nodes, leaders, terms, isBalanced }
}

/** Null without an answer. */
export const request = (bus: Bus, subject: string, data: Uint8Array): Promise<Buffer | null> => new Promise((resolve) => {
  bus.request(subject, data, { timeoutMs: REQUEST_TIMEOUT_MS }, (_failure, answer) =>
    resolve(answer === null ? null : Buffer.from(answer.data)))
})
