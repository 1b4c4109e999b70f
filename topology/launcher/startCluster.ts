/**
 * From options to a launch plan: the directory and its cluster, a broker, and the command line of every process.
 *
 * A previous run that was killed may still be draining when the next one starts; so a port that is taken is waited for, for
 * PORT_WAIT_MS, before it counts as somebody else's.
 */

import { join, resolve } from 'node:path'
import { brokerEnvironment } from './brokerShare.ts'
import { openCluster } from './clusterFile.ts'
import { launch } from './launcher.ts'
import type { ClusterPorts, ClusterRecord } from './clusterFile.ts'
import type { ChildPlan, Launcher, LauncherPorts } from './launcher.ts'
import type { FoundServer } from './natsServer.ts'
import type { StartLock } from './startLock.ts'

export interface OtherBroker {
  /** As written, maybe with a login in it: for the environment of nodes, and nobody else. */
  readonly urls: string
  /** The same without a login, for people. */
  readonly servers: readonly string[]
}

export interface StartOptions {
  readonly directory: string
  readonly nodes?: number | undefined
  readonly shards?: number | undefined
  readonly natsPort: number
  /** Node i serves its health on this plus i. */
  readonly httpPort: number
  /** The public subject prefix, for the nodes and for the mapping of the broker that is started. Undefined: `kv`. */
  readonly prefix?: string
  /** A broker that runs already; undefined: start one. */
  readonly nats?: OtherBroker | undefined
  readonly logLevel: string
  /** Nodes announce changes on `kv-changed.<key>`. */
  readonly announceChanges?: boolean
}

export interface BrokerPlace {
  readonly host: string
  readonly port: number
  readonly prefix: string
  readonly shardCount: number
}

export interface StartPorts extends LauncherPorts, ClusterPorts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of this machine. */
  readonly cores: number
  /** So that nobody else starts there. */
  readonly lock: (directory: string) => Promise<StartLock>
  readonly findServer: () => Promise<FoundServer>
  readonly versionWarning: (version: string) => string | undefined
  readonly brokerConfig: (options: BrokerPlace) => string
  readonly isTaken: (port: number) => Promise<boolean>
  /** Of a node: whether it calls itself ready there. */
  readonly isReady: (port: number) => Promise<boolean>
  /** By which name a broker greets there; null when none does. */
  readonly brokerName: (port: number) => Promise<string | null>
  /** Program and first arguments that run the CLI. */
  readonly cliCommand: readonly [string, ...string[]]
}

export type StartedCluster = Launcher | { readonly problem: string }

const HOST = '127.0.0.1'
/** As that of `shardkv node` and of clients. */
const PREFIX_DEFAULT = 'kv'
const PORT_WAIT_MS = 20_000
const PORT_POLL_MS = 200

export const startCluster = async (options: StartOptions, ports: StartPorts): Promise<StartedCluster> => {
  const directory = resolve(options.directory)
  await ports.files.makeDirectory(directory)
  const lock = await ports.lock(directory)
  if ('problem' in lock) return lock
  try {
    const outcome = await startLocked(options, ports, directory)
    if (!('problem' in outcome)) return { stop: outcome.stop, ended: thenReleased(outcome.ended, lock.release) }
    await lock.release()
    return outcome
  } catch (error) {
    await lock.release()
    throw error
  }
}

const thenReleased = async (ended: Promise<number>, release: () => Promise<void>): Promise<number> => {
  const code = await ended
  await release()
  return code
}

const startLocked = async (options: StartOptions, ports: StartPorts, directory: string): Promise<StartedCluster> => {
  const opened = await openCluster(ports, { directory, nodes: options.nodes, shards: options.shards })
  if (opened.record === undefined) return { problem: opened.problem }
  const { record } = opened
  const age = opened.isNew ? 'new' : 'resumed'
  ports.say(`cluster ${record.cluster}: ${record.members.length} nodes, ${record.shardCount} shards, ${age} in ${directory}`)
  const problem = await waitForPorts(options, ports, record)
  if (problem !== null) return { problem }
  const broker = options.nats === undefined ? await planBroker(options, ports, { directory, record }) : null
  if (broker !== null && 'problem' in broker) return broker
  const nodes = record.members.map((_, i) => planNode(options, ports, { directory, record, index: i }))
  return launch({
    children: broker === null ? nodes : [broker, ...nodes],
    alsoThere: options.nats === undefined ? [] : [{ name: 'broker', address: options.nats.servers.join(',') }],
    directory,
  }, ports)
}

interface Place {
  readonly directory: string
  readonly record: ClusterRecord
}

interface NodePlace extends Place {
  readonly index: number
}

const planBroker = async (options: StartOptions, ports: StartPorts, place: Place): Promise<ChildPlan | { readonly problem: string }> => {
  const server = await ports.findServer()
  if (server.path === undefined) return { problem: server.problem }
  const warning = ports.versionWarning(server.version)
  ports.say(`broker: nats-server ${server.version} (${server.path})`)
  if (warning !== undefined) ports.say(`warning: ${warning}`)
  const configPath = join(place.directory, 'nats.conf')
  const { natsPort: port, prefix = PREFIX_DEFAULT } = options
  const config = ports.brokerConfig({ host: HOST, port, prefix, shardCount: place.record.shardCount })
  // A disk that is full has no room to write the same once more.
  if (await ports.files.readText(configPath) !== config) await ports.files.writeAtomically(configPath, config)
  // A port that answers might be somebody else's.
  const brokerName = `shardkv-${place.record.cluster}`
  return {
    name: 'nats-server',
    kind: 'broker',
    address: `nats://${HOST}:${port}`,
    isReady: async () => await ports.brokerName(port) === brokerName,
    process: {
      program: server.path,
      args: ['-c', configPath, '--name', brokerName],
      env: brokerEnvironment(ports.env, ports.cores, place.record.members.length),
      logPath: join(place.directory, 'logs', 'nats-server.log'),
      isGuarded: true,
    },
  }
}

const planNode = (options: StartOptions, ports: StartPorts, place: NodePlace): ChildPlan => {
  const name = place.record.members[place.index] ?? ''
  const port = options.httpPort + place.index + 1
  const home = join(place.directory, name)
  const [program, ...first] = ports.cliCommand
  return {
    name,
    kind: 'node',
    address: `http://${HOST}:${port}/readyz`,
    home,
    healthPort: port,
    isReady: () => ports.isReady(port),
    process: {
      program,
      args: [
        ...first, 'node', '--id', name, '--dir', home,
        ...(options.nats === undefined ? ['--servers', `nats://${HOST}:${options.natsPort}`] : []),
        '--prefix', options.prefix ?? PREFIX_DEFAULT, '--http-port', String(port), '--log-level', options.logLevel,
        ...(options.announceChanges === true ? ['--announce-changes'] : []),
      ],
      env: nodeEnv(options, ports.env),
      logPath: join(place.directory, 'logs', `${name}.log`),
      isGuarded: false,
    },
  }
}

/** With what is secret, or may be: a command line can be read by others on this machine, the environment by nobody else. */
const nodeEnv = ({ nats }: StartOptions, env: StartPorts['env']): StartPorts['env'] => ({
  ...(nats === undefined ? withoutLogin(env) : { ...env, SHARDKV_SERVERS: nats.urls }),
  ...withStdout(env['SHARDKV_LOG_TO'] ?? ''),
})

/** Wherever else nodes are to log: from what they write to standard output the launcher knows why one has ended. */
const withStdout = (targets: string): StartPorts['env'] =>
  (targets === '' || /(?:^|,)stdout(?:[:,]|$)/.test(targets) ? {} : { SHARDKV_LOG_TO: `${targets},stdout` })

/** Flags of nodes as variables, which belong to a broker elsewhere: ours asks for no login and has no TLS. */
const loginVariable = /^SHARDKV_(?:NATS_(?:USER|PASSWORD|TOKEN)|CREDS|NKEY|TLS(?:CA|CERT|KEY|FIRST)|CONTEXT)$/

const withoutLogin = (env: StartPorts['env']): StartPorts['env'] =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !loginVariable.test(name)))

/** Null when every port is free, otherwise what to do. */
const waitForPorts = async (options: StartOptions, ports: StartPorts, record: ClusterRecord): Promise<string | null> => {
  const wanted = [
    ...(options.nats === undefined ? [{ port: options.natsPort, flag: '--nats-port' }] : []),
    ...record.members.map((_, i) => ({ port: options.httpPort + i + 1, flag: '--http-port' })),
  ]
  const deadline = ports.clock.now() + PORT_WAIT_MS
  for (const { port, flag } of wanted) {
    let hasSaidSo = false
    while (await ports.isTaken(port)) {
      if (ports.clock.now() >= deadline) {
        const orElse = flag === '--nats-port' ? ', or use the broker that runs there with --nats' : ''
        return `port ${port} is taken by another process; choose another ${flag}${orElse}`
      }
      if (!hasSaidSo) ports.say(`port ${port} is taken; waiting for it, in case a previous run is still stopping`)
      hasSaidSo = true
      await new Promise<void>((wake) => { ports.clock.after(PORT_POLL_MS, wake) })
    }
  }
  return null
}
