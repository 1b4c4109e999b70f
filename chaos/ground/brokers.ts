/**
 * One nats-server, or several as one NATS cluster. Between clustered brokers each route may run through a link (chaos/proxy/link.ts), so
 * that it can be cut without touching either end; a link costs a process its turn, so it is there only where somebody cuts.
 *
 * A route is dialled by either end, and a broker tells its peers where others are to be found: so each broker advertises its own link,
 * and every dialler of broker b comes through the link of b. Who dialled is read from what it says first.
 */

import { openLink } from '../proxy/link.ts'
import { freePort } from '../../bench/targets/freePorts.ts'
import { startNatsServer } from './natsServer.ts'
import type { Link } from '../proxy/link.ts'
import type { NatsServer } from './natsServer.ts'

export interface Brokers {
  readonly servers: readonly NatsServer[]
  /** The routes' links, by the broker that is dialled; empty where there are none. */
  readonly routes: readonly Link[]
  readonly stop: () => Promise<void>
}

export type ConfigOf = (port: number) => string

export interface BrokersWanted {
  readonly count: number
  readonly isLinked: boolean
  readonly configOf: ConfigOf
}

export const startBrokers = async ({ count, isLinked, configOf }: BrokersWanted): Promise<Brokers> => {
  if (count === 1) {
    const server = await startNatsServer(configOf)
    return { servers: [server], routes: [], stop: server.stop }
  }
  const routePorts = await Promise.all(Array.from({ length: count }, freePort))
  const routes = await Promise.all((isLinked ? routePorts : [])
    .map((port, i) => openLink({ name: `route to b${i + 1}`, targetPort: port })))
  const dialled = routePorts.map((port, i) => routes[i]?.port ?? port)
  const servers = await Promise.all(routePorts.map((listen, i) => startNatsServer((port) =>
    configOf(port) + clusterBlock({ name: `b${i + 1}`, listen, dialled, self: i }))))
  return {
    servers,
    routes,
    stop: async () => {
      for (const route of routes) route.close()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

interface ClusterBlock {
  readonly name: string
  readonly listen: number
  /** The port under which each broker is reached. */
  readonly dialled: readonly number[]
  readonly self: number
}

/** Clients are told of no other broker: they would go round their own links. */
const clusterBlock = ({ name, listen, dialled, self }: ClusterBlock): string => [
  '',
  `server_name = "${name}"`,
  'cluster {',
  '  name = "chaos"',
  `  listen = "127.0.0.1:${listen}"`,
  `  cluster_advertise = "127.0.0.1:${dialled[self] ?? listen}"`,
  '  no_advertise = true',
  `  routes = [${dialled.filter((_, i) => i !== self).map((port) => `"nats://127.0.0.1:${port}"`).join(', ')}]`,
  '}',
  '',
].join('\n')
