/**
 * `/livez` and `/readyz` over HTTP, for people, the launcher and container platforms. `/healthz` is `/readyz` under the name that others
 * use. Loopback unless told otherwise.
 *
 * `/metrics` (gateway/metrics.ts) and the admin API (gateway/admin/), where they are served, have the same port; none of the three passes
 * through the admin API.
 *
 * Who connects here may be anybody: a connection is closed when nothing of an answer was taken from it for a while, and there is a limit to
 * how many there are. A reader that lives and does not read would else hold what its answer is made from for ever, and a descriptor.
 *
 * Live: the process answers. Ready: the node serves, the broker is connected, and its replicas have caught up (topology/readiness.ts).
 */

import { createServer } from 'node:http'
import { limitPlaces } from './places.ts'
import { inTurn } from './turns.ts'
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
  /**
   * Milliseconds in which nothing came from a connection and nothing of an answer was taken: then it is closed. More than what any answer
   * waits for (30 s), and than the beat of the feed (2 s); less holds the places of the feed shorter for those that do not read.
   */
  readonly silenceMsMax?: number
  /** Open at a time (places.ts). Above what people and their tools need, below what a process may have of descriptors. */
  readonly connectionsMax?: number
  /** One was closed since there are as many, for the first time in a minute. */
  readonly onFull?: (connections: number) => void
}

const REQUEST_TIMEOUT_MS = 5_000
/** How often requests that take too long are looked for. Node's own 30 s would let a silent client keep its place for as long. */
const REQUESTS_LOOKED_AT_MS = 1_000
const SILENCE_MS_MAX = 60_000
const CONNECTIONS_MAX = 1_024
const FULL_EVERY_MS = 60_000

/** Calls back with the port it listens on, or with the reason why it can not. */
export const serveHealth = (options: HealthOptions, done: (error: Error | null, port: number) => void): { close: () => void } => {
  const listener = inTurn((request, response) => {
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
  const server: Server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: REQUESTS_LOOKED_AT_MS,
  }, listener)
  // Node begins anew to count while a write that waits makes progress.
  server.timeout = options.silenceMsMax ?? SILENCE_MS_MAX
  const { connectionsMax = CONNECTIONS_MAX } = options
  let tellAt = 0
  limitPlaces(server, connectionsMax, () => {
    if (performance.now() < tellAt) return
    tellAt = performance.now() + FULL_EVERY_MS
    options.onFull?.(connectionsMax)
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
