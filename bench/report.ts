/** How figures leave: a table for people, JSON for programs, always with the machine, the versions and the commit they are of. */

import { cpus, release, totalmem } from 'node:os'
import Table from 'cli-table3'
import { serverVersion } from './targets/broker.ts'
import { commitOf, ownCheckout } from './targets/checkout.ts'
import type { Figure } from './turns.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  readonly natsServer: string
}

/** One line of a throughput table: an operation at a depth, answered by one target. */
export interface Row extends Figure {
  readonly op: string
  readonly inFlight: number
}

export const machineFacts = async (): Promise<Machine> => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  node: process.versions.node,
  natsServer: await serverVersion(),
})

export const machineLine = ({ cpu, cores, memoryGiB, kernel, node, natsServer }: Machine): string =>
  `${cores} x ${cpu}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, nats-server ${natsServer}`

export const formatTable = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string => {
  const table = new Table({ head: [...head], style: { head: [], border: [] } })
  table.push(...rows.map((row) => [...row]))
  return table.toString()
}

export const throughputTable = (rows: readonly Row[]): string => formatTable(
  [
    'op', 'in flight', 'target', 'per second', 'p50 ms', 'p99 ms', 'p99.9 ms', 'client us/op', 'servers us/op', 'refused', 'failed',
    'ratio',
  ],
  rows.map(({ op, inFlight, target, median, runs, ratio }) => [
    op, inFlight, target, Math.round(median.perSecond), median.p50Ms.toFixed(2), median.p99Ms.toFixed(2), median.p999Ms.toFixed(2),
    median.clientCpuUs.toFixed(1), median.serverCpuUs.toFixed(1),
    sum(runs.map(({ overloaded }) => overloaded)), sum(runs.map(({ failed }) => failed)),
    ratio === undefined ? '' : ratio.toFixed(2),
  ]),
)

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Prints the result of a question: with `--json` everything, otherwise machine, commit and table. */
export const printResult = async (isJson: boolean, result: { readonly [name: string]: unknown }, table: string): Promise<void> => {
  const [machine, commit] = await Promise.all([machineFacts(), commitOf(ownCheckout)])
  const text = isJson ? JSON.stringify({ commit, machine, ...result }) : `${machineLine(machine)}, commit ${commit}\n${table}`
  process.stdout.write(`${text}\n`)
}
