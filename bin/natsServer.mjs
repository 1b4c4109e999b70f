/** The nats-server that tests run with. The checkout is built. */

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './bootstrap.mjs'

/** Its path and version; got into the cache when it is not there. Where it can not be had, the process ends. */
export const natsServerOfTests = async (version) => {
  const { ensureNatsServer } = await import(pathToFileURL(join(root, 'dist/topology/launcher/main.js')).href)
  const server = await ensureNatsServer((line) => process.stderr.write(`${line}\n`), version)
  if (server.path !== undefined) return server
  process.stderr.write(`${server.problem}\n`)
  process.exit(1)
}
