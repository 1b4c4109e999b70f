/**
 * A real cluster: one nats-server or several, node processes from the built command line, files under a temporary directory, all reaped at
 * the end and at the latest with this process.
 */

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { serverConfig } from '../../bus/natsConfig.ts'
import { connectNats } from '../../bus/nats.ts'
import { writeGenesis } from '../../storage/genesis.ts'
import { createNodeFileSystem } from '../../storage/nodeFileSystem.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createAdmin } from './admin.ts'
import { startBrokers } from './brokers.ts'
import { makeChangedBuild, makeHauntedBuild } from './hauntedBuild.ts'
import { openLinks } from './links.ts'
import { readNextLayouts } from './nextBuild.ts'
import { createNodeProcesses } from './nodeProcesses.ts'
import { askForReports, brief } from './reports.ts'
import { createRoster } from './roster.ts'
import type { PermissionsInput } from '../../bus/natsConfig.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { NodeReport } from '../../topology/report.ts'
import type { Admin } from './admin.ts'
import type { Brokers } from './brokers.ts'
import type { OtherBuild, Planted } from './hauntedBuild.ts'
import type { Links } from './links.ts'
import type { NatsServer } from './natsServer.ts'
import type { CliProcess, NodeProcesses } from './nodeProcesses.ts'
import type { Roster } from './roster.ts'

const POLL_MS = 25
/** A cluster that a busy machine gives a tenth of a core takes longer than half a minute to start. */
const UNTIL_MS = 90_000
export const CLUSTER = clusterId('00000000c0ffee00')

type OfProcesses =
  'start' | 'runAs' | 'kill' | 'signal' | 'isRunning' | 'exitCode' | 'ended' | 'order' | 'limitFiles' | 'log' | 'logOfLife'

export interface TestCluster extends Pick<NodeProcesses, OfProcesses> {
  /** The first, or only, one. */
  readonly broker: NatsServer
  readonly brokers: Brokers
  readonly links: Links
  readonly url: string
  readonly shardCount: number
  /** Who is to stay: those of `roster`. */
  readonly members: readonly NodeId[]
  readonly roster: Roster
  readonly admin: Admin
  /** A node of this name becomes a member, with links where others have them; it is to be started. */
  readonly admit: (node: NodeId) => Promise<void>
  readonly isHaunted: boolean
  /** Everything that is kept of this cluster: data directories and logs. */
  readonly root: string
  /** A client's connection of its own, as the user "client" where the broker asks for one. */
  readonly connect: (name: string) => Promise<Bus>
  /** The same through links of its own. */
  readonly connectLinked: (name: string) => Promise<Bus>
  /** The built command line as a process of its own, with the broker and, where there are any, the client's credentials. */
  readonly cli: (...args: readonly string[]) => CliProcess
  /** One more process under the node's name, on another directory; its output is kept. */
  readonly startTwin: (node: NodeId, directory: string) => CliProcess
  readonly directory: (node: NodeId) => string
  /** What the nodes that answer say. */
  readonly reports: () => Promise<readonly NodeReport[]>
  /** Polls the reports until `holds` (within 90 s), or throws with `what` and the end of every log. */
  readonly until: (what: string, holds: (reports: readonly NodeReport[]) => boolean, withinMs?: number) => Promise<readonly NodeReport[]>
  /** Copies data directories and logs to where they stay. */
  readonly keep: (folder: string) => void
  /** Ends everything; the files go, too. */
  readonly stop: () => Promise<void>
}

export interface TestClusterOptions {
  readonly nodes?: number
  readonly shards?: number
  /** Of one NATS cluster; default 1. */
  readonly brokers?: number
  /** Nodes reach their brokers through links. */
  readonly isLinked?: boolean
  /** So do clustered brokers each other. */
  readonly hasLinkedRoutes?: boolean
  /** chaos/inside is loaded into the nodes. */
  readonly isHaunted?: boolean
  /** Bugs in every node, which must be caught; only where nodes are haunted. */
  readonly planted?: readonly Planted[]
  /** A build of the next layout level stands ready (nextBuild.ts), for `runAs`. */
  readonly hasNext?: boolean
  /** False: a broker without the mapping, so that nodes forward. */
  readonly isMapped?: boolean
  /** The shard count that the broker maps for, when it is not the cluster's. */
  readonly mappedShards?: number
  /** The broker's `max_payload`, when it is not the usual 1 MiB. */
  readonly maxPayloadBytes?: number
  /** Called with each node's empty data directory before anything is put there. */
  readonly prepareDirectory?: (node: NodeId, directory: string) => void
  /** The broker asks everybody for a password, and allows what `permissionsBlock` does. */
  readonly hasPermissions?: boolean
  /** How long a silent node is waited for before its replicas are rebuilt elsewhere, when it is not the usual 30 s. */
  readonly lostAfterMs?: number
  /** What a process of this user has beside its usual environment. */
  readonly environment?: (user: string) => Readonly<Record<string, string>>
}

/** The password of every user: the test's only. */
export const passwordOf = (user: string): string => `secret-of-${user}`
const CLIENT_USER = 'client'
const CONTROL_USER = 'control'

export const startTestCluster = async (options: TestClusterOptions = {}): Promise<TestCluster> => {
  const shardCount = options.shards ?? 16
  const members = Array.from({ length: options.nodes ?? 3 }, (_, i) => nodeId(`n${i + 1}`))
  const root = mkdtempSync(join(tmpdir(), 'shardkv-cluster-'))
  const settings = {
    host: '127.0.0.1', prefix: 'kv', shardCount: options.mappedShards ?? shardCount,
    ...(options.maxPayloadBytes === undefined ? {} : { maxPayloadBytes: options.maxPayloadBytes }),
    ...(options.hasPermissions === true ? { permissions: permissionsOf(members) } : {}),
  }
  const brokers = await startBrokers({
    count: options.brokers ?? 1,
    isLinked: options.hasLinkedRoutes === true,
    configOf: (port) => (options.isMapped === false ? `listen: "127.0.0.1:${port}"\n` : serverConfig({ ...settings, port })),
  })
  for (const genesis of createGenesis({ cluster: CLUSTER, members, shardCount, replicationFactor: 3, createdAtMs: Date.now() })) {
    mkdirSync(join(root, genesis.node))
    options.prepareDirectory?.(genesis.node, join(root, genesis.node))
    await new Promise<void>((resolve, reject) => {
      writeGenesis(createNodeFileSystem(join(root, genesis.node)), genesis, (error) => (error === null ? resolve() : reject(error)))
    })
  }
  const links = await openLinks(brokers.servers, options.isLinked === true ? members : [])
  return runningCluster({ root, brokers, links, roster: createRoster(members), shardCount }, options)
}

const permissionsOf = (members: readonly NodeId[]): Omit<PermissionsInput, 'prefix'> => ({
  cluster: CLUSTER,
  nodes: members.map((node) => ({ user: node, password: passwordOf(node), node })),
  clients: [CLIENT_USER, CONTROL_USER].map((user) => ({ user, password: passwordOf(user) })),
})

interface Ground {
  readonly root: string
  readonly brokers: Brokers
  readonly links: Links
  readonly roster: Roster
  readonly shardCount: number
}

const runningCluster = async (ground: Ground, options: TestClusterOptions): Promise<TestCluster> => {
  const { root, brokers, links, roster, shardCount } = ground
  const { members } = roster
  const hasPermissions = options.hasPermissions === true
  const urls = brokers.servers.map(({ url }) => url)
  const credentials = (user: string): { user: string; pass: string } | undefined =>
    (hasPermissions ? { user, pass: passwordOf(user) } : undefined)
  const patience = options.lostAfterMs === undefined ? {} : { SHARDKV_LOST_AFTER: `${options.lostAfterMs}ms` }
  const environmentOf = (user: string): NodeJS.ProcessEnv => ({
    ...process.env, ...patience, ...options.environment?.(user),
    ...(hasPermissions ? { SHARDKV_NATS_USER: user, SHARDKV_NATS_PASSWORD: passwordOf(user) } : {}),
  })
  const open = (user: string, name: string, servers = urls): Promise<Bus> => connectNats({ servers, name, ...credentials(user) })
  const control = await open(CONTROL_USER, 'test/control')
  const processes = createNodeProcesses({
    root, environmentOf, serversOf: links.serversOf, asksToJoin: roster.asksToJoin,
    haunted: options.isHaunted === true ? makeHauntedBuild(join(root, 'build'), options.planted ?? []) : null,
    next: options.hasNext === true ? makeNextBuild(root, options) : null,
  })
  const reports = (): Promise<readonly NodeReport[]> => askForReports(control, members.length + roster.leaving.length)
  const tails = (): string => roster.everyone().map((node) => `--- ${node}\n${processes.log(node).slice(-3_000)}`).join('\n')
  for (const node of members) processes.start(node)
  return {
    ...processes,
    broker: must(brokers.servers[0], 'there is a broker'),
    brokers,
    links,
    url: urls.join(','),
    shardCount,
    members,
    roster,
    admin: createAdmin({ log: processes.log, nodes: () => [...members, ...roster.leaving].filter(processes.isRunning) }),
    admit: async (node) => {
      if (options.isLinked === true && links.of(node).length === 0) await links.add(node)
      roster.admit(node)
    },
    isHaunted: options.isHaunted === true,
    root,
    connect: (name) => open(CLIENT_USER, name),
    connectLinked: async (name) => open(CLIENT_USER, name, [...await links.add(name)]),
    cli: (...args) => processes.command(args, { ...environmentOf(CLIENT_USER), SHARDKV_SERVERS: urls.join(',') }),
    startTwin: (node, directory) =>
      processes.command(['node', '--id', node, '--dir', directory, '--servers', urls.join(',')], environmentOf(node)),
    directory: (node) => join(root, node),
    reports,
    until: async (what, holds, withinMs = UNTIL_MS) => {
      const deadline = performance.now() + withinMs
      for (;;) {
        const found = await reports()
        if (holds(found)) return found
        if (performance.now() > deadline) {
          throw new Error(`after ${withinMs} ms: not ${what}\n${JSON.stringify(found.map(brief))}\n${tails()}`)
        }
        await pause(POLL_MS)
      }
    },
    keep: (folder) => {
      const isKept = (path: string): boolean => !path.endsWith('.sock') && path !== join(root, 'build') && path !== join(root, 'next-build')
      cpSync(root, folder, { recursive: true, filter: isKept })
    },
    stop: async () => {
      control.close()
      await processes.stop()
      links.close()
      await brokers.stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

const makeNextBuild = (root: string, { isHaunted, planted = [] }: TestClusterOptions): OtherBuild => {
  const make = isHaunted === true ? makeHauntedBuild : makeChangedBuild
  return make(join(root, 'next-build'), [...readNextLayouts().edits, ...planted])
}

type Holds = (reports: readonly NodeReport[]) => boolean

/** Every shard has a settled leader, and every one of `nodes` serves. */
export const isServing = (cluster: TestCluster, nodes: readonly NodeId[] = cluster.members): Holds => (reports) => {
  const serving = new Map(reports.map((report) => [report.node.id, report]))
  const led = new Set(reports.flatMap(({ replicas }) =>
    replicas.filter(({ state }) => state === 'leading.serving').map(({ shard }) => shard)))
  return led.size === cluster.shardCount && nodes.every((node) => serving.get(node)?.node.state === 'serving')
}

export interface Leadership {
  readonly term: number
  readonly node: NodeId
}

/** The serving leader's node of each shard. */
export const leadersOf = (reports: readonly NodeReport[]): Map<number, NodeId> =>
  new Map([...leadershipsOf(reports)].map(([shard, { node }]) => [shard, node]))

/** By shard; of two claims the newer term counts. */
export const leadershipsOf = (reports: readonly NodeReport[]): ReadonlyMap<number, Leadership> => {
  const best = new Map<number, Leadership>()
  for (const { node, replicas } of reports) {
    for (const { shard, state, term } of replicas) {
      if (state === 'leading.serving' && (best.get(shard)?.term ?? -1) < term) best.set(shard, { term, node: node.id })
    }
  }
  return best
}
