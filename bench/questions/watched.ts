/**
 * `bench watched`: what does watching cost? One cluster, in turns: PUTs with nobody watching, and with somebody who watches as the
 * Observatory's page does. Bar: watching costs under 5 % of the throughput.
 *
 * The watcher shares the machine with the servers, so the rate bears its own work, too; the servers' CPU time for an operation is
 * what the cluster itself pays, and what a machine that others use as well changes least. It still falls with the rate, since batches
 * grow: on a busy machine `--rate` keeps both turns alike.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { flag, wholeNumber } from '../../cli/flags.ts'
import { withDriverFlag, withInFlightFlag, withRunFlags, withWorkloadFlags } from '../flags.ts'
import { median } from '../load/measurement.ts'
import { watchAsPage } from '../pageWatcher.ts'
import { formatTable, printResult } from '../report.ts'
import { withOwnProduct } from '../targets/use.ts'
import { runOnce, warm } from '../turns.ts'
import { endWith, flawsOf } from '../verdict.ts'
import type { Command } from 'commander'
import type { DriverFlags, RunFlags, WorkloadFlags } from '../flags.ts'
import type { ProductTarget } from '../targets/port.ts'
import type { Run } from '../turns.ts'

interface WatchedFlags extends RunFlags, WorkloadFlags, DriverFlags {
  readonly inflight: readonly number[]
  readonly detail?: boolean
  readonly rate?: number
}

interface Pair {
  readonly alone: Run
  readonly watched: Run
  readonly recordsPerSecond: number
}

/** The feed is sent for so long after the last watcher has gone (observe/recorder/feed.ts). */
const LEASE_MS = 6_000
/** Of an open loop. */
const IN_FLIGHT_MAX = 4_096

export const addWatched = (program: Command): void => {
  const command = program.command('watched').description('PUT with nobody watching and with the Observatory open, in turns')
    .addOption(flag('--detail', 'the watcher asks for every message'))
    .addOption(flag('--rate <count>', 'so many PUTs a second, however long they take: CPU time for each is then of like and like')
      .argParser(wholeNumber(1, 1_000_000)))
  withDriverFlag(withWorkloadFlags(withRunFlags(withInFlightFlag(command, [64]), { runs: 5, seconds: 5 }))).action(askWatched)
}

const askWatched = (flags: WatchedFlags): Promise<void> => withOwnProduct(flags, async (target) => {
  const { keys, distribution, valueBytes, seconds, warmUpMs, runs } = flags
  const workload = { keys, distribution, valueBytes, readShare: 0 }
  await warm(target, workload, flags.warmServersSeconds)
  const rows = []
  for (const inFlight of flags.inflight) {
    const pairs: Pair[] = []
    for (let seed = 1; seed <= runs; seed += 1) {
      const times = { warmUpMs, durationMs: seconds * 1_000 }
      const loop = flags.rate === undefined
        ? { kind: 'closed' as const, inFlight, ...times }
        : { kind: 'open' as const, perSecond: flags.rate, inFlightMax: IN_FLIGHT_MAX, ...times }
      const ask = (): Promise<Run> => runOnce(target, { ...workload, seed }, loop)
      pairs.push(await pairOf(target, ask, flags.detail === true))
    }
    rows.push({ inFlight, pairs })
  }
  await printResult(flags.json === true, { rows }, formatTable(
    ['in flight', 'alone/s', 'watched/s', 'ratio', 'servers us/op', 'watched', 'ratio', 'records/s'],
    rows.map(({ inFlight, pairs }) => [
      inFlight, ...columns(pairs, ({ perSecond }) => perSecond, 0), ...columns(pairs, ({ serverCpuUs }) => serverCpuUs, 1),
      median(pairs.map(({ recordsPerSecond }) => recordsPerSecond)).toFixed(0),
    ]),
  ))
  endWith(flawsOf(rows.flatMap(({ inFlight, pairs }) => pairs.flatMap(({ alone, watched }, i) => [
    { what: `${inFlight} in flight, run ${i + 1}, alone`, done: alone.done, failed: alone.failed },
    { what: `${inFlight} in flight, run ${i + 1}, watched`, done: watched.done, failed: watched.failed },
  ]))))
})

const pairOf = async (target: ProductTarget, ask: () => Promise<Run>, isDetailed: boolean): Promise<Pair> => {
  const alone = await ask()
  const watcher = await watchAsPage(target.admin?.[0] ?? '', isDetailed)
  try {
    const [before, since] = [watcher.records(), performance.now()]
    const watched = await ask()
    const recordsPerSecond = (watcher.records() - before) * 1_000 / (performance.now() - since)
    process.stderr.write(`${Math.round(alone.perSecond)}/s alone, ${Math.round(watched.perSecond)}/s watched; `
      + `servers ${alone.serverCpuUs.toFixed(1)} and ${watched.serverCpuUs.toFixed(1)} us/op\n`)
    return { alone, watched, recordsPerSecond }
  } finally {
    await watcher.stop()
    await pause(LEASE_MS)
  }
}

/** Of both, and their ratio: the median of the pairs', each of which ran within seconds of the other. */
const columns = (pairs: readonly Pair[], of: (run: Run) => number, digits: number): readonly string[] => [
  median(pairs.map(({ alone }) => of(alone))).toFixed(digits), median(pairs.map(({ watched }) => of(watched))).toFixed(digits),
  median(pairs.map(({ alone, watched }) => of(watched) / Math.max(1e-9, of(alone)))).toFixed(3),
]
