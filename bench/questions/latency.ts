/**
 * `bench latency`: how long does an operation take for a caller who comes when it likes, at 25, 50 and 75 % of the peak? An open loop:
 * latency counts from the intended start (load/openLoop.ts).
 */

import { flag, wholeNumber } from '../../cli/flags.ts'
import { wholeNumbers, withRunFlags, withTargetFlags, withWorkloadFlags } from '../flags.ts'
import { measurePeak } from '../peak.ts'
import { formatTable, printResult } from '../report.ts'
import { productOf, withTargets } from '../targets/use.ts'
import { fill, measureInTurns, warm } from '../turns.ts'
import { askedOf, endWith, flawsOf } from '../verdict.ts'
import { getMix } from './get.ts'
import { putMix } from './put.ts'
import type { Command } from 'commander'
import type { RunFlags, TargetFlags, WorkloadFlags } from '../flags.ts'
import type { Figure } from '../turns.ts'
import type { Target } from '../targets/port.ts'
import type { Mix } from './throughput.ts'

interface LatencyFlags extends RunFlags, WorkloadFlags, TargetFlags {
  readonly shares: readonly number[]
  readonly peak?: number
}

interface LatencyRow extends Figure {
  readonly op: string
  readonly sharePercent: number
  readonly offeredPerSecond: number
}

/** Operations of the client that may wait at once: far above what any share of the peak needs. */
const IN_FLIGHT_MAX = 16_000

const SHARES = [25, 50, 75]

export const addLatency = (program: Command): void => {
  const command = program.command('latency').description('latency at shares of the peak, counted from the intended start')
  withTargetFlags(withWorkloadFlags(withRunFlags(command, { runs: 3, seconds: 10 })))
    .addOption(flag('--shares <percents>', 'of the peak, separated by commas')
      .argParser(wholeNumbers(1, 1_000)).default(SHARES, SHARES.join(',')))
    .addOption(flag('--peak <count>', 'operations a second; default: measured first').argParser(wholeNumber(1, 10_000_000)))
    .action(askLatency)
}

const askLatency = (flags: LatencyFlags): Promise<void> => withTargets([productOf(flags)], async (targets) => {
  const rows: LatencyRow[] = []
  for (const target of targets) {
    await fill(target, { ...flags, readShare: 0 })
    for (const mix of [putMix, getMix]) rows.push(...await measureMix(target, mix, flags))
  }
  await printResult(flags.json === true, { rows }, tableOf(rows))
  endWith(flawsOf(rows.flatMap((row) => askedOf(`${row.op} at ${row.sharePercent} %`, [row]))))
})

const measureMix = async (target: Target, { op, readShare }: Mix, flags: LatencyFlags): Promise<readonly LatencyRow[]> => {
  const { warmUpMs, runs, seconds, keys, distribution, valueBytes } = flags
  const workload = { keys, distribution, valueBytes, readShare }
  await warm(target, workload, flags.warmServersSeconds)
  const peak = flags.peak ?? await measurePeak(target, { workload, seconds: Math.min(seconds, 5), warmUpMs })
  const rows: LatencyRow[] = []
  for (const sharePercent of flags.shares) {
    const perSecond = Math.max(1, Math.round(peak * sharePercent / 100))
    const loop = { kind: 'open', perSecond, warmUpMs, durationMs: seconds * 1_000, inFlightMax: IN_FLIGHT_MAX } as const
    const figures = await measureInTurns({ targets: [target], workload, loop, runs })
    rows.push(...figures.map((figure) => ({ op, sharePercent, offeredPerSecond: perSecond, ...figure })))
    process.stderr.write(`${op} at ${sharePercent} %: p99 ${figures[0]?.median.p99Ms.toFixed(2)} ms\n`)
  }
  return rows
}

const tableOf = (rows: readonly LatencyRow[]): string => formatTable(
  ['op', '% of peak', 'offered/s', 'done/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'refused', 'failed'],
  rows.map(({ op, sharePercent, offeredPerSecond, median }) => [
    op, sharePercent, offeredPerSecond, Math.round(median.perSecond), median.p50Ms.toFixed(2), median.p99Ms.toFixed(2),
    median.p999Ms.toFixed(2), median.maxMs.toFixed(1), median.overloaded, median.failed,
  ]),
)
