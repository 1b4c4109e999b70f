/** How many operations a second, and how long does one take, with so many in flight? The question behind put, get, mixed and raw. */

import { flag } from '../../cli/flags.ts'
import { withInFlightFlag, withPlaceFlags, withRunFlags, withTargetFlags, withWorkloadFlags } from '../flags.ts'
import { printResult, throughputTable } from '../report.ts'
import { startOtherProduct } from '../targets/product.ts'
import { productOf, withTargets } from '../targets/use.ts'
import { fill, measureInTurns, warm } from '../turns.ts'
import { commitOf } from '../targets/checkout.ts'
import { askedOf, endWith, flawsOf } from '../verdict.ts'
import type { Command } from 'commander'
import type { RunFlags, TargetFlags, WorkloadFlags } from '../flags.ts'
import type { DriverName } from '../drivers/port.ts'
import type { Row } from '../report.ts'
import type { Target } from '../targets/port.ts'

export interface ThroughputFlags extends RunFlags, WorkloadFlags, TargetFlags {
  readonly inflight: readonly number[]
  readonly against?: string
}

/** `put` is 0 reads, `get` only reads. */
export interface Mix {
  readonly op: string
  readonly readShare: number
}

const DEPTHS = [1, 16, 64, 256, 1_024]

/** Adds a question to the program that asks these mixes one after the other. */
export const addThroughput = (program: Command, { name, description, mixes, driver }: {
  readonly name: string; readonly description: string; readonly mixes: readonly Mix[]
  /** How the client asks, when the question leaves no choice. */
  readonly driver?: DriverName
}): void => {
  const command = withWorkloadFlags(withRunFlags(withInFlightFlag(program.command(name).description(description), DEPTHS), {
    runs: 3, seconds: 3,
  }))
  const placed = driver === undefined ? withTargetFlags(command) : withPlaceFlags(command)
  placed
    .addOption(flag('--against <directory>', 'measure in turns with the build of another checkout, and print the ratio'))
    .action((flags: ThroughputFlags) => askThroughput(driver === undefined ? flags : { ...flags, driver }, mixes))
}

const askThroughput = (flags: ThroughputFlags, mixes: readonly Mix[]): Promise<void> => {
  const { against, driver } = flags
  // The other build comes first: ratios say how this one compares with it.
  const starts = against === undefined ? [productOf(flags)] : [() => startOtherProduct(against, driver), productOf(flags)]
  return withTargets(starts, async (targets) => {
    const rows = await measureMixes(targets, mixes, flags)
    const builds = against === undefined ? {} : { against: { directory: against, commit: await commitOf(against) } }
    await printResult(flags.json === true, { ...builds, rows }, throughputTable(rows))
    endWith(flawsOfRows(rows))
  })
}

/** A figure of operations that failed is none. */
export const flawsOfRows = (rows: readonly Row[]): readonly string[] =>
  flawsOf(rows.flatMap((row) => askedOf(`${row.op} at ${row.inFlight}`, [row])))

/** Every mix at every depth, all targets in turns. */
export const measureMixes = async (
  targets: readonly Target[], mixes: readonly Mix[], flags: Omit<ThroughputFlags, keyof TargetFlags>,
): Promise<readonly Row[]> => {
  const { keys, distribution, valueBytes, warmUpMs, runs } = flags
  const rows: Row[] = []
  if (mixes.some(({ readShare }) => readShare > 0)) {
    for (const target of targets) await fill(target, { keys, distribution, valueBytes, readShare: 0 })
  }
  for (const { op, readShare } of mixes) {
    for (const target of targets) await warm(target, { keys, distribution, valueBytes, readShare }, flags.warmServersSeconds)
    for (const inFlight of flags.inflight) {
      const workload = { keys, distribution, valueBytes, readShare }
      const loop = { kind: 'closed', inFlight, warmUpMs, durationMs: flags.seconds * 1_000 } as const
      const figures = await measureInTurns({ targets, workload, loop, runs })
      rows.push(...figures.map((figure) => ({ op, inFlight, ...figure })))
      const said = figures.map(({ target, median, ratio }) =>
        `${target} ${Math.round(median.perSecond)}/s${ratio === undefined ? '' : ` (x ${ratio.toFixed(2)})`}`)
      process.stderr.write(`${op} ${inFlight}: ${said.join(', ')}\n`)
    }
  }
  return rows
}
