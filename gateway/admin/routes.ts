/** The operations of the admin API: paths, what they take, what they answer. What they do is in readHandlers.ts and changeHandlers.ts. */

import { createRoute, z } from '@hono/zod-openapi'
import { failure, json } from './answers.ts'
import { noQuery } from './noQuery.ts'
import { limit, whole } from './numbers.ts'
import {
  changeAnswer, clusterAnswer, eventsAnswer, movesAnswer, nodeAnswer, nodesAnswer, planAnswer, ringAnswer, settingsAnswer, shardAnswer,
  shardsAnswer, transferAnswer,
} from './views.ts'

export const EVENTS_LIMIT_MAX = 100
const EVENTS_LIMIT_DEFAULT = 20
const ZONE_CHARACTERS_MAX = 64

const body = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } }, required: true })

const nodeId = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a node is 1-32 of a-z, 0-9 and -, starting with a letter')
const replicaId = z.string().regex(/^[a-z][a-z0-9-]{0,31}:[1-9][0-9]{0,15}$/, 'a replica is a node and a generation, such as n1:1')

const nodeParams = z.object({ id: nodeId.openapi({ param: { name: 'id', in: 'path' }, example: 'n1' }) })
const shardParams = z.object({ shard: whole().openapi({ param: { name: 'shard', in: 'path' }, example: 7 }) })
const moveParams = z.object({ id: whole().openapi({ param: { name: 'id', in: 'path' }, example: 3 }) })

/** Of every change. */
const changeHeaders = z.object({
  'if-match': z.string().regex(/^(?:"(?:0|[1-9]\d{0,14})"|0|[1-9]\d{0,14})$/, 'If-Match is an epoch').optional().openapi({
    description: 'The epoch that the change was made for: at another it is refused with staleEpoch. Without it, the newest counts.',
  }),
  'idempotency-key': z.string().regex(/^[\x21-\x7e]{1,64}$/, 'an Idempotency-Key is 1-64 printable characters').optional().openapi({
    description: 'Repeated with the same key, a change takes effect once.',
  }),
  'shardkv-by': z.string().regex(/^[\x21-\x7e]{1,32}$/, 'Shardkv-By is 1-32 printable characters').optional().openapi({
    description: 'Who asks, for the event history.',
  }),
})

const forceQuery = z.strictObject({
  force: z.stringbool().default(false).openapi({
    description: 'Even where that leaves fewer nodes than replicas, or fewer zones.', type: 'boolean',
  }),
})

const changed = { responses: { 200: json(changeAnswer, 'What was decided.'), ...failure } }

export const readRoutes = {
  cluster: createRoute({ method: 'get', path: '/v1/cluster', summary: 'The cluster at a glance',
    request: { query: noQuery }, responses: { 200: json(clusterAnswer, 'The cluster.'), ...failure } }),
  nodes: createRoute({ method: 'get', path: '/v1/nodes', summary: 'Every node the cluster knows',
    request: { query: noQuery }, responses: { 200: json(nodesAnswer, 'The nodes.'), ...failure } }),
  node: createRoute({ method: 'get', path: '/v1/nodes/{id}', summary: 'One node, and the moves that concern it',
    request: { query: noQuery, params: nodeParams }, responses: { 200: json(nodeAnswer, 'The node.'), ...failure } }),
  shards: createRoute({ method: 'get', path: '/v1/shards', summary: 'Where every shard lives',
    request: { query: noQuery }, responses: { 200: json(shardsAnswer, 'The shards.'), ...failure } }),
  shard: createRoute({ method: 'get', path: '/v1/shards/{shard}', summary: 'Where one shard lives',
    request: { query: noQuery, params: shardParams }, responses: { 200: json(shardAnswer, 'The shard.'), ...failure } }),
  moves: createRoute({ method: 'get', path: '/v1/moves', summary: 'The moves under way',
    request: { query: noQuery }, responses: { 200: json(movesAnswer, 'The moves.'), ...failure } }),
  plan: createRoute({ method: 'get', path: '/v1/plan', summary: 'What is left to do; changes nothing',
    request: { query: z.strictObject({ drain: nodeId.optional().openapi({ description: 'As if this node had been told to drain.' }) }) },
    responses: { 200: json(planAnswer, 'The plan.'), ...failure } }),
  ring: createRoute({ method: 'get', path: '/v1/ring', summary: 'Where the ring wants every shard',
    request: { query: noQuery }, responses: { 200: json(ringAnswer, 'The ring.'), ...failure } }),
  settings: createRoute({ method: 'get', path: '/v1/settings', summary: 'What the cluster and the answering node are set to',
    request: { query: noQuery }, responses: { 200: json(settingsAnswer, 'The settings.'), ...failure } }),
  events: createRoute({ method: 'get', path: '/v1/events', summary: 'What was decided, newest first',
    request: { query: z.strictObject({
      limit: limit(EVENTS_LIMIT_MAX, EVENTS_LIMIT_DEFAULT),
      before: whole(1).optional().openapi({ description: 'Only events of older epochs.' }),
    }) },
    responses: { 200: json(eventsAnswer, 'The events.'), ...failure } }),
}

export const changeRoutes = {
  cluster: createRoute({ method: 'patch', path: '/v1/cluster',
    summary: 'Sets how many replicas every shard is to have, or whether load moves anything',
    request: { headers: changeHeaders, query: forceQuery, body: body(
      z.strictObject({ replicationFactor: z.int().nonnegative().optional(), isBalanced: z.boolean().optional() })
        .refine(({ replicationFactor, isBalanced }) => (replicationFactor === undefined) !== (isBalanced === undefined),
          'give replicationFactor or isBalanced, one at a time'),
    ) }, ...changed }),
  drain: createRoute({ method: 'post', path: '/v1/nodes/{id}/drain', summary: 'Moves everything off a node, which then leaves and stops',
    request: { params: nodeParams, headers: changeHeaders, query: forceQuery }, ...changed }),
  activate: createRoute({ method: 'post', path: '/v1/nodes/{id}/activate', summary: 'Ends a drain',
    request: { query: noQuery, params: nodeParams, headers: changeHeaders }, ...changed }),
  remove: createRoute({ method: 'delete', path: '/v1/nodes/{id}', summary: 'Removes a node that carries nothing',
    request: { params: nodeParams, headers: changeHeaders, query: forceQuery }, ...changed }),
  node: createRoute({ method: 'patch', path: '/v1/nodes/{id}', summary: 'Sets a node\'s weight, or its zone',
    request: { params: nodeParams, headers: changeHeaders, query: forceQuery, body: body(
      z.strictObject({ weight: z.int().nonnegative().optional(), zone: z.string().max(ZONE_CHARACTERS_MAX).optional() })
        .refine(({ weight, zone }) => (weight === undefined) !== (zone === undefined), 'give weight or zone, one at a time'),
    ) }, ...changed }),
  move: createRoute({ method: 'post', path: '/v1/moves', summary: 'Begins a move by hand, while the cluster is paused',
    request: { query: noQuery, headers: changeHeaders, body: body(z.strictObject({
      group: z.union([z.int().nonnegative(), z.literal('meta')]),
      add: nodeId.nullable().default(null),
      remove: replicaId.nullable().default(null),
    })) }, ...changed }),
  cancel: createRoute({ method: 'post', path: '/v1/moves/{id}/cancel', summary: 'Undoes a move that is under way',
    request: { query: noQuery, params: moveParams, headers: changeHeaders }, ...changed }),
  apply: createRoute({ method: 'post', path: '/v1/plan/apply', summary: 'Lets the plan be carried out: the same as resume',
    request: { query: noQuery, headers: changeHeaders }, ...changed }),
  pause: createRoute({ method: 'post', path: '/v1/plan/pause', summary: 'No move begins by itself; those under way go on',
    request: { query: noQuery, headers: changeHeaders }, ...changed }),
  resume: createRoute({ method: 'post', path: '/v1/plan/resume', summary: 'Moves begin by themselves again',
    request: { query: noQuery, headers: changeHeaders }, ...changed }),
  transfer: createRoute({ method: 'post', path: '/v1/shards/{shard}/transfer', summary: 'Lets another replica lead, while paused',
    request: { query: noQuery, params: shardParams, headers: changeHeaders, body: body(z.strictObject({ to: nodeId })) },
    responses: { 200: json(transferAnswer, 'It leads.'), ...failure } }),
}
