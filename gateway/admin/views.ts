/** What the admin API answers: every shape once, for the types, for the checks and for /openapi.json. */

import { z } from '@hono/zod-openapi'

const epoch = z.int().openapi({ description: 'Grows by one with every change of the cluster map.' })
/** Of every answer to a question. */
const read = {
  epoch,
  consistency: z.enum(['linearizable', 'local']).openapi({
    description: 'linearizable: no older than the question. local: the meta group\'s leader could not be reached; this is the newest map '
      + 'that the answering node has.',
  }),
}
const node = z.string().openapi({ example: 'n1' })
const replica = z.string().openapi({ example: 'n1:1', description: 'A node, and the generation of its replica.' })
const group = z.union([z.int(), z.literal('meta')]).openapi({ description: 'A shard, or the meta group itself.' })
const shard = z.int().openapi({ example: 7 })

export const move = z.object({
  id: z.int(),
  group,
  add: replica.nullable(),
  remove: replica.nullable(),
  step: z.enum(['adding', 'promoting', 'undoing']),
  orderedAt: epoch,
  entriesLeft: z.int().nullable().openapi({ description: 'Log entries that the added replica lacks; null while nobody has said.' }),
  bytes: z.object({
    done: z.int(), total: z.int().openapi({ description: 'Grows while clients write: that has to be copied, too.' }), perSecond: z.int(),
    secondsLeft: z.int().nullable().openapi({ description: 'At this speed; null while it stands still.' }),
  }).nullable().openapi({ description: 'Of the copy to the added replica; null while nobody has said.' }),
}).openapi('Move')

const plannedMove = z.object({ group, add: node.nullable(), remove: replica.nullable() }).openapi('PlannedMove')

const nodeView = z.object({
  id: node,
  state: z.enum(['active', 'draining', 'left']),
  isLost: z.boolean().openapi({ description: 'Silent for longer than the cluster waits; its replicas are rebuilt elsewhere.' }),
  weight: z.int(),
  zone: z.string(),
  replicas: z.int().openapi({ description: 'Of shards.' }),
  leads: z.int().openapi({ description: 'Shards it leads, as far as the answering node knows.' }),
  isMetaMember: z.boolean(),
  moves: z.int().openapi({ description: 'Moves under way that bring it a replica or take one away.' }),
}).openapi('Node')

export const shardView = z.object({
  shard,
  replicas: z.array(replica).openapi({ description: 'In order of preference: the first is to lead.' }),
  leader: node.nullable().openapi({ description: 'As far as the answering node knows.' }),
  load: z.object({ operationsPerSecond: z.int(), writtenBytesPerSecond: z.int(), keys: z.int(), keyBytes: z.int() }).nullable()
    .openapi({ description: 'Smoothed over a minute, as the meta group\'s leader has gathered; null while it does not know.' }),
  move: move.nullable(),
  damaged: z.array(z.object({ replica, state: z.enum(['quarantined', 'repairing']) })).openapi({
    description: 'Replicas that count for nothing, as far as the answering node knows; repairing: its replacement is under way.',
  }),
}).openapi('Shard')

export const clusterAnswer = z.object({
  ...read,
  cluster: z.string(),
  shardCount: z.int(),
  replicationFactor: z.int(),
  isPaused: z.boolean(),
  nodes: z.object({ active: z.int(), draining: z.int(), left: z.int(), lost: z.int() }),
  moves: z.int(),
  metaReplicas: z.array(replica),
}).openapi('Cluster')

export const nodesAnswer = z.object({ ...read, nodes: z.array(nodeView) }).openapi('Nodes')
export const nodeAnswer = z.object({ ...read, node: nodeView, moves: z.array(move) }).openapi('NodeAnswer')
export const shardsAnswer = z.object({ ...read, shards: z.array(shardView) }).openapi('Shards')
export const shardAnswer = z.object({ ...read, shard: shardView }).openapi('ShardAnswer')
export const movesAnswer = z.object({ ...read, moves: z.array(move) }).openapi('Moves')

export const planAnswer = z.object({
  ...read,
  isPaused: z.boolean(),
  underWay: z.int().openapi({ description: 'Moves that have begun.' }),
  moves: z.array(plannedMove).openapi({ description: 'Everything that is left to do beyond those, in order.' }),
  next: z.array(plannedMove).openapi({ description: 'What of it may begin now.' }),
  cancels: z.array(z.int()).openapi({ description: 'Moves that have become pointless.' }),
  preferences: z.array(z.object({ shard, replicas: z.array(replica) })).openapi({ description: 'Orders of preference that change.' }),
  blocked: z.array(group).openapi({
    description: 'Groups that need a change and have no majority of live, undamaged replicas to make it.',
  }),
  heldBack: z.array(group).openapi({
    description: 'Groups that keep a replica on a draining node: too few would be left beside those on nodes that are lost.',
  }),
  heldBackBy: z.array(node).openapi({ description: 'These lost nodes: each has to come back, or to be drained, too.' }),
  balance: z.object({
    isOn: z.boolean().openapi({ description: 'Load moves leaders and replicas, once nothing else is left to do.' }),
    nodes: z.array(z.object({ id: node, weight: z.int(), operationsPerSecond: z.int() }))
      .openapi({ description: 'What is asked of the shards that the node is to lead.' }),
  }),
}).openapi('Plan')

export const ringAnswer = z.object({
  ...read,
  nodes: z.array(z.object({
    id: node, weight: z.int(), zone: z.string(),
    share: z.number().openapi({
      description: 'Of the replicas, 0 to 1: by weight, as far as zones and one replica of a shard on a node allow.',
    }),
    replicas: z.int().openapi({ description: 'Where the ring wants them.' }),
    leaders: z.int(),
  })),
  shards: z.array(z.object({ shard, nodes: z.array(node) })),
  meta: z.array(node),
}).openapi('Ring')

export const settingsAnswer = z.object({
  ...read,
  replicationFactor: z.int(),
  isPaused: z.boolean(),
  isBalanced: z.boolean(),
  node: z.object({
    id: node, prefix: z.string(), tickMs: z.number(), lostAfterMs: z.number(), movesMax: z.int(), movesPerNodeMax: z.int(),
    moveBytesPerSecond: z.int(),
  }).openapi({ description: 'Of the answering node.' }),
}).openapi('Settings')

export const eventsAnswer = z.object({
  ...read,
  events: z.array(z.object({
    epoch, at: z.int().openapi({ description: 'Wall clock of whoever asked, in milliseconds.' }), by: z.string(), what: z.string(),
    move: z.int().nullable(),
  })).openapi({ description: 'Newest first. The cluster keeps the last 1,000.' }),
  older: z.int().nullable().openapi({ description: 'Give it as `before` for the events before these; null when there are none.' }),
}).openapi('Events')

export const changeAnswer = z.object({
  outcome: z.enum(['applied', 'unchanged']).openapi({ description: 'unchanged: it was so already.' }),
  epoch,
  move: z.int().nullable().openapi({ description: 'The move it is about.' }),
  cost: z.string().nullable().openapi({ description: 'What a change that was forced takes away; null when nothing, or not known.' }),
}).openapi('Change')

export const transferAnswer = z.object({ shard, leader: node }).openapi('Transfer')

export const problem = z.object({
  type: z.string().openapi({ example: 'urn:shardkv:problem:tooFewNodes' }),
  title: z.string(),
  status: z.int(),
  detail: z.string().openapi({ description: 'What is wrong, and what would be possible instead.' }),
  reason: z.string().openapi({ example: 'tooFewNodes' }),
  epoch: epoch.optional(),
  errors: z.array(z.object({ where: z.string(), message: z.string() })).optional(),
}).openapi('Problem')

export type Move = z.infer<typeof move>
export type PlannedMove = z.infer<typeof plannedMove>
export type NodeView = z.infer<typeof nodeView>
export type ShardView = z.infer<typeof shardView>
export type ClusterAnswer = z.infer<typeof clusterAnswer>
export type NodesAnswer = z.infer<typeof nodesAnswer>
export type ShardsAnswer = z.infer<typeof shardsAnswer>
export type MovesAnswer = z.infer<typeof movesAnswer>
export type PlanAnswer = z.infer<typeof planAnswer>
export type RingAnswer = z.infer<typeof ringAnswer>
export type SettingsAnswer = z.infer<typeof settingsAnswer>
export type EventsAnswer = z.infer<typeof eventsAnswer>
export type ChangeAnswer = z.infer<typeof changeAnswer>
export type TransferAnswer = z.infer<typeof transferAnswer>
export type Problem = z.infer<typeof problem>
