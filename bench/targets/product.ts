/**
 * ShardKV as a target: a cluster started for the question by this build or, for `--against`, by the build of another checkout, which
 * brings its own launcher, nodes and measuring client; or a cluster that runs already (`--servers`).
 */

import { join, resolve } from 'node:path'
import { tmpdir } from 'node:os'
import { pathToFileURL } from 'node:url'
import { createLocalFiles } from '../../storage/localFiles.ts'
import { startLocalCluster } from '../../topology/launcher/main.ts'
import { connectNats } from '../../bus/nats.ts'
import { runClient } from '../clientTask.ts'
import { awaitLeaders } from '../drivers/leaders.ts'
import { buildThere } from './checkout.ts'
import { freePortRow } from './freePorts.ts'
import type { DriverName, DriverTarget } from '../drivers/port.ts'
import type { ProductTarget } from './port.ts'

const READY_LINE = 'shardkv is ready'
/** Node i answers on the base plus i. */
const HTTP_PORTS_WANTED = 16
/** Two thirds of the leaderships move, at least one a second by each node. */
const SETTLES_WITHIN_MS = 30_000
const SETTLE_MS_A_SHARD = 1_000
const CLIENT_PROGRAM = 'dist/bench/client.js'
const LAUNCHER_MODULE = 'dist/topology/launcher/main.js'

type StartLocalCluster = typeof startLocalCluster

let started = 0

export const runningProduct = (at: DriverTarget, driver: DriverName): ProductTarget =>
  productAt({ name: 'product', driver, at, pids: {}, stop: async () => {} })

const productAt = (target: Omit<ProductTarget, 'ask'>, clientProgram?: string): ProductTarget => ({
  ...target,
  ask: (workload, loop) => runClient({ driver: target.driver, target: target.at, workload, loop }, clientProgram),
})

/** Of a cluster that is started. */
export interface ClusterSize {
  readonly nodes: number
  readonly shards: number
}

/** What `shardkv start` makes when nobody says. */
const USUAL_SIZE: ClusterSize = { nodes: 3, shards: 16 }

export const startProduct = (driver: DriverName, size: ClusterSize = USUAL_SIZE): Promise<ProductTarget> =>
  startFrom(startLocalCluster, { name: 'product', driver, size })

/** The build in `directory`, which is built first unless it is. Its measuring client is used when it has one. */
export const startOtherProduct = async (
  directory: string, driver: DriverName, size: ClusterSize = USUAL_SIZE,
): Promise<ProductTarget> => {
  const files = createLocalFiles()
  const root = resolve(directory)
  const launcher = join(root, LAUNCHER_MODULE)
  await buildThere(root)
  if (await files.facts(launcher) === null) throw new Error(`the build in ${root} has no ${LAUNCHER_MODULE}: it can not be compared`)
  const { startLocalCluster: start } = await import(pathToFileURL(launcher).href) as { startLocalCluster: StartLocalCluster }
  const target = await startFrom(start, { name: 'other', driver, size })
  const clientProgram = join(root, CLIENT_PROGRAM)
  return await files.facts(clientProgram) === null ? target : productAt(target, clientProgram)
}

interface Start extends Pick<ProductTarget, 'name' | 'driver'> {
  readonly size: ClusterSize
}

const startFrom = async (start: StartLocalCluster, { name, driver, size }: Start): Promise<ProductTarget> => {
  const files = createLocalFiles()
  started += 1
  const directory = join(tmpdir(), `shardkv-bench-${name}-${process.pid}-${started}`)
  // Nodes listen behind the base.
  const base = await freePortRow(1 + HTTP_PORTS_WANTED)
  const pids: Record<string, number> = {}
  const admin: string[] = []
  let setReady: () => void = () => {}
  const ready = new Promise<'ready'>((resolve) => { setReady = () => resolve('ready') })
  const cluster = await start({ directory, ...size, natsPort: base, httpPort: base, logLevel: 'warn' }, (line) => {
    const row = /^ {2}(\S+) +(\d+) +(\S+?:\/\/[^/\s]+)/.exec(line)
    if (row !== null) {
      pids[row[1] ?? ''] = Number(row[2])
      if (row[3]?.startsWith('http:') === true) admin.push(row[3])
    } else if (line === READY_LINE) setReady()
    else if (!line.startsWith('  ')) process.stderr.write(`${name}: ${line}\n`)
  })
  if ('problem' in cluster) throw new Error(cluster.problem)
  const stop = async (): Promise<void> => {
    cluster.stop()
    await cluster.ended
    await files.remove(directory)
  }
  if (await Promise.race([ready, cluster.ended]) !== 'ready') throw new Error(`the cluster did not start; its logs are in ${directory}`)
  const at = { servers: [`nats://127.0.0.1:${base}`], prefix: 'kv' }
  try {
    await settle(at, size)
  } catch (error) {
    await stop()
    throw error
  }
  return productAt({ name, driver, at, pids, directory, admin, stop })
}

/** A young cluster moves leaderships to their preferred nodes, few at a time: that would be measured too. */
const settle = async ({ servers, prefix }: DriverTarget, { shards }: ClusterSize): Promise<void> => {
  const bus = await connectNats({ servers, name: 'shardkv bench' })
  try {
    await awaitLeaders(bus, prefix, { isBalancedWanted: true, withinMs: SETTLES_WITHIN_MS + shards * SETTLE_MS_A_SHARD })
  } finally {
    bus.close()
  }
}
