/**
 * Finds out how single-key requests reach leaders, by sending some: does the broker rewrite `kv.<op>.<key>` to `kv.slot.<shard>...`,
 * and to the same shard as `shardOf`?
 *
 * Probes use the reserved operation `routing-check`, which every gateway and every leader ignores. They leave on one connection and
 * arrive on the other, since a connection does not hear its own messages.
 */

import { ROUTING_CHECK_OP } from '../bus/subjects.ts'
import { shardOf } from './hash.ts'
import type { Bus, Inbound } from '../bus/port.ts'
import type { Cancel, Clock } from '../actors/kernel/clock.ts'
import type { Routing } from './report.ts'

const PROBES = 8
const ROUND_MS = 500
const ROUNDS_MAX = 6

export interface RoutingCheck {
  readonly from: Bus
  readonly to: Bus
  readonly clock: Clock
  /** In the subjects of this check, and of no other: whoever can guess it can answer for the broker. */
  readonly token: string
  readonly prefix: string
  readonly shardCount: number
}

export interface RoutingVerdict {
  readonly routing: Routing
  /** One line for the log when something is wrong or unknown. */
  readonly finding?: string
  /** False: no probe came back. */
  readonly isHeard?: boolean
}

/** Whether it changes what was known. Once something was, a check that heard nothing tells of a broker that is away, and of no mapping. */
export const isNews = (known: Routing | null, { routing, isHeard = true }: RoutingVerdict): boolean =>
  known === null || (isHeard && routing !== known)

/** Calls `done` once, after at most ROUND_MS * ROUNDS_MAX. Unknown counts as `gateway`: nodes then forward. */
export const checkRouting = (check: RoutingCheck, done: (verdict: RoutingVerdict) => void): void => {
  const { from, to, prefix, shardCount } = check
  const tokens = Array.from({ length: PROBES }, (_, i) => `${check.token}-${i}`)
  let cancelRound: Cancel = () => {}
  const mapped = new Map<string, number>()
  const finish = (verdict: RoutingVerdict): void => {
    cancelRound()
    for (const subscription of subscriptions) subscription.unsubscribe()
    done(verdict)
  }
  const onMapped = (message: Inbound): void => {
    const parts = message.subject.split('.')
    const token = parts[4] ?? ''
    if (!tokens.includes(token) || mapped.has(token)) return
    mapped.set(token, Number(parts[2]))
    if (mapped.size === PROBES) finish(verdictOf(mapped, shardCount))
  }
  const onUnmapped = (message: Inbound): void => {
    if (tokens.includes(message.subject.split('.')[2] ?? '')) finish({ routing: 'gateway' })
  }
  const subscriptions = [
    to.subscribe(`${prefix}.slot.*.${ROUTING_CHECK_OP}.*`, onMapped),
    to.subscribe(`${prefix}.${ROUTING_CHECK_OP}.*`, onUnmapped),
  ]
  const startRound = (round: number): void => {
    if (round === ROUNDS_MAX) {
      const finding = 'no routing probe came back: the broker lets this user neither publish nor hear them'
      finish({ routing: 'gateway', finding, isHeard: false })
      return
    }
    for (const token of tokens) from.publish(`${prefix}.${ROUTING_CHECK_OP}.${token}`, new Uint8Array(0))
    cancelRound = check.clock.after(ROUND_MS, () => startRound(round + 1))
  }
  to.flush(() => startRound(0))
}

const verdictOf = (mapped: ReadonlyMap<string, number>, shardCount: number): RoutingVerdict => {
  for (const [token, shard] of mapped) {
    if (shard !== shardOf(token, shardCount)) {
      return {
        routing: 'mismatch',
        finding: `the broker's mapping sends keys to the wrong shards: it must use partition(${shardCount},2); `
          + `run "shardkv nats-config --shards ${shardCount}"`,
      }
    }
  }
  return { routing: 'broker' }
}
