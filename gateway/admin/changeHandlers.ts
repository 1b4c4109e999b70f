/** Changes of the admin API. Each is one command to the meta group, with an epoch where the caller gave one. */

import { ProblemError, decidedOrThrow } from './problems.ts'
import { requestIdOf } from './requestId.ts'
import { changeRoutes } from './routes.ts'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Wish } from '../../actors/topology/protocol.ts'
import type { NodeId, ReplicaId, ShardId } from '../../topology/ids.ts'
import type { Changed } from '../../topology/changes.ts'
import type { Transferred } from '../../topology/clusterAdmin.ts'
import type { AdminSource } from './readHandlers.ts'
import type { ChangeAnswer } from './views.ts'

export interface ChangesOptions {
  readonly admin: AdminSource
  /** A request id for a caller that gave none. */
  readonly newRequestId: () => string
}

interface ChangeHeaders {
  readonly 'if-match'?: string | undefined
  readonly 'idempotency-key'?: string | undefined
  readonly 'shardkv-by'?: string | undefined
}

const unforced = { force: false }

/** What is asked for, without how: a repetition by force is the same request. As the digest of an unforced one always was. */
const calm = (wish: object): object => ('isForced' in wish ? { ...wish, isForced: false } : wish)

export const addChanges = (app: OpenAPIHono, { admin, newRequestId }: ChangesOptions): void => {
  const termsOf = ({ 'shardkv-by': by = 'admin', 'idempotency-key': key }: ChangeHeaders, wish: object) =>
    ({ by, request: key === undefined ? newRequestId() : requestIdOf(key, calm(wish)) })
  const change = async (headers: ChangeHeaders, wish: Wish, { force: isForced } = unforced): Promise<ChangeAnswer> => {
    const asked = { wish, expectedEpoch: epochIn(headers), isForced, ...termsOf(headers, wish) }
    const [outcome, cost = null] = await new Promise<Parameters<Changed>>((resolve) => {
      admin().change(asked, (...told) => { resolve(told) })
    })
    const decided = decidedOrThrow(outcome)
    const move = decided.kind === 'applied' && decided.move !== 0 ? decided.move : null
    return { outcome: decided.kind, epoch: decided.epoch, move, cost }
  }

  app.openapi(changeRoutes.cluster, async (c) => {
    const { replicationFactor, isBalanced = true } = c.req.valid('json')
    const wish: Wish = replicationFactor === undefined ? { kind: 'setBalance', isOn: isBalanced }
      : { kind: 'setReplicationFactor', replicationFactor }
    return c.json(await change(c.req.valid('header'), wish, c.req.valid('query')), 200)
  })
  app.openapi(changeRoutes.drain, async (c) => {
    const wish = { kind: 'drainNode', node: c.req.valid('param').id as NodeId, isForced: c.req.valid('query').force } as const
    return c.json(await change(c.req.valid('header'), wish, c.req.valid('query')), 200)
  })
  app.openapi(changeRoutes.activate, async (c) =>
    c.json(await change(c.req.valid('header'), { kind: 'activateNode', node: c.req.valid('param').id as NodeId }), 200))
  app.openapi(changeRoutes.remove, async (c) => {
    const wish = { kind: 'removeNode', node: c.req.valid('param').id as NodeId } as const
    return c.json(await change(c.req.valid('header'), wish, c.req.valid('query')), 200)
  })
  app.openapi(changeRoutes.node, async (c) => {
    const node = c.req.valid('param').id as NodeId
    const { weight, zone = '' } = c.req.valid('json')
    const wish: Wish = weight === undefined ? { kind: 'setZone', node, zone } : { kind: 'setWeight', node, weight }
    return c.json(await change(c.req.valid('header'), wish, c.req.valid('query')), 200)
  })
  app.openapi(changeRoutes.move, async (c) => {
    const { group, add, remove } = c.req.valid('json')
    const wish: Wish = {
      kind: 'beginMove', group: group as ShardId | 'meta', add: add as NodeId | null, remove: remove as ReplicaId | null, isPlanned: false,
    }
    return c.json(await change(c.req.valid('header'), wish), 200)
  })
  app.openapi(changeRoutes.cancel, async (c) =>
    c.json(await change(c.req.valid('header'), { kind: 'cancel', move: c.req.valid('param').id }), 200))
  app.openapi(changeRoutes.apply, async (c) => c.json(await change(c.req.valid('header'), { kind: 'resume' }), 200))
  app.openapi(changeRoutes.pause, async (c) => c.json(await change(c.req.valid('header'), { kind: 'pause' }), 200))
  app.openapi(changeRoutes.resume, async (c) => c.json(await change(c.req.valid('header'), { kind: 'resume' }), 200))
  app.openapi(changeRoutes.transfer, async (c) => {
    const wish = { shard: c.req.valid('param').shard as ShardId, to: c.req.valid('json').to as NodeId }
    const headers = c.req.valid('header')
    const terms = { ...termsOf(headers, { kind: 'transfer', ...wish }), expectedEpoch: epochIn(headers) }
    const result = await new Promise<Transferred | null>((resolve) => { admin().transfer(wish, terms, resolve) })
    if (result?.kind === 'givenUp') throw new ProblemError('givenUp', result.message)
    if (result?.kind !== 'leads') decidedOrThrow(result)
    return c.json({ shard: wish.shard, leader: wish.to }, 200)
  })
}

const epochIn = (headers: ChangeHeaders): number | null => {
  const given = headers['if-match']
  return given === undefined ? null : Number(given.replaceAll('"', ''))
}
