/**
 * `bench idle`: what does a node use when nobody asks it for anything, with few shards or with very many, and how often is it woken for
 * it? Bars: 16 shards on 3 nodes under 2 % of a core and 100 MB a node; 1,024 shards on 5 nodes under 10 % of a core.
 *
 * CPU time is what the process used, user and system, so it bears a machine that others use as well, but for the caches. With
 * `--against` the other build's nodes and this one's stand side by side and are watched in turns, A B A B.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { SHARD_COUNT_MAX } from '../../topology/ids.ts'
import { NODES_MAX, flag, wholeNumber } from '../../cli/flags.ts'
import { connectNats } from '../../bus/nats.ts'
import { collectReports } from '../../cli/status/collect.ts'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { withLengthFlags, withRestFlag, withRunsFlag } from '../flags.ts'
import { median } from '../load/measurement.ts'
import { formatTable, printResult } from '../report.ts'
import { mebibytes, sampleServer, wakeUpsOf } from '../sampling.ts'
import { commitOf } from '../targets/checkout.ts'
import { startOtherProduct, startProduct } from '../targets/product.ts'
import { withTargets } from '../targets/use.ts'
import type { Command } from 'commander'
import type { RestFlags } from '../flags.ts'
import type { ProductTarget } from '../targets/port.ts'

interface IdleFlags extends RestFlags {
  readonly runs: number
  readonly nodes: number
  readonly shards: number
  readonly against?: string
}

/** How it would be asked, if anybody did. */
const UNASKED = 'sdk'
/** The launcher's name of what is no node. */
const BROKER = 'nats-server'

interface IdleRow {
  readonly target: string
  readonly process: string
  /** User and system time, in percent of a core: the median over the runs. */
  readonly cpuPercent: number
  readonly rssBytes: number
  /** Of all its threads: what a node of few groups pays for. */
  readonly wakeUpsPerSecond: number
  /** Between nodes; undefined for the broker. */
  readonly messagesPerSecond?: number
  readonly framesPerSecond?: number
}

export const addIdle = (program: Command): void => {
  const command = program.command('idle').description('CPU, RSS and messages of nodes that nobody asks for anything')
    .addOption(flag('--nodes <count>', 'node processes').argParser(wholeNumber(1, NODES_MAX)).default(3))
    .addOption(flag('--shards <count>', 'shards, of three replicas each').argParser(wholeNumber(1, SHARD_COUNT_MAX)).default(16))
    .addOption(flag('--against <directory>', 'watch in turns with the build of another checkout'))
  withLengthFlags(withRestFlag(withRunsFlag(command, 1)), 30).action(askIdle)
}

const askIdle = (flags: IdleFlags): Promise<void> => {
  const { against, nodes, shards, seconds } = flags
  const own = (): Promise<ProductTarget> => startProduct(UNASKED, { nodes, shards })
  const starts = against === undefined ? [own] : [() => startOtherProduct(against, UNASKED, { nodes, shards }), own]
  return withTargets(starts, async (targets) => {
    await pause(flags.restSeconds * 1_000)
    const rounds: IdleRow[][] = []
    for (let run = 0; run < flags.runs; run += 1) for (const target of targets) rounds.push(await watch(target, seconds))
    const rows = middleOf(rounds.flat())
    const builds = against === undefined ? {} : { against: { directory: against, commit: await commitOf(against) } }
    await printResult(flags.json === true, { ...builds, nodes, shards, rows }, tableOf(rows))
  })
}

interface Sight {
  readonly cpuMs: number
  readonly rssBytes: number
  readonly wakeUps: number
  readonly messages: number | undefined
  readonly frames: number | undefined
}

const watch = async (target: ProductTarget, seconds: number): Promise<IdleRow[]> => {
  const before = await look(target)
  await pause(seconds * 1_000)
  const after = await look(target)
  const rows: IdleRow[] = []
  for (const [name, then] of before) {
    const now = after.get(name)
    if (now === undefined) continue
    const row = {
      target: target.name, process: name, cpuPercent: (now.cpuMs - then.cpuMs) / seconds / 10, rssBytes: now.rssBytes,
      wakeUpsPerSecond: (now.wakeUps - then.wakeUps) / seconds,
    }
    if (now.messages === undefined || now.frames === undefined) rows.push(row)
    else rows.push({
      ...row,
      messagesPerSecond: (now.messages - (then.messages ?? 0)) / seconds,
      framesPerSecond: (now.frames - (then.frames ?? 0)) / seconds,
    })
  }
  return rows
}

/** The processes' own counters come from their reports, asked for outside of what is measured: before the first sample, after the last. */
const look = async ({ at, pids }: ProductTarget): Promise<ReadonlyMap<string, Sight>> => {
  const bus = await connectNats({ servers: at.servers, name: 'shardkv bench' })
  try {
    const reports = await collectReports({ bus, clock: createSystemClock(), prefix: at.prefix, inbox: `_INBOX.bench.${process.pid}` })
    const sights = new Map<string, Sight>()
    for (const [name, pid] of Object.entries(pids)) {
      const sample = await sampleServer(name, pid)
      const counters = reports.find(({ node }) => node.id === name)?.node.counters
      if (counters === undefined && name !== BROKER) throw new Error(`${name} does not say what it sent: it has not answered on kv.status`)
      if (sample === null) continue
      const { cpuMs, rssBytes } = sample
      const wakeUps = await wakeUpsOf(pid)
      sights.set(name, { cpuMs, rssBytes, wakeUps, messages: counters?.['messagesSent'], frames: counters?.['framesSent'] })
    }
    return sights
  } finally {
    bus.close()
  }
}

/** Of each process the medians of CPU and wake-ups. */
const middleOf = (rows: readonly IdleRow[]): readonly IdleRow[] => {
  const keyOf = ({ target, process: name }: IdleRow): string => `${target} ${name}`
  const last = new Map(rows.map((row) => [keyOf(row), row]))
  return [...last].map(([key, row]) => {
    const own = rows.filter((other) => keyOf(other) === key)
    return {
      ...row, cpuPercent: median(own.map(({ cpuPercent }) => cpuPercent)),
      wakeUpsPerSecond: median(own.map(({ wakeUpsPerSecond }) => wakeUpsPerSecond)),
    }
  })
}

const tableOf = (rows: readonly IdleRow[]): string => formatTable(
  ['target', 'process', 'CPU % of a core', 'RSS MiB', 'wake-ups/s', 'messages/s', 'frames/s'],
  rows.map(({ target, process: name, cpuPercent, rssBytes, wakeUpsPerSecond, messagesPerSecond, framesPerSecond }) => [
    target, name, cpuPercent.toFixed(2), mebibytes(rssBytes), wakeUpsPerSecond.toFixed(0),
    messagesPerSecond?.toFixed(0) ?? '', framesPerSecond?.toFixed(0) ?? '',
  ]),
)
