/**
 * A read shows all that was committed when it came (thesis 6.4; docs/TESTING.md T1, T2): the index at which its member confirms it is at or
 * above everything that any leader had committed by then. Clients see a stale read only where its key was written in between; this needs no
 * write. Reads by the lease are held to the same. Those of the meta group do not pass the wires that are heard (wires.ts).
 */

import type { WireListener } from '../wires.ts'
import type { Problem } from '../view.ts'

export const FRESH_READS = 'a read shows all that was committed when it came'

export interface FreshReads {
  readonly asks: WireListener['asks']
  readonly answers: (...heard: Parameters<WireListener['answers']>) => Problem
}

/** Of one life of a node: reads are numbered by shard. `committed`: how many entries of a shard anybody has committed so far. */
export const createFreshReads = (node: string, committed: (shard: number) => number): FreshReads => {
  const came = new Map<string, number>()
  return {
    asks: (shard, event) => {
      if (event.type === 'raft.read') came.set(`${shard} ${event.read}`, committed(shard))
    },
    answers: (shard, event) => {
      if (event.type !== 'raft.readReady' && event.type !== 'raft.readRefused') return null
      const key = `${shard} ${event.read}`
      const least = came.get(key) ?? 0
      came.delete(key)
      if (event.type === 'raft.readRefused' || event.index >= least) return null
      return `${node} confirms a read of shard ${shard} at index ${event.index}; ${least} were committed when it came`
    },
  }
}
