/** Ports that nobody listens on. */

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'

/** So many different ports, all held until all are found. */
export const freePorts = async (count: number): Promise<readonly number[]> => {
  const servers = await Promise.all(Array.from({ length: count }, () => listen()))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await close(servers)
  return ports
}

const given = new Set<number>()

/** One that nobody in this process was told of before: between two calls nobody may listen on the first yet. */
export const freePort = async (): Promise<number> => {
  const [port = 0] = await freePorts(1)
  if (given.has(port)) return freePort()
  given.add(port)
  return port
}

/**
 * Below the ports that systems give to connections that go out (from 32,768 on Linux, above elsewhere): each of those may be taken at any
 * time, and for as long as the connection lasts.
 */
const ROW_PORTS = { min: 20_000, max: 32_000 }
const ROWS_TRIED_MAX = 100

/** The first of so many in a row. */
export const freePortRow = async (count: number): Promise<number> => {
  for (let tries = 0; tries < ROWS_TRIED_MAX; tries += 1) {
    const first = randomInt(ROW_PORTS.min, ROW_PORTS.max - count)
    const tried = await Promise.allSettled(Array.from({ length: count }, (_, i) => listen(first + i)))
    const servers = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    await close(servers)
    if (servers.length === count) return first
  }
  throw new Error(`no ${count} ports in a row are free between ${ROW_PORTS.min} and ${ROW_PORTS.max}`)
}

const listen = (port = 0): Promise<Server> => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject)
  server.listen(port, '127.0.0.1', () => resolve(server))
})

const close = async (servers: readonly Server[]): Promise<void> => {
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => { server.close(() => resolve()) })))
}
