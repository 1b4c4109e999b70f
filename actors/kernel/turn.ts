/**
 * What leaves at the end of a turn of the event loop, in stage order: connections gather requests, shards make them one entry, raft
 * members replicate it, the post sends one frame per node, the log writes one group. One deferred callback serves all stages, so that
 * a request that arrived this turn is on the wire, and on its way to the disk, at its end.
 *
 * A flush may wake an earlier stage (a group of one commits at once and its answer frees a connection), so the stages are run
 * again until nothing is left, at most PASSES_MAX times; what is left then waits for the next turn.
 */

import type { Clock } from './clock.ts'

const PASSES_MAX = 8
const STAGES = ['connection', 'shard', 'raft', 'post', 'wal'] as const
export type Stage = (typeof STAGES)[number]

export interface Turn {
  /** A `requestFlush` port for one actor: however often it asks within a turn, `flush` runs once. */
  readonly member: (stage: Stage, flush: () => void) => () => void
}

export const createTurn = (clock: Clock): Turn => {
  /** Of each stage, in their order. */
  const waiting: (() => void)[][] = STAGES.map(() => [])
  /** In all of them. */
  let count = 0
  let isScheduled = false

  const runStage = (at: number): void => {
    const flushes = waiting[at] as (() => void)[]
    if (flushes.length === 0) return
    waiting[at] = []
    count -= flushes.length
    for (const flush of flushes) flush()
  }
  const hasWork = (): boolean => count > 0
  const run = (): void => {
    for (let pass = 0; pass < PASSES_MAX && hasWork(); pass += 1) {
      for (let at = 0; at < waiting.length; at += 1) runStage(at)
    }
    isScheduled = false
    if (hasWork()) schedule()
  }
  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    clock.defer(run)
  }

  return {
    member: (stage, flush) => {
      const at = STAGES.indexOf(stage)
      let isWaiting = false
      const runOnce = (): void => {
        isWaiting = false
        flush()
      }
      return () => {
        if (isWaiting) return
        isWaiting = true
        waiting[at]?.push(runOnce)
        count += 1
        schedule()
      }
    },
  }
}
