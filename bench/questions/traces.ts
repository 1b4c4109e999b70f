/**
 * `bench traces`: what tracing costs a PUT. CPU nanoseconds an operation on the leader and both followers together, of everything that is
 * there for traces alone, from the door to the exporter's socket, over the real parts and without a cluster; and what that is of the CPU
 * that broker and nodes of a cluster take for a PUT as a whole. Both are user and system time as the kernel reckons it, measured in turns
 * in this very run.
 *
 * Off: no endpoint and no ratio, as a node is without being told anything; 1 %: one in a hundred is sampled, without a limit a second, and
 * its spans are sent over HTTP to a receiver in a process of its own. An operation shares its batch with more, the more are in flight.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { silentLogger } from '../../actors/kernel/log.ts'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { createNodeRecorder } from '../../observe/recorder/recorder.ts'
import { createRequestRecorder } from '../../observe/recorder/requests.ts'
import { createRandomIds } from '../../observe/tracing/randomIds.ts'
import { openTracing } from '../../observe/tracing/openTracing.ts'
import { loadInstalled } from '../../observe/tracing/otlp.ts'
import { withDriverFlag, withInFlightFlag, withRunFlags, withWorkloadFlags } from '../flags.ts'
import { median } from '../load/measurement.ts'
import { createTracedPut } from '../load/tracedPut.ts'
import { formatTable, printResult } from '../report.ts'
import { createChildGroup } from '../targets/children.ts'
import { freePorts } from '../targets/freePorts.ts'
import { withOwnProduct } from '../targets/use.ts'
import { runOnce, warm } from '../turns.ts'
import { endWith, flawsOf } from '../verdict.ts'
import type { Command } from 'commander'
import type { ProcessTracing } from '../../observe/tracing/openTracing.ts'
import type { DriverFlags, RunFlags, WorkloadFlags } from '../flags.ts'
import type { ProductTarget } from '../targets/port.ts'
import type { Asked } from '../verdict.ts'

interface TracesFlags extends RunFlags, WorkloadFlags, DriverFlags {
  readonly inflight: readonly number[]
}

/**
 * Not counted: a node that is traced for minutes has compiled what traces, as those that a PUT is measured on have compiled theirs. The
 * first round costs four times as much, the sixth still a third more. These are 16,000 sampled PUTs: minutes of a node at its limit.
 */
const WARM_ROUNDS = 20
/** Of a round. */
const OPERATIONS = 80_000
/** The less an operation costs, the more of them tell it from nothing. */
const OPERATIONS_OFF = 800_000
/** Fewer spans than the queue holds: the next slice waits until they are gone. */
const SLICE = 40_000
const NANOS_PER_MICRO = 1_000
/** Between two looks at whether all spans have left. A look costs 0.1 ms, and is counted as if it were tracing's. */
const WAIT_MS = 250
const SINK = fileURLToPath(new URL('../spanSink.js', import.meta.url))

/** Operations that share a batch of a shard, by how many are in flight. */
const shared: ReadonlyMap<number, number> = new Map([[1, 1], [64, 4], [1_024, 32]])

export const addTraces = (program: Command): void => {
  const command = program.command('traces').description('the cost of tracing, in nanoseconds of a PUT')
  withDriverFlag(withWorkloadFlags(withRunFlags(withInFlightFlag(command, [...shared.keys()]), { runs: 5, seconds: 5 }))).action(askTraces)
}

interface TracesRow {
  readonly inFlight: number
  /** Of broker and nodes. */
  readonly putMicros: number
  readonly offNanos: number
  readonly someNanos: number
  readonly spansEach: number
  /** Of the cluster's PUTs. */
  readonly asked: readonly Asked[]
}

const askTraces = (flags: TracesFlags): Promise<void> => withOwnProduct(flags, async (target) => {
  const { keys, distribution, valueBytes } = flags
  await warm(target, { keys, distribution, valueBytes, readShare: 0 }, flags.warmServersSeconds)
  const sink = await openSink()
  const rows: TracesRow[] = []
  try {
    for (const inFlight of flags.inflight) rows.push(await rowOf(target, { flags, inFlight, url: sink.url }))
  } finally {
    await sink.stop()
  }
  await printResult(flags.json === true, { rows }, formatTable(
    ['in flight', 'PUT us', 'off ns', 'of a PUT', '1 % ns', 'of a PUT', 'spans a sampled PUT'],
    rows.map(({ inFlight, putMicros, offNanos, someNanos, spansEach }) => {
      const costs = [offNanos, someNanos].flatMap((nanos) =>
        [nanos.toFixed(0), `${(nanos / NANOS_PER_MICRO / putMicros * 100).toFixed(2)} %`])
      return [inFlight, putMicros.toFixed(1), ...costs, spansEach.toFixed(1)]
    }),
  ))
  endWith(flawsOf(rows.flatMap(({ asked }) => asked)))
})

interface TracesInput {
  readonly flags: TracesFlags
  readonly inFlight: number
  readonly url: string
}

const rowOf = async (target: ProductTarget, { flags, inFlight, url }: TracesInput): Promise<TracesRow> => {
  const { keys, distribution, valueBytes, seconds, warmUpMs, runs } = flags
  const operations = shared.get(inFlight)
  if (operations === undefined) throw new Error(`--inflight is of ${[...shared.keys()].join(', ')}`)
  const off = await openTraced({ operations, total: OPERATIONS_OFF, ratio: 0, url: null })
  const some = await openTraced({ operations, total: OPERATIONS, ratio: 0.01, url })
  for (let round = 0; round < WARM_ROUNDS; round += 1) {
    await off.nanos()
    await some.nanos()
  }
  const rounds = []
  const asked: Asked[] = []
  for (let seed = 1; seed <= runs; seed += 1) {
    const workload = { keys, distribution, valueBytes, readShare: 0, seed }
    const run = await runOnce(target, workload, { kind: 'closed', inFlight, warmUpMs, durationMs: seconds * 1_000 })
    asked.push({ what: `PUT at ${inFlight}, run ${seed}`, done: run.done, failed: run.failed })
    rounds.push({ putMicros: run.serverCpuUs, offNanos: await off.nanos(), someNanos: await some.nanos() })
  }
  await off.close()
  return {
    inFlight, asked, spansEach: await some.close(), putMicros: median(rounds.map(({ putMicros }) => putMicros)),
    offNanos: median(rounds.map(({ offNanos }) => offNanos)), someNanos: median(rounds.map(({ someNanos }) => someNanos)),
  }
}

interface Setting {
  /** In a batch, and in a round. */
  readonly operations: number
  readonly total: number
  readonly ratio: number
  readonly url: string | null
}

interface Traced {
  /** Of CPU an operation, beyond what the same without tracing takes. */
  readonly nanos: () => Promise<number>
  /** Resolves with the spans of each sampled PUT. */
  readonly close: () => Promise<number>
}

const openTraced = async ({ operations, total, ratio, url }: Setting): Promise<Traced> => {
  const clock = createSystemClock()
  const open = (node: string): Promise<ProcessTracing> => openTracing({
    settings: {
      otlp: url === null ? null : { url, protocol: 'http/protobuf' }, isAsked: true,
      ratio, ratioAlone: ratio, perSecondMax: Number.MAX_SAFE_INTEGER,
    },
    node, version: '0', env: {}, clock, log: silentLogger, load: loadInstalled, random: Math.random, ids: createRandomIds(),
  })
  const nodes = await Promise.all(['n1', 'n2', 'n3'].map(open))
  const [leader, ...followers] = nodes.map((node, i) => {
    const recorder = createNodeRecorder({ node: `n${i + 1}`, clock })
    return node.join(createRequestRecorder({ recorder, clock }).tracing)
  })
  if (leader === undefined) throw new Error('there are three nodes')
  const put = createTracedPut({ clock, leader, followers, operations })
  const bare = createTracedPut({ clock, leader: undefined, followers: [undefined, undefined], operations })
  const settle = async (): Promise<void> => {
    if (url === null) return
    for (let before = -1; before !== sum(nodes).exported || nodes.some((node) => node.counts().waiting > 0); await pause(WAIT_MS)) {
      before = sum(nodes).exported
    }
  }
  return {
    nanos: async () => {
      const round = { operations, total, settle }
      const without = await cpuOf(bare, { ...round, settle: () => Promise.resolve() })
      return await cpuOf(put, round) - without
    },
    close: async () => {
      const { exported, lost, sampled } = sum(nodes)
      if (lost > 0) throw new Error(`${lost} spans were dropped or not taken: the figure would be too good`)
      await Promise.all(nodes.map((node) => node.close()))
      return exported / Math.max(1, sampled)
    },
  }
}

const sum = (nodes: readonly ProcessTracing[]) => nodes.map((node) => node.counts()).reduce((all, one) => ({
  exported: all.exported + one.exported, sampled: all.sampled + one.sampled,
  lost: all.lost + one.failed + Object.values(one.dropped).reduce((total, count) => total + count, 0),
}), { exported: 0, sampled: 0, lost: 0 })

interface Round extends Pick<Setting, 'operations' | 'total'> {
  /** Resolves when all spans have left. */
  readonly settle: () => Promise<void>
}

/** Nanoseconds of this process an operation. */
const cpuOf = async (batch: () => void, { operations, total, settle }: Round): Promise<number> => {
  const before = process.cpuUsage()
  for (let done = 0; done < total; done += SLICE) {
    for (let i = 0; i < SLICE; i += operations) batch()
    await settle()
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) * NANOS_PER_MICRO / total
}

const openSink = async (): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> => {
  const [port = 0] = await freePorts(1)
  const group = await createChildGroup('spans')
  await group.start([
    { name: 'sink', program: process.execPath, args: [SINK, String(port)], readyLine: 'listening', isGuarded: false },
  ])
  return { url: `http://127.0.0.1:${port}/v1/traces`, stop: group.stop }
}
