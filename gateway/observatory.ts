/**
 * The Observatory's page and its assets, behind a node's HTTP port (docs/OBSERVATORY.md). What is served is a list made when the page was
 * built, read once when the node starts: a path is looked up in it, and never becomes the name of a file.
 *
 * The page is the same for everybody and says nothing of the cluster, so it is served wherever the admin API is, without the token; what it
 * then asks for goes through the guard like any other request. Without a token only names of loopback are answered, as there.
 */

import { gzip } from 'node:zlib'
import { promisify } from 'node:util'
import { isLocalName } from './admin/guard.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { LocalFiles } from '../storage/localFiles.ts'

/** Of all assets together: there is a limit to what a node keeps for its page. */
const ASSET_BYTES_MAX = 4 * 1_024 * 1_024

export interface PageAsset {
  readonly path: string
  readonly type: string
  /** Its name changes with its content: a browser may keep it for ever. */
  readonly isKept: boolean
  readonly plain: Uint8Array
  readonly packed: Uint8Array
}

/** True: it was a request for the page, and is answered. */
export type PageListener = (request: IncomingMessage, response: ServerResponse) => boolean

export interface PageOptions {
  readonly assets: ReadonlyMap<string, PageAsset>
  readonly isTokenSet: boolean
}

export const createPageListener = ({ assets, isTokenSet }: PageOptions): PageListener => (request, response) => {
  const asset = assets.get((request.url ?? '').split('?')[0] ?? '')
  if (asset === undefined) return false
  if (!isTokenSet && !isLocalName(request.headers.host ?? '')) refuse(response, 403, 'ask under 127.0.0.1, [::1] or localhost')
  else if (request.method !== 'GET' && request.method !== 'HEAD') refuse(response, 405, 'use GET')
  else send(asset, request, response)
  return true
}

const headers = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

const send = ({ type, isKept, plain, packed }: PageAsset, request: IncomingMessage, response: ServerResponse): void => {
  const isPacked = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  const body = isPacked ? packed : plain
  response.writeHead(200, {
    ...headers, 'content-type': type, 'content-length': body.length, vary: 'accept-encoding',
    'cache-control': isKept ? 'public, max-age=31536000, immutable' : 'no-cache',
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

const refuse = (response: ServerResponse, status: number, error: string): void => {
  response.writeHead(status, { ...headers, 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify({ error })}\n`)
}

/** What was built into `directory`; nothing when the page was not built. */
export const readPageAssets = async (files: Pick<LocalFiles, 'readText'>, directory: string): Promise<ReadonlyMap<string, PageAsset>> => {
  const list = await files.readText(`${directory}assets.json`)
  const assets = new Map<string, PageAsset>()
  if (list === null) return assets
  let bytes = 0
  for (const { path, file, type, isKept } of JSON.parse(list) as readonly ListedAsset[]) {
    const text = await files.readText(`${directory}${file}`)
    if (text === null) continue
    const plain = new TextEncoder().encode(text)
    bytes += plain.length
    if (bytes > ASSET_BYTES_MAX) throw new Error(`the assets in ${directory} have more than ${ASSET_BYTES_MAX} bytes: build them again`)
    assets.set(path, { path, type, isKept, plain, packed: await promisify(gzip)(plain) })
  }
  return assets
}

interface ListedAsset {
  readonly path: string
  readonly file: string
  readonly type: string
  readonly isKept: boolean
}
