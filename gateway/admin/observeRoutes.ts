/** The operations of the admin API that show what actors do (docs/RECORDING.md): paths, what they take, what they answer. */

import { createRoute, z } from '@hono/zod-openapi'
import { happeningKinds } from '../../actors/kernel/recorder.ts'
import { failure, json } from './answers.ts'
import { noQuery } from './noQuery.ts'
import { limit, moment, whole } from './numbers.ts'

const LISTED_MAX = 64

/** `a,b` is a or b, and `a,a` is a: nodes understand no list that is longer than what it can name. */
const commaSeparated = z.string().transform((text) => [...new Set(text.split(','))])
const listed = (pattern: RegExp, message: string) => commaSeparated
  .pipe(z.array(z.string().regex(pattern, message)).max(LISTED_MAX)).openapi({ type: 'string' })
const nodeIds = listed(/^[a-z][a-z0-9-]{0,31}$/, 'node is the ids of nodes, with commas between')
const actorNames = listed(/^[a-z]+(?:\/[a-z0-9]{1,64})?$/, 'actor is names such as raft/7 or raft, with commas between')
const kinds = commaSeparated.pipe(z.array(z.enum(happeningKinds))).openapi({ type: 'string' })
const traceId = z.string().regex(/^[0-9a-f]{32}$/, 'a trace id is 32 digits of 0-9 and a-f')

const REQUESTS_LIMIT_MAX = 500
const REQUESTS_LIMIT_DEFAULT = 50
const KEY_CHARACTERS_MAX = 1_024

const missing = z.array(z.string()).openapi({ description: 'Nodes that did not answer, or stopped answering.' })

export const actorsAnswer = z.object({
  nodes: z.array(z.object({
    node: z.string(),
    at: z.number().openapi({ description: 'When it answered, by its clock.' }),
    actors: z.array(z.object({
      actor: z.string().openapi({ example: 'raft/7' }),
      machine: z.string().openapi({ example: 'raft', description: 'Which chart it runs.' }),
      state: z.string().openapi({ example: 'leader.serving' }),
      since: z.number(),
      counters: z.record(z.string(), z.number()),
    })),
    operations: z.array(z.object({
      op: z.string().openapi({ example: 'put' }),
      micros: z.array(z.number()).openapi({
        description: 'Microseconds from their arrival to their answer: bucket, count, bucket, count, ... (actors/kernel/histogram.ts).',
      }),
    })).openapi({ description: 'What came in by the doors of this node since its start: the difference of two readings is a rate.' }),
    shortened: z.object({ actors: z.int() }).optional().openapi({
      description: 'The whole did not fit a message: so many actors are left out, and of the others the figures but for the term.',
    }),
  })),
  missing,
}).openapi('Actors')

const keptRequest = z.object({
  trace: traceId,
  at: z.number().openapi({ description: 'When it was answered, by the clock of its node.' }),
  node: z.string().openapi({ description: 'Whose door it came through.' }),
  op: z.string(),
  shard: z.int(),
  status: z.string(),
  micros: z.number(),
  key: z.string().optional().openapi({ description: 'Printable: other bytes as %XX, cut where it is long.' }),
}).openapi('KeptRequest')

const actorRecord = z.object({
  at: z.number(), seq: z.int(), node: z.string(), actor: z.string(), kind: z.enum(happeningKinds), event: z.string(),
  because: z.string().optional(), peer: z.string().optional(), shard: z.int().optional(), term: z.int().optional(),
  trace: traceId.optional(), micros: z.number().optional(), bytes: z.int().optional(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
}).openapi('ActorRecord')

const requestsAnswer = z.object({ requests: z.array(keptRequest), missing }).openapi('Requests')
const requestAnswer = z.object({ trace: traceId, records: z.array(actorRecord), missing }).openapi('RequestJourney')
const probeAnswer = z.object({ trace: z.array(traceId) }).openapi('Probe')

export const observeRoutes = {
  actors: createRoute({ method: 'get', path: '/v1/actors', summary: 'Every actor of every node, and the state it is in',
    request: { query: noQuery }, responses: { 200: json(actorsAnswer, 'The actors.'), ...failure } }),
  feed: createRoute({ method: 'get', path: '/v1/feed', summary: 'What the actors do, as it happens',
    request: { query: z.strictObject({
      node: nodeIds.optional(), actor: actorNames.optional(), kind: kinds.optional(), shard: whole().optional(), trace: traceId.optional(),
      detail: z.enum(['0', '1']).default('0').openapi({ description: '1: every message, not only those of sampled requests.' }),
    }) },
    responses: { 200: { content: { 'text/event-stream': { schema: z.string() } }, description: 'Events records, lost and beat.' },
      ...failure } }),
  requests: createRoute({ method: 'get', path: '/v1/requests', summary: 'Requests that were sampled, slow, or failed',
    request: { query: z.strictObject({
      order: z.enum(['slowest', 'newest']).default('newest'),
      failed: z.enum(['0', '1']).default('0').openapi({ description: '1: only those that failed.' }),
      key: z.string().max(KEY_CHARACTERS_MAX).optional(),
      limit: limit(REQUESTS_LIMIT_MAX, REQUESTS_LIMIT_DEFAULT),
    }) },
    responses: { 200: json(requestsAnswer, 'The requests.'), ...failure } }),
  request: createRoute({ method: 'get', path: '/v1/requests/{trace}', summary: 'The journey of one request through all nodes',
    request: { query: noQuery, params: z.object({ trace: traceId.openapi({ param: { name: 'trace', in: 'path' } }) }) },
    responses: { 200: json(requestAnswer, 'Its records, by time.'), ...failure } }),
  probe: createRoute({ method: 'post', path: '/v1/probe', summary: 'Sends a request of its own, sampled, to be looked at',
    request: { query: noQuery, body: { content: { 'application/json': { schema: z.strictObject({
      key: z.string().min(1).max(KEY_CHARACTERS_MAX).optional().openapi({
        description: 'Read this key. Without it a key that is reserved for probes is written and read.',
      }),
    }) } }, required: false } },
    responses: { 200: json(probeAnswer, 'Where to look: one trace for each request.'), ...failure } }),
  recording: createRoute({ method: 'get', path: '/v1/recording', summary: 'What the nodes remember, as a file',
    request: { query: z.strictObject({
      from: moment.optional(), to: moment.optional(), trace: traceId.optional(),
      kind: kinds.optional(),
    }) },
    responses: { 200: { content: { 'application/x-ndjson': { schema: z.string() } }, description: 'A head, then a record a line.' },
      ...failure } }),
}
