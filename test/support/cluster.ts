/**
 * A real cluster for tests: one nats-server, node processes from the built command line, files under a temporary directory, all
 * reaped at the end and at the latest with the test process.
 */

import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { serverConfig } from '../../bus/natsConfig.ts'
import { connectNats } from '../../bus/nats.ts'
import { writeGenesis } from '../../storage/genesis.ts'
import { createNodeFileSystem } from '../../storage/nodeFileSystem.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { startNatsServer } from './natsServer.ts'
import type { ChildProcess } from 'node:child_process'
import type { PermissionsInput } from '../../bus/natsConfig.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { NodeReport } from '../../topology/report.ts'
import type { NatsServer } from './natsServer.ts'

const CLI = fileURLToPath(new URL('../../dist/cli/entry.js', import.meta.url))
const POLL_MS = 25
const STATUS_WAIT_MS = 400
export const CLUSTER = clusterId('00000000c0ffee00')

export interface TestCluster {
  readonly broker: NatsServer
  readonly url: string
  readonly shardCount: number
  readonly members: readonly NodeId[]
  /** A client's connection of its own, as the user "client" where the broker asks for one. */
  readonly connect: (name: string) => Promise<Bus>
  /** The built command line as a process of its own, with the broker and, where there are any, the client's credentials. */
  readonly cli: (...args: readonly string[]) => CliProcess
  readonly start: (node: NodeId) => void
  /** One more process under the node's name, on another directory; its output is kept. */
  readonly startTwin: (node: NodeId, directory: string) => CliProcess
  /** SIGKILL, and waits until the process is gone. */
  readonly kill: (node: NodeId) => Promise<void>
  readonly signal: (node: NodeId, name: NodeJS.Signals) => void
  readonly exitCode: (node: NodeId) => number | null
  readonly directory: (node: NodeId) => string
  readonly log: (node: NodeId) => string
  /** What the nodes that answer say. */
  readonly reports: () => Promise<readonly NodeReport[]>
  /** Polls the reports until `holds`, or throws with `what` and the end of every log. */
  readonly until: (what: string, holds: (reports: readonly NodeReport[]) => boolean, withinMs?: number) => Promise<readonly NodeReport[]>
  readonly stop: () => Promise<void>
}

export interface CliProcess {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>
}

export interface TestClusterOptions {
  readonly nodes?: number
  readonly shards?: number
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
}

/** The password of every user: the test's only. */
export const passwordOf = (user: string): string => `secret-of-${user}`
const CLIENT_USER = 'client'
const CONTROL_USER = 'control'

export const startTestCluster = async (options: TestClusterOptions = {}): Promise<TestCluster> => {
  const shardCount = options.shards ?? 16
  const members = Array.from({ length: options.nodes ?? 3 }, (_, i) => nodeId(`n${i + 1}`))
  const root = mkdtempSync(join(tmpdir(), 'shardkv-cluster-'))
  const hasPermissions = options.hasPermissions === true
  const settings = {
    host: '127.0.0.1', prefix: 'kv', shardCount: options.mappedShards ?? shardCount,
    ...(options.maxPayloadBytes === undefined ? {} : { maxPayloadBytes: options.maxPayloadBytes }),
    ...(hasPermissions ? { permissions: permissionsOf(members) } : {}),
  }
  const broker = await startNatsServer((port) => (options.isMapped === false
    ? `listen: "127.0.0.1:${port}"\n`
    : serverConfig({ ...settings, port })))
  for (const genesis of createGenesis({ cluster: CLUSTER, members, shardCount, replicationFactor: 3, createdAtMs: Date.now() })) {
    mkdirSync(join(root, genesis.node))
    options.prepareDirectory?.(genesis.node, join(root, genesis.node))
    await new Promise<void>((resolve, reject) => {
      writeGenesis(createNodeFileSystem(join(root, genesis.node)), genesis, (error) => (error === null ? resolve() : reject(error)))
    })
  }
  return runningCluster({ root, broker, members, shardCount, hasPermissions })
}

const permissionsOf = (members: readonly NodeId[]): Omit<PermissionsInput, 'prefix'> => ({
  cluster: CLUSTER,
  nodes: members.map((node) => ({ user: node, password: passwordOf(node), node })),
  clients: [CLIENT_USER, CONTROL_USER].map((user) => ({ user, password: passwordOf(user) })),
})

interface Ground {
  readonly root: string
  readonly broker: NatsServer
  readonly members: readonly NodeId[]
  readonly shardCount: number
  readonly hasPermissions: boolean
}

const runningCluster = async ({ root, broker, members, shardCount, hasPermissions }: Ground): Promise<TestCluster> => {
  const children = new Map<NodeId, ChildProcess>()
  const commands = new Set<ChildProcess>()
  const credentials = (user: string): { user: string; pass: string } | undefined =>
    (hasPermissions ? { user, pass: passwordOf(user) } : undefined)
  const environment = (user: string): NodeJS.ProcessEnv => (hasPermissions
    ? { ...process.env, SHARDKV_NATS_USER: user, SHARDKV_NATS_PASSWORD: passwordOf(user) }
    : process.env)
  const open = (user: string, name: string): Promise<Bus> => connectNats({ servers: [broker.url], name, ...credentials(user) })
  const control = await open(CONTROL_USER, 'test/control')
  const logPath = (node: NodeId): string => join(root, `${node}.log`)
  const log = (node: NodeId): string => readFileSync(logPath(node), 'utf8')
  const start = (node: NodeId): void => {
    const output = openSync(logPath(node), 'a')
    children.set(node, spawn(process.execPath, [CLI, 'node', '--id', node, '--dir', join(root, node), '--servers', broker.url], {
      stdio: ['ignore', output, output],
      env: environment(node),
    }))
    closeSync(output)
  }
  const kill = async (node: NodeId): Promise<void> => {
    const child = children.get(node)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => { child.once('exit', () => resolve()) })
    child.kill('SIGKILL')
    await gone
  }
  const reap = (): void => {
    for (const child of [...children.values(), ...commands]) child.kill('SIGKILL')
  }
  const command = (user: string, args: readonly string[]): CliProcess => {
    const child = spawn(process.execPath, [CLI, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...environment(user), SHARDKV_SERVERS: broker.url },
    })
    commands.add(child)
    return { child, ended: outcomeOf(child).finally(() => { commands.delete(child) }) }
  }
  process.once('exit', reap)
  const reports = (): Promise<readonly NodeReport[]> => askForReports(control, members.length)
  const tails = (): string => members.map((node) => `--- ${node}\n${log(node).slice(-3_000)}`).join('\n')
  for (const node of members) start(node)
  return {
    broker,
    url: broker.url,
    shardCount,
    members,
    connect: (name) => open(CLIENT_USER, name),
    cli: (...args) => command(CLIENT_USER, args),
    start,
    startTwin: (node, directory) => command(node, ['node', '--id', node, '--dir', directory, '--servers', broker.url]),
    kill,
    signal: (node, name) => { children.get(node)?.kill(name) },
    exitCode: (node) => children.get(node)?.exitCode ?? null,
    directory: (node) => join(root, node),
    log,
    reports,
    until: async (what, holds, withinMs = 30_000) => {
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
    stop: async () => {
      process.removeListener('exit', reap)
      control.close()
      for (const child of commands) child.kill('SIGKILL')
      await Promise.all(members.map(kill))
      await broker.stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

const outcomeOf = (child: ChildProcess): CliProcess['ended'] => new Promise((resolve) => {
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk: Buffer) => { out += chunk.toString() })
  child.stderr?.on('data', (chunk: Buffer) => { err += chunk.toString() })
  child.once('close', (code) => resolve({ code, out, err }))
})

const brief = ({ node, replicas }: NodeReport): unknown =>
  ({ id: node.id, state: node.state, replicas: replicas.map(({ shard, role, term, leader }) => `${shard} ${role} ${term} ${leader}`) })

let inboxes = 0

const askForReports = (bus: Bus, expected: number): Promise<readonly NodeReport[]> => new Promise((resolve) => {
  const found: NodeReport[] = []
  inboxes += 1
  const inbox = `_INBOX.test.status.${process.pid}.${inboxes}`
  const finish = (): void => {
    clearTimeout(timer)
    subscription.unsubscribe()
    resolve(found)
  }
  const subscription = bus.subscribe(inbox, ({ data }) => {
    // Nobody was there: the broker's own empty answer.
    if (data.length === 0) return
    found.push(JSON.parse(new TextDecoder().decode(data)) as NodeReport)
    if (found.length === expected) finish()
  })
  const timer = setTimeout(finish, STATUS_WAIT_MS)
  bus.publish('kv.status', new Uint8Array(0), { reply: inbox })
})

type Holds = (reports: readonly NodeReport[]) => boolean

/** Every shard has a settled leader, and every one of `nodes` serves. */
export const isServing = (cluster: TestCluster, nodes: readonly NodeId[] = cluster.members): Holds => (reports) => {
  const serving = new Map(reports.map((report) => [report.node.id, report]))
  const led = new Set(reports.flatMap(({ replicas }) =>
    replicas.filter(({ state }) => state === 'leading.serving').map(({ shard }) => shard)))
  return led.size === cluster.shardCount && nodes.every((node) => serving.get(node)?.node.state === 'serving')
}

/** The serving leader's node of each shard; of two claims the newer term counts. */
export const leadersOf = (reports: readonly NodeReport[]): Map<number, NodeId> => {
  const best = new Map<number, { readonly term: number; readonly node: NodeId }>()
  for (const { node, replicas } of reports) {
    for (const { shard, state, term } of replicas) {
      if (state === 'leading.serving' && (best.get(shard)?.term ?? -1) < term) best.set(shard, { term, node: node.id })
    }
  }
  return new Map([...best].map(([shard, { node }]) => [shard, node]))
}
