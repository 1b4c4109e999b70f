/**
 * How long a shard acknowledges nothing, asked over plain requests to keys that no other client uses: the cluster's time, not a
 * client's timeout.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { shardOf } from '../../topology/hash.ts'
import type { Bus } from '../../bus/port.ts'

const PROBE_EVERY_MS = 10
/** So long one is waited for before another is sent: it may have gone to a node that is no more. */
const PATIENCE_MS = 100
/** The answer to an earlier one counts all the same: what takes longer than that on a slow machine is acknowledged, too. */
const PROBE_TIMEOUT_MS = 5_000
const GIVES_UP_MS = 20_000
const WATCH_EVERY_MS = 200

/** Milliseconds until `shard` acknowledges a write again. */
export const awaitAcknowledgement = async (bus: Bus, shard: number, shardCount: number, withinMs = GIVES_UP_MS): Promise<number> => {
  const key = keyOfShard(shard, shardCount)
  const since = performance.now()
  let acknowledgedAt: number | null = null
  const probe = (): Promise<void> => new Promise((resolve) => {
    bus.request(`kv.put.${key}`, new Uint8Array(1), { timeoutMs: PROBE_TIMEOUT_MS }, (_failure, answer) => {
      if (answer?.headers?.get('Kv-Status') === 'OK') acknowledgedAt ??= performance.now()
      resolve()
    })
  })
  while (performance.now() - since < withinMs) {
    await Promise.race([probe(), pause(PATIENCE_MS)])
    if (acknowledgedAt !== null) return acknowledgedAt - since
    await pause(PROBE_EVERY_MS)
  }
  throw new Error(`shard ${shard} acknowledges nothing for ${withinMs} ms`)
}

export interface ShardWatch {
  /** The longest that any shard acknowledged nothing, in ms. */
  readonly stop: () => Promise<number>
}

/** Probes every shard, apart from whatever else is tested: what the cluster itself was capable of. */
export const watchShards = (bus: Bus, shardCount: number): ShardWatch => {
  const over = new AbortController()
  const watch = async (shard: number): Promise<number> => {
    let longest = 0
    while (!over.signal.aborted) {
      longest = Math.max(longest, await awaitAcknowledgement(bus, shard, shardCount).catch(() => GIVES_UP_MS))
      await pause(WATCH_EVERY_MS)
    }
    return longest
  }
  const watches = Array.from({ length: shardCount }, (_, shard) => watch(shard))
  return {
    stop: async () => {
      over.abort()
      return Math.max(...await Promise.all(watches))
    },
  }
}

const keyOfShard = (shard: number, shardCount: number): string => {
  for (let i = 0; ; i += 1) if (shardOf(`probe-${i}`, shardCount) === shard) return `probe-${i}`
}
