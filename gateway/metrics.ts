/**
 * `/metrics` on a node's HTTP port, straight from node:http: Prometheus text, or OpenMetrics where the Accept header names it.
 *
 * Who may read is the admin API's rule (gateway/admin/guard.ts): on loopback whoever comes from this machine, elsewhere whoever has a
 * token. A scraper needs no right to change a cluster, so it may have a token of its own that opens this path alone.
 */

import { createGuard, isLoopback, TOKEN_CHARACTERS_MIN } from './admin/guard.ts'
import { PROBLEM_TYPE, problemOf } from './admin/problems.ts'
import type { RequestListener, ServerResponse } from 'node:http'
import type { Problem } from './admin/views.ts'

export interface MetricsText {
  readonly contentType: string
  readonly text: string
}

export interface MetricsOptions {
  /** What the port is bound to. */
  readonly host: string
  readonly adminToken: string | null
  readonly metricsToken: string | null
  readonly render: (isOpenMetrics: boolean) => Promise<MetricsText>
  readonly onFailure: (error: unknown) => void
}

export type MetricsListener =
  | { readonly listener: RequestListener }
  /** Why it is not served. */
  | { readonly withheld: string }

export const createMetricsListener = (options: MetricsOptions): MetricsListener => {
  // A variable that is set to nothing, as a template of one leaves it, takes nobody's metrics away.
  const tokens = [options.adminToken, options.metricsToken].filter((token) => token !== null).filter((token) => token !== '')
  if (tokens.length === 0 && !isLoopback(options.host)) {
    const cure = 'set SHARDKV_METRICS_TOKEN, or bind --http-host 127.0.0.1'
    return { withheld: `/metrics is not served on ${options.host} without a token: ${cure}` }
  }
  if (tokens.some((token) => token.length < TOKEN_CHARACTERS_MIN)) {
    return { withheld: `/metrics is not served with a token of fewer than ${TOKEN_CHARACTERS_MIN} characters: it could be guessed` }
  }
  const guards = tokens.length === 0 ? [createGuard(null)] : tokens.map(createGuard)
  return {
    listener: (request, response) => {
      const header = (name: string): string | undefined => {
        const value = request.headers[name]
        return typeof value === 'string' ? value : undefined
      }
      const refusals = guards.map((guard) => guard({ header }))
      const [refusal = null] = refusals
      if (refusal !== null && !refusals.includes(null)) {
        refuse(response, refusal)
        return
      }
      options.render(isOpenMetricsWanted(header('accept') ?? '')).then(({ contentType, text }) => {
        response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' })
        response.end(text)
      }, (error: unknown) => {
        options.onFailure(error)
        refuse(response, problemOf('internal', 'this is a bug: the node\'s log says more'))
      })
    },
  }
}

/** Prometheus names what it likes best first; whoever names neither, such as curl, reads text. */
const isOpenMetricsWanted = (accept: string): boolean => accept.includes('application/openmetrics-text')

const refuse = (response: ServerResponse, problem: Problem): void => {
  response.writeHead(problem.status, {
    'content-type': PROBLEM_TYPE, 'cache-control': 'no-store',
    ...(problem.status === 401 ? { 'www-authenticate': 'Bearer realm="shardkv"' } : {}),
  })
  response.end(`${JSON.stringify(problem)}\n`)
}
