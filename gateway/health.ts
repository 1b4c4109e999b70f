/**
 * `/livez` and `/readyz` over HTTP, for people, the launcher and container platforms. `/healthz` is `/readyz` under the name that others
 * use. Loopback unless told otherwise.
 *
 * `/metrics` (gateway/metrics.ts) and the admin API (gateway/admin/), where they are served, have the same port; none of the three passes
 * through the admin API.
 *
 * Live: the process answers. Ready: the node serves, the broker is connected, and its replicas have caught up (topology/readiness.ts).
 */

import { createServer } from 'node:http'
import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { PageListener } from './observatory.ts'

export interface Readiness {
  readonly ready: boolean
  /** What is missing, for a person; empty when ready. */
  readonly waitingFor: readonly string[]
  readonly warnings: readonly string[]
}

export interface HealthOptions {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  readonly readiness: () => Readiness
  readonly metrics?: RequestListener
  /** Everything else goes there; without it there is nothing else. */
  readonly admin?: RequestListener
  /** The Observatory's page, where the admin API is served. */
  readonly page?: PageListener
}

const REQUEST_TIMEOUT_MS = 5_000

/** Calls back with the port it listens on, or with the reason why it can not. */
export const serveHealth = (options: HealthOptions, done: (error: Error | null, port: number) => void): { close: () => void } => {
  const server: Server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const path = (request.url ?? '').split('?')[0]
    const isReadiness = path === '/readyz' || path === '/healthz'
    const isHealth = path === '/livez' || isReadiness
    const isMetrics = path === '/metrics' && options.metrics !== undefined
    const isOwn = isHealth || isMetrics
    if (!isOwn && options.page?.(request, response) === true) return
    if (!isOwn && options.admin !== undefined) options.admin(request, response)
    else if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, { error: 'use GET' })
    else if (isMetrics) options.metrics?.(request, response)
    else if (path === '/livez') answer(response, 200, { live: true })
    else if (isReadiness) {
      const readiness = options.readiness()
      answer(response, readiness.ready ? 200 : 503, readiness)
    } else answer(response, 404, { error: 'there are /livez, /readyz and /healthz' })
  })
  server.once('error', (error) => done(error, 0))
  server.listen(options.port, options.host, () => {
    const address = server.address()
    done(null, typeof address === 'object' && address !== null ? address.port : options.port)
  })
  return {
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const answer = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(body)}\n`)
}
