/**
 * `bench memory`: what does a node hold and use when it is idle, and what does it hold with a million keys? Bars: idle under 100 MB and
 * 2 % of a core; a million keys of 16 bytes with 128-byte values under 600 MB a node (aim: 400).
 */

import { setTimeout as pause } from 'node:timers/promises'
import { withDriverFlag, withKeysFlags, withLengthFlags, withRestFlag } from '../flags.ts'
import { formatTable, printResult } from '../report.ts'
import { mebibytes, sampleServer } from '../sampling.ts'
import { withOwnProduct } from '../targets/use.ts'
import { fill } from '../turns.ts'
import type { Command } from 'commander'
import type { DriverFlags, KeysFlags, RestFlags } from '../flags.ts'
import type { Target } from '../targets/port.ts'

interface MemoryRow {
  readonly process: string
  readonly idleRssBytes: number
  readonly idleCpuPercent: number
  readonly filledRssBytes: number
  readonly bytesPerKey: number
}

const MILLION = 1_000_000

export const addMemory = (program: Command): void => {
  const command = program.command('memory').description('RSS and CPU of idle nodes, RSS with a million keys')
  withDriverFlag(withLengthFlags(withRestFlag(withKeysFlags(command, MILLION)), 20)).action(askMemory)
}

const askMemory = (flags: RestFlags & KeysFlags & DriverFlags): Promise<void> => withOwnProduct(flags, async (target) => {
  await pause(flags.restSeconds * 1_000)
  const idle = await watchIdle(target, flags.seconds * 1_000)
  process.stderr.write(`writing ${flags.keys} keys\n`)
  await fill(target, { ...flags, distribution: 'uniform', readShare: 0 })
  // Snapshots and compaction that the writes have set off come to their end.
  await pause(flags.seconds * 1_000)
  const rows: MemoryRow[] = []
  for (const [name, pid] of Object.entries(target.pids)) {
    const { rssBytes = 0, cpuPercent = 0 } = idle.get(name) ?? {}
    const filledRssBytes = (await sampleServer(name, pid))?.rssBytes ?? 0
    rows.push({
      process: name, idleRssBytes: rssBytes, idleCpuPercent: cpuPercent, filledRssBytes,
      bytesPerKey: Math.max(0, filledRssBytes - rssBytes) / flags.keys,
    })
  }
  await printResult(flags.json === true, { keys: flags.keys, rows }, tableOf(rows, flags.keys))
})

const watchIdle = async (
  target: Target, ms: number,
): Promise<ReadonlyMap<string, { readonly rssBytes: number; readonly cpuPercent: number }>> => {
  const processes = Object.entries(target.pids)
  const before = await Promise.all(processes.map(async ([name, pid]) => ({ name, pid, sample: await sampleServer(name, pid) })))
  await pause(ms)
  const idle = new Map<string, { readonly rssBytes: number; readonly cpuPercent: number }>()
  for (const { name, pid, sample } of before) {
    const after = await sampleServer(name, pid)
    if (sample === null || after === null) continue
    idle.set(name, { rssBytes: after.rssBytes, cpuPercent: (after.cpuMs - sample.cpuMs) / ms * 100 })
  }
  return idle
}

const tableOf = (rows: readonly MemoryRow[], keys: number): string => formatTable(
  ['process', 'idle RSS MiB', 'idle CPU % of a core', `RSS MiB with ${keys} keys`, 'bytes a key'],
  rows.map(({ process: name, idleRssBytes, idleCpuPercent, filledRssBytes, bytesPerKey }) => [
    name, mebibytes(idleRssBytes), idleCpuPercent.toFixed(1), mebibytes(filledRssBytes), Math.round(bytesPerKey),
  ]),
)
