/** What the answering node logs: read and set, for this node alone and until it ends. It works while the node starts, too. */

import { logRoutes } from './logRoutes.ts'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { LogLevels } from '../../observe/logLevels.ts'

export const addLog = (app: OpenAPIHono, levels: LogLevels): void => {
  app.openapi(logRoutes.read, (c) => c.json(levels.read(), 200))
  app.openapi(logRoutes.set, (c) => {
    const { actor, level } = c.req.valid('json')
    levels.set(actor, level)
    return c.json(levels.read(), 200)
  })
}
