/** Questions of the admin API. */

import { ProblemError } from './problems.ts'
import { readRoutes } from './routes.ts'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { ClusterAdmin } from '../../topology/clusterAdmin.ts'
import type { Reading } from '../../topology/adminViews.ts'

/** Answers while the node runs; throws a problem while it starts. */
export type AdminSource = () => ClusterAdmin

export const addReads = (app: OpenAPIHono, admin: AdminSource): void => {
  const read = (): Promise<Reading> => new Promise((resolve) => { admin().read(resolve) })

  app.openapi(readRoutes.cluster, async (c) => c.json((await read()).cluster(), 200))
  app.openapi(readRoutes.nodes, async (c) => c.json((await read()).nodes(), 200))
  app.openapi(readRoutes.shards, async (c) => c.json((await read()).shards(), 200))
  app.openapi(readRoutes.moves, async (c) => c.json((await read()).moves(), 200))
  app.openapi(readRoutes.ring, async (c) => c.json((await read()).ring(), 200))
  app.openapi(readRoutes.settings, async (c) => c.json((await read()).settings(), 200))
  app.openapi(readRoutes.node, async (c) => {
    const { id } = c.req.valid('param')
    const reading = await read()
    const { nodes, ...head } = reading.nodes()
    const node = nodes.find((one) => one.id === id)
    if (node === undefined) throw new ProblemError('unknownNode', `there is no node "${id}"; GET /v1/nodes lists them`)
    const isOfNode = (replica: string | null): boolean => replica?.split(':')[0] === id
    const moves = reading.moves().moves.filter(({ add, remove }) => isOfNode(add) || isOfNode(remove))
    return c.json({ ...head, node, moves }, 200)
  })
  app.openapi(readRoutes.shard, async (c) => {
    const { shard: wanted } = c.req.valid('param')
    const { shards, ...head } = (await read()).shards()
    const shard = shards[wanted as ShardId]
    if (shard === undefined) throw new ProblemError('unknownGroup', `there are shards 0 to ${shards.length - 1}`)
    return c.json({ ...head, shard }, 200)
  })
  app.openapi(readRoutes.plan, async (c) => {
    const { drain } = c.req.valid('query')
    const plan = (await read()).plan((drain ?? null) as NodeId | null)
    if ('kind' in plan) throw new ProblemError(plan.reason, plan.message, { epoch: plan.epoch })
    return c.json(plan, 200)
  })
  app.openapi(readRoutes.events, async (c) => {
    const { limit, before = 0 } = c.req.valid('query')
    const history = await new Promise<Parameters<Parameters<ClusterAdmin['events']>[1]>[0]>((resolve) => {
      admin().events({ limit, before }, resolve)
    })
    if (history === null) throw new ProblemError('undecided', 'no leader of the meta group answered, and it alone knows: ask again')
    const events = history.events.map(({ epoch, at, by, what, move }) => ({ epoch, at, by, what, move: move === 0 ? null : move }))
    const { epoch, oldest } = history
    const last = events.at(-1)?.epoch ?? oldest
    const older = events.length === limit && last > oldest ? last : null
    return c.json({ epoch, consistency: 'linearizable' as const, events, older, oldest }, 200)
  })
}
