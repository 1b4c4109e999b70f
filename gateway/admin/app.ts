/**
 * The admin API: HTTP on every node, for `shardkv member`, `plan`, `shard` and for any program (docs/ADMIN_API.md). It decides nothing:
 * changes go to the meta group, reads come from its leader, errors are problem+json.
 */

import { OpenAPIHono } from '@hono/zod-openapi'
import { addChanges } from './changeHandlers.ts'
import { createGuard } from './guard.ts'
import { PROBLEM_TYPE, ProblemError, problemOf, retryAfterOf } from './problems.ts'
import { addObservation } from './observeHandlers.ts'
import { addReads } from './readHandlers.ts'
import { addLog } from './logHandlers.ts'
import type { LogLevels } from '../../observe/logLevels.ts'
import type { Observation } from '../../observe/recorder/observation.ts'
import type { ClusterAdmin } from '../../topology/clusterAdmin.ts'
import type { Problem } from './views.ts'

/** The largest body is a move. */
const BODY_BYTES_MAX = 4_096
/** Requests that wait for their answer. Above it: overloaded. */
const WAITING_MAX = 64

export interface AdminAppOptions {
  /** Null while the node starts. */
  readonly admin: () => ClusterAdmin | null
  /** Null while the node starts, or when nothing is recorded. */
  readonly observation: () => Observation | null
  readonly token: string | null
  readonly version: string
  readonly logLevels: LogLevels
  /** Fresh, at most 64 printable characters. */
  readonly newRequestId: () => string
  /** A bug: the caller is told no more than that. */
  readonly onFailure: (error: unknown) => void
}

export interface AdminApp {
  readonly fetch: (request: Request) => Response | Promise<Response>
}

export const createAdminApp = (options: AdminAppOptions): AdminApp => {
  const guard = createGuard(options.token)
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw malformed(result.error.issues, result.target === 'json' ? 'body' : result.target)
    },
  })
  let waiting = 0

  app.use(async (c, next) => {
    const refusal = guard({ header: (name) => c.req.header(name) })
    if (refusal !== null) return answer(refusal)
    const unfit = unfitBody(c.req.header())
    if (unfit !== null) return answer(unfit)
    if (waiting >= WAITING_MAX) return answer(problemOf('overloaded', `${WAITING_MAX} requests wait for their answer: try again later`))
    waiting += 1
    try {
      await next()
      c.header('cache-control', 'no-store')
      return undefined
    } finally {
      waiting -= 1
    }
  })
  const admin = (): ClusterAdmin => options.admin() ?? notYet()
  addReads(app, admin)
  addObservation(app, () => options.observation() ?? notYet())
  addLog(app, options.logLevels)
  addChanges(app, { admin, newRequestId: options.newRequestId })
  describe(app, options)
  app.notFound((c) => answer(problemOf('noSuchPath', `there is no ${c.req.method} ${c.req.path}; /openapi.json lists what there is`)))
  app.onError((error) => {
    if (error instanceof ProblemError) return answer(error.problem)
    if ('status' in error && error.status === 400) return answer(problemOf('malformed', 'the body is not JSON'))
    options.onFailure(error)
    return answer(problemOf('internal', 'this is a bug: the node\'s log says more'))
  })
  return { fetch: (request) => app.fetch(request) }
}

const BEARER = 'bearer'

/** The scheme is there in any case, so that one client is made for all clusters; asked for where this node has a token. */
const describe = (app: OpenAPIHono, { token, version }: AdminAppOptions): void => {
  app.openAPIRegistry.registerComponent('securitySchemes', BEARER, {
    type: 'http', scheme: 'bearer', description: 'SHARDKV_ADMIN_TOKEN of the nodes. A node on loopback without one asks for none.',
  })
  app.doc31('/openapi.json', {
    openapi: '3.1.0', info: { title: 'ShardKV admin API', version }, security: token === null ? [] : [{ [BEARER]: [] }],
  })
}

const notYet = (): never => {
  throw new ProblemError('starting', 'this node is starting, or ending: ask another, or again in a moment')
}

/** Node reads no more of a body than Content-Length says, so nothing else has to be counted. */
const unfitBody = (headers: Readonly<Record<string, string>>): Problem | null => {
  const { 'content-type': type, 'content-length': length = '0', 'transfer-encoding': coding } = headers
  if (coding !== undefined) return problemOf('lengthRequired', 'a body comes with its Content-Length')
  if (Number(length) > BODY_BYTES_MAX) return problemOf('tooLarge', `a body has at most ${BODY_BYTES_MAX} bytes`)
  const isFit = length === '0' || /^application\/json(?:;|$)/i.test(type ?? '')
  return isFit ? null : problemOf('unsupportedMediaType', 'a body is application/json')
}

const answer = (problem: Problem): Response => {
  const retryAfter = retryAfterOf(problem)
  return new Response(`${JSON.stringify(problem)}\n`, {
    status: problem.status,
    headers: {
      'content-type': PROBLEM_TYPE, 'cache-control': 'no-store',
      ...(problem.status === 401 ? { 'www-authenticate': 'Bearer realm="shardkv"' } : {}),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    },
  })
}

interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** `whole`: what they are of, where it is no field of it. */
const malformed = (issues: readonly Issue[], whole: string): ProblemError => {
  const errors = issues.map(({ path, message }) => ({ where: path.length === 0 ? whole : path.map(String).join('.'), message }))
  const [first] = errors
  return new ProblemError('malformed', first === undefined ? 'not as asked for' : `${first.where}: ${first.message}`, { errors })
}
