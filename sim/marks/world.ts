/** What all marks know of a run: the newest view of every replica of a living node, and the committed logs. */

import { nodeOf } from '../../topology/ids.ts'
import type { ShardLimits } from '../../actors/shard/limits.ts'
import type { ShardLedger } from '../ledger.ts'
import type { NetworkCounters } from '../network.ts'
import type { ReplicaView } from '../view.ts'

/** When a shard writes a snapshot because it is at rest. */
export type RestLimits = Pick<ShardLimits, 'restMs' | 'restBytesMax' | 'restLogBytesMin' | 'snapshotLogBytesMin'>

/** What the run lends. */
export interface WorldPorts {
  readonly now: () => number
  readonly shards: number
  readonly nodes: number
  /** The byte budget of a value. */
  readonly largeValueBytes: number
  readonly ledgerOf: (shard: number) => ShardLedger | undefined
  readonly network: () => NetworkCounters
  /** Null where they are a node's own, which no run is long enough for. */
  readonly rest: RestLimits | null
}

export interface World extends WorldPorts {
  readonly ofShard: (shard: number) => readonly ReplicaView[]
  readonly ofNode: (node: string) => readonly ReplicaView[]
  /** The leader of the highest term. */
  readonly leaderOf: (shard: number) => ReplicaView | undefined
  readonly isLeading: (node: string) => boolean
}

export interface OpenWorld {
  readonly world: World
  readonly see: (view: ReplicaView) => void
  /** The node's life is over. */
  readonly forget: (node: string) => void
}

export const createWorld = (ports: WorldPorts): OpenWorld => {
  const views = new Map<string, ReplicaView>()
  const all = (): ReplicaView[] => [...views.values()]
  const ofNode = (node: string): ReplicaView[] => all().filter(({ id }) => nodeOf(id) === node)
  const ofShard = (shard: number): ReplicaView[] => all().filter((view) => view.shard === shard)
  return {
    world: {
      ...ports,
      ofShard,
      ofNode,
      leaderOf: (shard) => ofShard(shard).filter(({ role }) => role === 'leader').sort((a, b) => b.term - a.term)[0],
      isLeading: (node) => ofNode(node).some(({ role }) => role === 'leader'),
    },
    see: (view) => { views.set(`${view.shard} ${view.id}`, view) },
    forget: (node) => {
      for (const [key, { id }] of views) if (nodeOf(id) === node) views.delete(key)
    },
  }
}
