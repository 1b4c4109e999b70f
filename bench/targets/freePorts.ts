/** Ports that nobody listens on. */

import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'

/** So many different ports, all held until all are found. */
export const freePorts = async (count: number): Promise<readonly number[]> => {
  const servers = await Promise.all(Array.from({ length: count }, listen))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => { server.close(() => resolve()) })))
  return ports
}

const listen = (): Promise<Server> => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject)
  server.listen(0, '127.0.0.1', () => resolve(server))
})
