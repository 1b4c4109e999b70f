/** The nats-server that targets are started with: the same one for all. */

import { ensureNatsServer } from '../../topology/launcher/main.ts'

const found = async (): Promise<{ readonly path: string; readonly version: string }> => {
  const server = await ensureNatsServer((line) => process.stderr.write(`${line}\n`))
  if (server.path === undefined) throw new Error(server.problem)
  return server
}

export const serverPath = async (): Promise<string> => (await found()).path

export const serverVersion = async (): Promise<string> => (await found()).version
