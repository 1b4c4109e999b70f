/**
 * `bench soak --minutes 60`: does anything grow? Half of the peak, reads and writes half and half, while memory, file descriptors and
 * the size of each node's data are sampled. Growth compares the last quarter of the samples with the second: what a process takes
 * while it warms up is no leak.
 */

import { join } from 'node:path'
import { flag, wholeNumber } from '../../cli/flags.ts'
import { withDriverFlag, withLoadFlags, withWorkloadFlags } from '../flags.ts'
import { median } from '../load/measurement.ts'
import { measurePeak } from '../peak.ts'
import { formatTable, printResult } from '../report.ts'
import { directoryBytes, mebibytes, sampleProcess } from '../sampling.ts'
import { withOwnProduct } from '../targets/use.ts'
import { fill } from '../turns.ts'
import { endWith, flawsOf } from '../verdict.ts'
import type { Command } from 'commander'
import type { DriverFlags, LoadFlags, WorkloadFlags } from '../flags.ts'
import type { ProductTarget } from '../targets/port.ts'

interface SoakFlags extends LoadFlags, WorkloadFlags, DriverFlags {
  readonly minutes: number
  readonly everySeconds: number
}

interface SoakSample {
  readonly minute: number
  readonly process: string
  readonly rssBytes: number
  readonly descriptors: number
  readonly dataBytes: number
}

const LOAD_SHARE = 0.5
const READ_SHARE = 0.5
const IN_FLIGHT_MAX = 16_000

export const addSoak = (program: Command): void => {
  const command = program.command('soak').description('half of the peak for long: memory, file descriptors and log size')
  withDriverFlag(withWorkloadFlags(withLoadFlags(command, 5)))
    .addOption(flag('--minutes <count>', 'how long').argParser(wholeNumber(1, 10_000)).default(60))
    .addOption(flag('--every-seconds <count>', 'time between samples').argParser(wholeNumber(1, 3_600)).default(30))
    .action(askSoak)
}

const askSoak = (flags: SoakFlags): Promise<void> => withOwnProduct(flags, async (target) => {
  const { keys, distribution, valueBytes, warmUpMs, seconds, minutes } = flags
  const workload = { keys, distribution, valueBytes, readShare: READ_SHARE }
  await fill(target, workload)
  const perSecond = LOAD_SHARE * await measurePeak(target, { workload, seconds, warmUpMs })
  const durationMs = minutes * 60_000
  const loop = { kind: 'open', perSecond, warmUpMs, durationMs, inFlightMax: IN_FLIGHT_MAX } as const
  const watch = startWatch(target, flags.everySeconds * 1_000)
  const load = await target.ask({ ...workload, seed: 1 }, loop)
  const samples = await watch.stop()
  const lines = [
    tableOf(samples),
    `offered ${Math.round(perSecond)}/s for ${minutes} minutes: done ${load.done}, refused ${load.overloaded}, failed ${load.failed}, `
      + `p50 ${load.p50Ms.toFixed(2)} ms, p99 ${load.p99Ms.toFixed(2)} ms`,
  ]
  await printResult(flags.json === true, { perSecond, load, samples }, lines.join('\n'))
  endWith(flawsOf([{ what: `${minutes} minutes`, done: load.done, failed: load.failed }]))
})

/** Samples all processes at once until stopped, and tells each round at once: an hour given up half way leaves what it saw. */
const startWatch = (target: ProductTarget, everyMs: number): { readonly stop: () => Promise<readonly SoakSample[]> } => {
  const samples: SoakSample[] = []
  const startedAt = performance.now()
  const stopping = new AbortController()
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const round = await sampleAll(target, (performance.now() - startedAt) / 60_000)
      process.stderr.write(roundLine(round))
      samples.push(...round)
      await pauseUntil(everyMs, stopping.signal)
    }
  }
  const watching = watch()
  return {
    stop: async () => {
      stopping.abort()
      await watching
      return samples
    },
  }
}

/** `minute 1.5: broker 21 MiB RSS, 17 descriptors; n1 212 MiB RSS, 31 descriptors, 98 MiB of data` */
const roundLine = (round: readonly SoakSample[]): string => {
  const figures = round.map(({ process: name, rssBytes, descriptors, dataBytes }) =>
    `${name} ${mebibytes(rssBytes)} MiB RSS, ${descriptors} descriptors${dataBytes === 0 ? '' : `, ${mebibytes(dataBytes)} MiB of data`}`)
  return `minute ${round[0]?.minute.toFixed(1)}: ${figures.join('; ')}\n`
}

const sampleAll = async (target: ProductTarget, minute: number): Promise<readonly SoakSample[]> => {
  const samples: SoakSample[] = []
  for (const [name, pid] of Object.entries(target.pids)) {
    const sample = await sampleProcess(pid)
    if (sample === null) throw new Error(`${name} is gone`)
    const dataBytes = target.directory === undefined ? 0 : await directoryBytes(join(target.directory, name))
    samples.push({ minute, process: name, rssBytes: sample.rssBytes, descriptors: sample.descriptors, dataBytes })
  }
  return samples
}

const tableOf = (samples: readonly SoakSample[]): string => {
  const names = [...new Set(samples.map(({ process: name }) => name))]
  return formatTable(
    ['process', 'samples', 'RSS MiB', 'growth', 'descriptors', 'growth', 'data MiB', 'growth'],
    names.map((name) => {
      const own = samples.filter((sample) => sample.process === name)
      const column = (pick: (sample: SoakSample) => number, format: (value: number) => string): string[] => {
        const { early, late } = quartersOf(own.map(pick))
        return [format(late), `${early === 0 ? 0 : Math.round((late / early - 1) * 100)} %`]
      }
      return [
        name, own.length, ...column(({ rssBytes }) => rssBytes, mebibytes), ...column(({ descriptors }) => descriptors, String),
        ...column(({ dataBytes }) => dataBytes, mebibytes),
      ]
    }),
  )
}

/** The medians of the second and of the last quarter. */
export const quartersOf = (values: readonly number[]): { readonly early: number; readonly late: number } => {
  const quarter = Math.max(1, Math.floor(values.length / 4))
  return { early: median(values.slice(quarter, 2 * quarter)), late: median(values.slice(-quarter)) }
}

const pauseUntil = (ms: number, signal: AbortSignal): Promise<void> => new Promise((wake) => {
  const timer = setTimeout(wake, ms)
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    wake()
  }, { once: true })
})
