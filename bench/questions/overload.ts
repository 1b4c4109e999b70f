/**
 * `bench overload`: what becomes of a cluster that is offered ten times its peak? Goodput should stay above 80 % of the peak, memory
 * bounded, everybody else be told OVERLOADED with a retry-after, and no leader lose its quorum. Two floods (load/flood.ts): one that
 * obeys the retry-after, as the SDK does, and one that does not, as a bad client. On a machine that clients and nodes share, the second
 * also measures how much of it the client takes.
 *
 * The peak is measured before the first flood and after each: a flood is held against the mean of its two neighbours, since on a machine
 * that others use the peak of a minute ago is another machine's. Elections are counted during the peaks too, for the same reason.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { flag, wholeNumber } from '../../cli/flags.ts'
import { runFloodClient } from '../clientTask.ts'
import { withDriverFlag, withLoadFlags, withWorkloadFlags } from '../flags.ts'
import { connectNats } from '../../bus/nats.ts'
import { awaitLeaders } from '../drivers/leaders.ts'
import { measurePeak } from '../peak.ts'
import { formatTable, printResult } from '../report.ts'
import { mebibytes, sampleServer } from '../sampling.ts'
import { withOwnProduct } from '../targets/use.ts'
import { fill } from '../turns.ts'
import { endWith, flawsOf } from '../verdict.ts'
import type { Command } from 'commander'
import type { DriverFlags, LoadFlags, WorkloadFlags } from '../flags.ts'
import type { FloodFigures } from '../load/flood.ts'
import type { ProductTarget, Target } from '../targets/port.ts'

interface OverloadFlags extends LoadFlags, WorkloadFlags, DriverFlags {
  readonly times: number
  readonly peak?: number
}

interface OverloadRow extends FloodFigures {
  readonly client: string
  readonly seconds: number
  readonly goodputShare: number
  /** The mean of the peaks before and after. */
  readonly peak: number
  /** Terms by which all shards together moved on. */
  readonly elections: number
  /** Of all that was answered, what is neither done nor OVERLOADED. */
  readonly otherShare: number
  /** Of the server process that grew most. */
  readonly rssBytesBefore: number
  readonly rssBytesMax: number
}

const SAMPLE_EVERY_MS = 500
const RECOVERY_MS = 6_000
const GOODPUT_BAR = 0.8
const OTHER_BAR = 0.01
const GROWTH_BYTES_BAR = 256 * 2 ** 20

export const addOverload = (program: Command): void => {
  const command = program.command('overload').description('ten times the peak: goodput, refusals, memory')
  withDriverFlag(withWorkloadFlags(withLoadFlags(command, 10)))
    .addOption(flag('--times <count>', 'how many times the peak').argParser(wholeNumber(1, 1_000)).default(10))
    .addOption(flag('--peak <count>', 'operations a second; default: measured first').argParser(wholeNumber(1, 10_000_000)))
    .action(askOverload)
}

const askOverload = (flags: OverloadFlags): Promise<void> => withOwnProduct(flags, async (target) => {
  const { keys, distribution, valueBytes, warmUpMs } = flags
  const workload = { keys, distribution, valueBytes, readShare: 0 }
  await fill(target, workload)
  const askPeak = async (): Promise<number> =>
    flags.peak ?? await measurePeak(target, { workload, seconds: Math.min(flags.seconds, 5), warmUpMs })
  const bus = await connectNats({ servers: target.at.servers, name: 'shardkv bench' })
  const termsMoved = async (work: () => Promise<void>): Promise<number> => {
    const before = await awaitLeaders(bus, target.at.prefix)
    await work()
    return (await awaitLeaders(bus, target.at.prefix)).terms - before.terms
  }
  const peaks: number[] = []
  const floods: (Flooded & { readonly elections: number })[] = []
  let electionsAtPeak = await termsMoved(async () => { peaks.push(await askPeak()) })
  for (const isObeying of [true, false]) {
    const perSecond = (peaks.at(-1) ?? 0) * flags.times
    let figures: Flooded | undefined
    const elections = await termsMoved(async () => { figures = await flood(target, { ...flags, perSecond, isObeying }) })
    if (figures !== undefined) floods.push({ ...figures, elections })
    await pause(RECOVERY_MS)
    electionsAtPeak += await termsMoved(async () => { peaks.push(await askPeak()) })
  }
  bus.close()
  const rows = floods.map((figures, i) => rowOf(figures, ((peaks[i] ?? 0) + (peaks[i + 1] ?? 0)) / 2))
  await printResult(flags.json === true, { peaks, electionsAtPeak, rows }, tableOf(rows, { peaks, electionsAtPeak }))
  // What was neither done nor refused has a bar of its own here.
  endWith(flawsOf(rows.map(({ client, done }) => ({ what: `a client that ${client}`, done, failed: 0 }))))
})

type Flooded = Omit<OverloadRow, 'goodputShare' | 'peak' | 'otherShare' | 'elections'>

const rowOf = (figures: Flooded & { readonly elections: number }, peak: number): OverloadRow => {
  const { done, overloaded, failures, seconds } = figures
  const other = Object.values(failures).reduce((sum, count) => sum + count, 0)
  return { ...figures, peak, goodputShare: done / seconds / peak, otherShare: other / Math.max(1, done + overloaded + other) }
}

const flood = async (
  target: ProductTarget, flags: OverloadFlags & { readonly perSecond: number; readonly isObeying: boolean },
): Promise<Flooded> => {
  const { keys, distribution, valueBytes, warmUpMs, seconds, perSecond, isObeying } = flags
  const before = await memoryOf(target)
  const watch = watchMemory(target)
  const figures = await runFloodClient({
    driver: target.driver, target: target.at, workload: { keys, distribution, valueBytes, readShare: 0, seed: 1 },
    loop: { kind: 'flood', perSecond, durationMs: seconds * 1_000, warmUpMs, isObeying },
  })
  const most = watch.stop()
  await memoryOf(target)
  const [name = ''] = Object.keys(before).toSorted((a, b) => grown(before, most, b) - grown(before, most, a))
  return {
    client: isObeying ? 'obeys' : 'does not obey', seconds, ...figures,
    rssBytesBefore: before[name] ?? 0, rssBytesMax: most[name] ?? 0,
  }
}

type Memory = Record<string, number>

const grown = (before: Memory, after: Memory, name: string): number => (after[name] ?? 0) - (before[name] ?? 0)

const memoryOf = async (target: Target): Promise<Memory> => {
  const memory: Memory = {}
  for (const [name, pid] of Object.entries(target.pids)) memory[name] = (await sampleServer(name, pid))?.rssBytes ?? 0
  return memory
}

/** The most that each process held while the watch went on. */
const watchMemory = (target: Target): { readonly stop: () => Memory } => {
  const most: Memory = {}
  const timer = setInterval(() => {
    memoryOf(target).then((now) => {
      for (const [name, bytes] of Object.entries(now)) most[name] = Math.max(most[name] ?? 0, bytes)
      // That a process has ended is said by the next sample that is waited for.
    }).catch(() => clearInterval(timer))
  }, SAMPLE_EVERY_MS)
  return {
    stop: () => {
      clearInterval(timer)
      return most
    },
  }
}

interface Peaks {
  readonly peaks: readonly number[]
  readonly electionsAtPeak: number
}

const tableOf = (rows: readonly OverloadRow[], { peaks, electionsAtPeak }: Peaks): string => [
  `peaks ${peaks.map((peak) => `${Math.round(peak)}/s`).join(', ')}; terms moved on during them: ${electionsAtPeak}`,
  formatTable(
    [
      'client', 'offered/s', 'sent/s', 'done/s', '% of peak', 'p50 ms', 'p99 ms', 'OVERLOADED/s', 'other/s', 'terms', 'retry-after ms',
      'RSS MiB before', 'RSS MiB most',
    ],
    rows.map(lineOf),
  ),
  ...rows.flatMap(verdictsOf),
].join('\n')

const lineOf = (row: OverloadRow): readonly (string | number)[] => {
  const { client, seconds, offered, sent, done, overloaded, failures, goodputShare, elections, retryAfterMsMax } = row
  const perSecond = (count: number): number => Math.round(count / seconds)
  return [
    client, perSecond(offered), perSecond(sent), perSecond(done), Math.round(goodputShare * 100),
    row.p50Ms.toFixed(0), row.p99Ms.toFixed(0), perSecond(overloaded),
    Object.entries(failures).map(([status, count]) => `${status} ${perSecond(count)}`).join(' '), elections, retryAfterMsMax,
    mebibytes(row.rssBytesBefore), mebibytes(row.rssBytesMax),
  ]
}

interface Verdict {
  readonly what: string
  readonly value: string
  readonly bar: string
  readonly isReached: boolean
}

const verdictsOf = (row: OverloadRow): readonly string[] => verdicts(row).map(({ what, value, bar, isReached }) =>
  `a client that ${row.client}: ${what}: ${value}, bar ${bar}: ${isReached ? 'reached' : 'MISSED'}`)

const verdicts = ({ goodputShare, otherShare, elections, rssBytesBefore, rssBytesMax }: OverloadRow): readonly Verdict[] => {
  const growth = rssBytesMax - rssBytesBefore
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
  return [
    {
      what: 'goodput', value: `${goodputShare.toFixed(2)} of the peak`, bar: `at least ${GOODPUT_BAR}`,
      isReached: goodputShare >= GOODPUT_BAR,
    },
    {
      what: 'neither done nor told OVERLOADED', value: percent(otherShare), bar: `at most ${percent(OTHER_BAR)}`,
      isReached: otherShare <= OTHER_BAR,
    },
    { what: 'terms moved on', value: String(elections), bar: 'none', isReached: elections === 0 },
    {
      what: 'memory grew', value: `${mebibytes(growth)} MiB`, bar: `at most ${mebibytes(GROWTH_BYTES_BAR)} MiB`,
      isReached: growth <= GROWTH_BYTES_BAR,
    },
  ]
}
