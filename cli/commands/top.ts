/** `shardkv top`: what the cluster does right now, in place until `q`; one frame with `--once`, a stream with `-w json`. */

import { Command } from 'commander'
import { inboxOf } from '../broker.ts'
import { duration, withClusterFlags, withFormatFlag, flag } from '../flags.ts'
import { sleep } from '../io.ts'
import { colorsFor, printResult, tabbed } from '../output.ts'
import { withBus } from '../session.ts'
import { collectReports, nobodyAnswers } from '../status/collect.ts'
import { drawFrame } from '../top/draw.ts'
import { frameOf } from '../top/frame.ts'
import { runTopScreen } from '../top/screen.ts'
import type { Bus } from '../../bus/port.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { Frame } from '../top/frame.ts'

interface TopFlags extends ClusterFlags {
  readonly interval: number
  readonly once?: boolean
  readonly writeOut: OutputFormat
}

const PLAIN_COLUMNS = 120
const INTERVAL_MS_DEFAULT = 1_000

export const topCommand = (io: CliIo): Command => withFormatFlag(withClusterFlags(new Command('top'), io.env), 'table')
  .description('shows rates, latencies and queues of every node and shard, live')
  .addOption(flag('--interval <time>', 'how often: milliseconds, or with a unit (2s)').argParser(duration(200, 60_000))
    .default(INTERVAL_MS_DEFAULT))
  .addOption(flag('--once', 'print one frame and end'))
  .addHelpText('after', '\nLatencies are from a request\'s arrival at the shard\'s leader to its answer. LOOP: how late timers run (p99).\n'
    + 'SYNC: how long the log waits for the disk (p99). WAIT: operations not answered. LAG: entries that the\n'
    + 'slowest replica is behind. Keys: q quits, s puts the busiest shards first, arrows scroll.\n'
    + '\nExamples:\n  $ shardkv top\n  $ shardkv top --once\n  $ shardkv top -w json --interval 5s | jq .writes.perSecond')
  .action(async (flags: TopFlags) => {
    await withBus(io, flags, async (bus) => {
      const next = frames(io, bus, flags)
      if (flags.once === true) await printFrame(io, flags, await next())
      else if (flags.writeOut === 'table' && io.terminal !== null && io.isOutputTty) await runTopScreen({ io, terminal: io.terminal, next })
      else await printUntilInterrupted(io, flags, next)
    })
  })

/** Each call waits an interval, and tells what happened in it. */
const frames = (io: CliIo, bus: Bus, { prefix, interval, inboxPrefix }: TopFlags): (() => Promise<Frame | null>) => {
  const { clock } = io
  const collect = async () =>
    ({ at: clock.now(), reports: await collectReports({ bus, clock, prefix, inbox: inboxOf({ inboxPrefix }, io.newId()) }) })
  let before: Awaited<ReturnType<typeof collect>> | null = null
  return async () => {
    before ??= await collect()
    await sleep(clock, Math.max(0, interval - (clock.now() - before.at)))
    const after = await collect()
    const frame = frameOf(before.reports, after.reports, (after.at - before.at) / 1_000)
    before = after
    return frame
  }
}

const printUntilInterrupted = async (io: CliIo, flags: TopFlags, next: () => Promise<Frame | null>): Promise<void> => {
  let isStopped = false
  const release = io.onInterrupt(() => { isStopped = true })
  try {
    for (;;) {
      const frame = await next()
      if (isStopped) return
      await printFrame(io, flags, frame)
    }
  } finally {
    release()
  }
}

const printFrame = async (io: CliIo, { writeOut, prefix }: TopFlags, frame: Frame | null): Promise<void> => {
  if (frame === null) {
    throw nobodyAnswers(prefix)
  }
  const view = { columns: PLAIN_COLUMNS, rows: Number.MAX_SAFE_INTEGER, scroll: 0, isSortedByLoad: false, hasFooter: false }
  await printResult(io, writeOut, {
    raw: tabbed(frame.shards.map(({ id, leader, term, reads, writes, waiting, lagEntries }) =>
      [id, leader ?? '-', term, reads.perSecond.toFixed(1), writes.perSecond.toFixed(1), waiting, lagEntries ?? '?'])),
    json: frame,
    table: drawFrame(frame, view, colorsFor(io)).join('\n'),
  })
}
