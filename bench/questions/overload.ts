/**
 * `bench overload`: what becomes of a cluster that is offered ten times its peak? Goodput should stay above 80 % of the peak, memory
 * bounded, and everybody else be told OVERLOADED with a retry-after. Two floods (load/flood.ts): one that obeys the retry-after, as
 * the SDK does, and one that does not, as a bad client. On a machine that clients and nodes share, the second also measures how much of
 * it the client takes.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { flag, wholeNumber } from '../../cli/flags.ts'
import { runFloodClient } from '../clientTask.ts'
import { withRunFlags, withDriverFlag, withWorkloadFlags } from '../flags.ts'
import { measurePeak } from '../peak.ts'
import { formatTable, printResult } from '../report.ts'
import { mebibytes, sampleProcess } from '../sampling.ts'
import { withOwnProduct } from '../targets/use.ts'
import { fill } from '../turns.ts'
import type { Command } from 'commander'
import type { RunFlags, DriverFlags, WorkloadFlags } from '../flags.ts'
import type { FloodFigures } from '../load/flood.ts'
import type { ProductTarget, Target } from '../targets/port.ts'

interface OverloadFlags extends RunFlags, WorkloadFlags, DriverFlags {
  readonly times: number
  readonly peak?: number
}

interface OverloadRow extends FloodFigures {
  readonly client: string
  readonly seconds: number
  readonly goodputShare: number
  /** Of the server process that grew most. */
  readonly rssBytesBefore: number
  readonly rssBytesMax: number
}

const SAMPLE_EVERY_MS = 500
const RECOVERY_MS = 6_000
const GOODPUT_BAR = 0.8

export const addOverload = (program: Command): void => {
  const command = program.command('overload').description('ten times the peak: goodput, refusals, memory')
  withDriverFlag(withWorkloadFlags(withRunFlags(command, { runs: 1, seconds: 10 })))
    .addOption(flag('--times <count>', 'how many times the peak').argParser(wholeNumber(1, 1_000)).default(10))
    .addOption(flag('--peak <count>', 'operations a second; default: measured first').argParser(wholeNumber(1, 10_000_000)))
    .action(askOverload)
}

const askOverload = (flags: OverloadFlags): Promise<void> => withOwnProduct(flags, async (target) => {
  const { keys, distribution, valueBytes, warmUpMs } = flags
  const workload = { keys, distribution, valueBytes, readShare: 0 }
  await fill(target, workload)
  const peak = flags.peak ?? await measurePeak(target, { workload, seconds: Math.min(flags.seconds, 5), warmUpMs })
  const rows: OverloadRow[] = []
  for (const isObeying of [true, false]) {
    rows.push(await flood(target, { ...flags, peak, isObeying }))
    await pause(RECOVERY_MS)
  }
  await printResult(flags.json === true, { peak, rows }, tableOf(rows, peak))
})

const flood = async (
  target: ProductTarget, flags: OverloadFlags & { readonly peak: number; readonly isObeying: boolean },
): Promise<OverloadRow> => {
  const { keys, distribution, valueBytes, warmUpMs, seconds, peak, isObeying } = flags
  const before = await memoryOf(target)
  const watch = watchMemory(target)
  const figures = await runFloodClient({
    driver: target.driver, target: target.at, workload: { keys, distribution, valueBytes, readShare: 0, seed: 1 },
    loop: { kind: 'flood', perSecond: peak * flags.times, durationMs: seconds * 1_000, warmUpMs, isObeying },
  })
  const most = watch.stop()
  const [name = ''] = Object.keys(before).toSorted((a, b) => grown(before, most, b) - grown(before, most, a))
  return {
    client: isObeying ? 'obeys' : 'does not obey', seconds, ...figures, goodputShare: figures.done / seconds / peak,
    rssBytesBefore: before[name] ?? 0, rssBytesMax: most[name] ?? 0,
  }
}

type Memory = Record<string, number>

const grown = (before: Memory, after: Memory, name: string): number => (after[name] ?? 0) - (before[name] ?? 0)

const memoryOf = async (target: Target): Promise<Memory> => {
  const memory: Memory = {}
  for (const [name, pid] of Object.entries(target.pids)) memory[name] = (await sampleProcess(pid))?.rssBytes ?? 0
  return memory
}

/** The most that each process held while the watch went on. */
const watchMemory = (target: Target): { readonly stop: () => Memory } => {
  const most: Memory = {}
  const timer = setInterval(() => {
    memoryOf(target).then((now) => {
      for (const [name, bytes] of Object.entries(now)) most[name] = Math.max(most[name] ?? 0, bytes)
    }).catch(() => clearInterval(timer))
  }, SAMPLE_EVERY_MS)
  return {
    stop: () => {
      clearInterval(timer)
      return most
    },
  }
}

const tableOf = (rows: readonly OverloadRow[], peak: number): string => [
  `peak ${Math.round(peak)}/s`,
  formatTable(
    ['client', 'offered/s', 'sent/s', 'done/s', '% of peak', 'OVERLOADED/s', 'other/s', 'retry-after ms', 'RSS MiB before', 'RSS MiB most'],
    rows.map(lineOf),
  ),
  ...rows.map(({ client, goodputShare }) =>
    `a client that ${client}: ${goodputShare.toFixed(2)} of the peak, bar ${GOODPUT_BAR}: ${verdictOf(goodputShare)}`),
].join('\n')

const lineOf = (row: OverloadRow): readonly (string | number)[] => {
  const { client, seconds, offered, sent, done, overloaded, failures, goodputShare, retryAfterMsMax, rssBytesBefore, rssBytesMax } = row
  const perSecond = (count: number): number => Math.round(count / seconds)
  return [
    client, perSecond(offered), perSecond(sent), perSecond(done), Math.round(goodputShare * 100), perSecond(overloaded),
    Object.entries(failures).map(([status, count]) => `${status} ${perSecond(count)}`).join(' '), retryAfterMsMax,
    mebibytes(rssBytesBefore), mebibytes(rssBytesMax),
  ]
}

const verdictOf = (goodputShare: number): string => (goodputShare >= GOODPUT_BAR ? 'reached' : 'MISSED')
