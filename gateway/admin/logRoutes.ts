/** The operations of the admin API on a node's log: paths, what they take, what they answer. */

import { createRoute, z } from '@hono/zod-openapi'
import { failure, json } from './answers.ts'
import { noQuery } from './noQuery.ts'
import { levelNames, loggedActors } from '../../observe/logLevels.ts'

const level = z.enum(levelNames)
const logAnswer = z.object({
  level: level.openapi({ description: 'Of every actor without a level of its own.' }),
  actors: z.record(z.string(), level),
}).openapi('Log')
export type LogAnswer = z.infer<typeof logAnswer>

const responses = { 200: json(logAnswer, 'What is logged now.'), ...failure }

export const logRoutes = {
  read: createRoute({ method: 'get', path: '/v1/log', summary: 'What the answering node logs', request: { query: noQuery },
    responses }),
  set: createRoute({
    method: 'patch', path: '/v1/log', summary: 'Sets what the answering node logs, of one actor or of all, until it ends',
    request: { query: noQuery, body: { required: true, content: { 'application/json': {
      schema: z.strictObject({ actor: z.enum(loggedActors).nullable().default(null), level }),
    } } } },
    responses,
  }),
}
