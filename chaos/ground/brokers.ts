/**
 * One nats-server, or several as one NATS cluster. Between clustered brokers each route runs through a link (chaos/proxy/link.ts), so
 * that a route can be cut without touching either end.
 *
 * A route is dialled by either end, and a broker tells its peers where others are to be found: so each broker advertises its own link,
 * and every dialler of broker b comes through the link of b. Who dialled is read from what it says first.
 */

import { openLink } from '../proxy/link.ts'
import { freePort, startNatsServer } from './natsServer.ts'
import type { Link } from '../proxy/link.ts'
import type { NatsServer } from './natsServer.ts'

export interface Brokers {
  readonly servers: readonly NatsServer[]
  /** The routes' links, by the broker that is dialled; empty with a single broker. */
  readonly routes: readonly Link[]
  readonly stop: () => Promise<void>
}

export type ConfigOf = (port: number) => string

export const startBrokers = async (count: number, configOf: ConfigOf): Promise<Brokers> => {
  if (count === 1) {
    const server = await startNatsServer(configOf)
    return { servers: [server], routes: [], stop: server.stop }
  }
  const routePorts = await Promise.all(Array.from({ length: count }, freePort))
  const routes = await Promise.all(routePorts.map((port, i) => openLink({ name: `route to b${i + 1}`, targetPort: port })))
  const servers = await Promise.all(routePorts.map((listen, i) => startNatsServer((port) =>
    configOf(port) + clusterBlock({ name: `b${i + 1}`, listen, advertise: portOf(routes, i), peers: routes.filter((_, j) => j !== i) }))))
  return {
    servers,
    routes,
    stop: async () => {
      for (const route of routes) route.close()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

const portOf = (links: readonly Link[], i: number): number => links[i]?.port ?? 0

interface ClusterBlock {
  readonly name: string
  readonly listen: number
  readonly advertise: number
  readonly peers: readonly Link[]
}

/** Clients are told of no other broker: they would go round their own links. */
const clusterBlock = ({ name, listen, advertise, peers }: ClusterBlock): string => [
  '',
  `server_name = "${name}"`,
  'cluster {',
  '  name = "chaos"',
  `  listen = "127.0.0.1:${listen}"`,
  `  cluster_advertise = "127.0.0.1:${advertise}"`,
  '  no_advertise = true',
  `  routes = [${peers.map(({ port }) => `"nats://127.0.0.1:${port}"`).join(', ')}]`,
  '}',
  '',
].join('\n')
