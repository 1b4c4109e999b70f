/**
 * Figures about load and copies: what a node says of the shards it leads and of the new replicas it fills, and who asks for that: the node
 * that leads the meta group, of every other, every few seconds and once a second while something moves. They inform the planner and
 * people; nothing is decided by them alone. A node that does not answer, or is too old to know the question, is simply not known.
 */

import { count, list, oneOf, record, replica, text } from '../actors/topology/fields.ts'
import { movesOf } from '../actors/topology/clusterState.ts'
import { META_GROUP, SHARD_COUNT_MAX } from './ids.ts'
import type { CatchUpFigures, NodeFigures, ShardFigures } from '../actors/topology/loads.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { LiveMap } from './liveMap.ts'
import type { ReplicaHost } from './replicaHost.ts'
import type { NodeId, ShardId } from './ids.ts'
import type { TopologyDesk } from './topologyDesk.ts'

const MOVING_EVERY_MS = 1_000
/** New replicas that one node fills. */
const CATCH_UPS_MAX = 1_024
const BOOT_CHARACTERS_MAX = 64

export type OwnFigures = Omit<NodeFigures, 'node'>

/** Whole numbers all: they travel as they are. */
export const ownFigures = (host: Pick<ReplicaHost, 'all' | 'meta'>, boot: string, now: number): OwnFigures => ({
  boot,
  atMs: Math.floor(now),
  shards: host.all().filter(({ actor }) => actor.status().serving).map(({ shard, actor }): ShardFigures => {
    const { keys, keyBytes, writtenBytes } = actor.status()
    return { shard, operations: actor.meter.counts.reduce((sum, one) => sum + one, 0), writtenBytes, keys, keyBytes }
  }),
  catchUps: [
    ...host.all().map(({ shard, raft }) => ({ group: shard as GroupKey, raft })),
    ...[host.meta()].filter((meta) => meta !== undefined).map(({ raft }) => ({ group: 'meta' as GroupKey, raft })),
  ].flatMap(({ group, raft }) => raft.catchUps().map((row): CatchUpFigures => ({ group, ...row }))),
})

const shard: Check<ShardId> = (value) => {
  const number = count(value)
  return number !== undefined && number < SHARD_COUNT_MAX ? number as ShardId : undefined
}
const group: Check<GroupKey> = (value) => oneOf('meta')(value) ?? shard(value)

export const figuresOf: Check<OwnFigures> = record<OwnFigures>({
  boot: text(BOOT_CHARACTERS_MAX),
  atMs: count,
  shards: list(record<ShardFigures>({ shard, operations: count, writtenBytes: count, keys: count, keyBytes: count }), META_GROUP),
  catchUps: list(record<CatchUpFigures>({ group, replica, doneBytes: count, totalBytes: count }), CATCH_UPS_MAX),
})

export interface FigureRoundsOptions {
  readonly live: Pick<LiveMap, 'state' | 'map'>
  readonly ask: TopologyDesk['ask']
  readonly meta: () => Pick<HostedMeta, 'actor'> | undefined
  /** 0: nobody is asked. */
  readonly everyMs: number
}

export interface FigureRounds {
  readonly onTick: (now: number) => void
}

export const createFigureRounds = ({ live, ask, meta, everyMs }: FigureRoundsOptions): FigureRounds => {
  let askedAt = Number.NEGATIVE_INFINITY
  let isMoving = false
  let lookedAt: ClusterState | null = null
  /** A state is never changed in place, and of a thousand shards it takes a while to be gone through. */
  const look = (state: ClusterState): void => {
    if (state !== lookedAt) isMoving = movesOf(state).length > 0
    lookedAt = state
  }
  const told = (node: NodeId, value: unknown): void => {
    const figures = figuresOf(value)
    if (figures !== undefined) meta()?.actor.send({ type: 'topology.figures', figures: { node, ...figures } })
  }
  return {
    onTick: (now) => {
      if (everyMs === 0 || meta()?.actor.state().startsWith('leading') !== true) return
      look(live.state())
      if (now - askedAt < (isMoving ? Math.min(MOVING_EVERY_MS, everyMs) : everyMs)) return
      askedAt = now
      for (const node of live.map().nodes) ask(node, { kind: 'figures' }, (value) => told(node, value))
    },
  }
}
