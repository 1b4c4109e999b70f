/** The admin API behind a node's HTTP port, or nothing where nothing would keep strangers out (gateway/admin/guard.ts). */

import { getRequestListener } from '@hono/node-server'
import { createAdminApp } from './app.ts'
import { TOKEN_CHARACTERS_MIN, isLoopback } from './guard.ts'
import type { RequestListener } from 'node:http'
import type { AdminAppOptions } from './app.ts'

export interface AdminListenerOptions extends AdminAppOptions {
  /** What the port is bound to. */
  readonly host: string
}

export type AdminListener =
  | { readonly listener: RequestListener }
  /** Why only health is served. */
  | { readonly withheld: string }

export const createAdminListener = (options: AdminListenerOptions): AdminListener => {
  const { host, token } = options
  if (token === null && !isLoopback(host)) {
    return { withheld: `the admin API is not served on ${host} without a token: set SHARDKV_ADMIN_TOKEN, or bind --http-host 127.0.0.1` }
  }
  if (token !== null && token.length < TOKEN_CHARACTERS_MIN) {
    return { withheld: `the admin API is not served with a token of fewer than ${TOKEN_CHARACTERS_MIN} characters: it could be guessed` }
  }
  const { fetch } = createAdminApp(options)
  const listener = getRequestListener(fetch, { overrideGlobalObjects: false })
  return { listener: (request, response) => { void listener(request, response) } }
}
