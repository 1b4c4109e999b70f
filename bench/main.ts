/** `npm run bench`: PUT and GET by raw NATS requests at several depths, medians of several runs, as a table or with `--json`. */

import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Table from 'cli-table3'
import { Command } from 'commander'
import { connectNats } from '../bus/nats.ts'
import { flag, wholeNumber } from '../cli/flags.ts'
import { createLocalFiles } from '../storage/localFiles.ts'
import { startLocalCluster } from '../topology/launcher/main.ts'
import { measure, medianOf } from './requests.ts'
import type { AddressInfo } from 'node:net'
import type { Bus } from '../bus/port.ts'
import type { Measurement } from './requests.ts'

const DEPTHS = [1, 64, 256] as const
const OPS = ['put', 'get'] as const
const READY_LINE = 'shardkv is ready'
/** Node i answers on this plus i; a free block is likelier high up. */
const HTTP_PORTS_WANTED = 16

interface BenchFlags {
  readonly servers?: string
  readonly prefix: string
  readonly runs: number
  readonly seconds: number
  readonly json?: boolean
}

interface Row extends Measurement {
  readonly op: string
  readonly inFlight: number
}

interface Target {
  readonly servers: readonly string[]
  readonly stop: () => Promise<void>
}

export const main = async (args: readonly string[]): Promise<void> => {
  const command = new Command('bench')
    .description('measures PUT and GET by raw NATS requests')
    .addOption(flag('--servers <urls>', 'a cluster that runs already; default: one of three nodes is started for it'))
    .addOption(flag('--prefix <prefix>', 'the public subject prefix of the cluster').default('kv'))
    .addOption(flag('--runs <count>', 'runs per figure; the median counts').argParser(wholeNumber(1, 99)).default(5))
    .addOption(flag('--seconds <count>', 'length of a run').argParser(wholeNumber(1, 600)).default(2))
    .addOption(flag('--json', 'print the figures as JSON'))
    .action(runBench)
  await command.parseAsync([...args], { from: 'user' })
  process.exit()
}

const runBench = async (flags: BenchFlags): Promise<void> => {
  const target = flags.servers === undefined ? await startOwnCluster() : { servers: flags.servers.split(','), stop: async () => {} }
  try {
    const bus = await connectNats({ servers: target.servers, name: 'shardkv bench' })
    const rows = await measureAll(bus, flags)
    bus.close()
    process.stdout.write(flags.json === true ? `${JSON.stringify(rows)}\n` : `${tableOf(rows)}\n`)
  } finally {
    await target.stop()
  }
}

const measureAll = async (bus: Bus, flags: BenchFlags): Promise<readonly Row[]> => {
  const rows: Row[] = []
  for (const op of OPS) {
    for (const inFlight of DEPTHS) {
      const runs: Measurement[] = []
      // The first run warms up and is not counted.
      for (let run = 0; run <= flags.runs; run += 1) {
        const result = await measure(bus, flags.prefix, { op, inFlight, durationMs: flags.seconds * 1_000, seed: run + 1 })
        if (run > 0) runs.push(result)
      }
      const median = medianOf(runs)
      if (median !== undefined) rows.push({ op, inFlight, ...median, failures: runs.reduce((sum, { failures }) => sum + failures, 0) })
      process.stderr.write(`${op} ${inFlight}: ${Math.round(median?.perSecond ?? 0)}/s\n`)
    }
  }
  return rows
}

const tableOf = (rows: readonly Row[]): string => {
  const table = new Table({ head: ['op', 'in flight', 'per second', 'p50 ms', 'p99 ms', 'failures'], style: { head: [], border: [] } })
  for (const { op, inFlight, perSecond, p50Ms, p99Ms, failures } of rows) {
    table.push([op, inFlight, Math.round(perSecond), p50Ms.toFixed(2), p99Ms.toFixed(2), failures])
  }
  return table.toString()
}

const startOwnCluster = async (): Promise<Target> => {
  const files = createLocalFiles()
  const directory = join(tmpdir(), `shardkv-bench-${process.pid}`)
  const natsPort = await freePort()
  const httpPort = await freePort() - HTTP_PORTS_WANTED
  let setReady: () => void = () => {}
  const ready = new Promise<'ready'>((resolve) => { setReady = () => resolve('ready') })
  const started = await startLocalCluster({ directory, natsPort, httpPort, logLevel: 'warn' }, (line) => {
    process.stderr.write(`${line}\n`)
    if (line === READY_LINE) setReady()
  })
  if ('problem' in started) throw new Error(started.problem)
  process.once('SIGINT', started.stop)
  process.once('SIGTERM', started.stop)
  if (await Promise.race([ready, started.ended]) !== 'ready') throw new Error(`the cluster did not start; its logs are in ${directory}`)
  return {
    servers: [`nats://127.0.0.1:${natsPort}`],
    stop: async () => {
      started.stop()
      await started.ended
      await files.remove(directory)
    },
  }
}

const freePort = (): Promise<number> => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resolve(port))
  })
})
