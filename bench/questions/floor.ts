/**
 * `bench floor`: how much of what the broker, the disk and Node allow does the product reach? The product and the floor (bench/floor) in
 * turns, and the ratio of each pair: product / floor.
 */

import { withDriverFlag, withInFlightFlag, withRunFlags, withWorkloadFlags } from '../flags.ts'
import { flag } from '../../cli/flags.ts'
import { printResult, throughputTable } from '../report.ts'
import { startFloor } from '../targets/floor.ts'
import { startProduct } from '../targets/product.ts'
import { withTargets } from '../targets/use.ts'
import { getMix } from './get.ts'
import { putMix } from './put.ts'
import { endWith } from '../verdict.ts'
import { flawsOfRows, measureMixes } from './throughput.ts'
import type { Command } from 'commander'
import type { DriverFlags, RunFlags, WorkloadFlags } from '../flags.ts'
import type { Row } from '../report.ts'

interface FloorFlags extends RunFlags, WorkloadFlags, DriverFlags {
  readonly inflight: readonly number[]
  readonly op: 'put' | 'get' | 'both'
}

const DEPTHS = [1, 64, 256, 1_024]

/** The least ratio that the project asks of itself, by operation and depth. */
const BARS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  put: { 1: 0.8, 64: 0.8, 256: 0.6, 1024: 0.5 },
  get: { 64: 0.7, 256: 0.7, 1024: 0.7 },
}

export const addFloor = (program: Command): void => {
  const command = program.command('floor').description('product and floor in turns, and their ratio')
  withDriverFlag(withWorkloadFlags(withRunFlags(withInFlightFlag(command, DEPTHS), { runs: 3, seconds: 3 })))
    .addOption(flag('--op <name>', 'what to compare').choices(['put', 'get', 'both']).default('both'))
    .action(askFloor)
}

const askFloor = (flags: FloorFlags): Promise<void> =>
  withTargets([startFloor, () => startProduct(flags.driver)], async (targets) => {
    const mixes = [putMix, getMix].filter(({ op }) => flags.op === 'both' || flags.op === op)
    const rows = await measureMixes(targets, mixes, flags)
    const bars = rows.flatMap(verdict)
    await printResult(flags.json === true, { rows, bars }, [throughputTable(rows), ...bars].join('\n'))
    endWith(flawsOfRows(rows))
  })

const verdict = ({ op, inFlight, ratio }: Row): readonly string[] => {
  const bar = BARS[op]?.[inFlight]
  if (bar === undefined || ratio === undefined) return []
  return [`${op} at ${inFlight}: ${ratio.toFixed(2)} of the floor, bar ${bar}: ${ratio >= bar ? 'reached' : 'MISSED'}`]
}
