/** `shardkv ring`: the ring, the nodes on it, and which of them carries which shard. */

import { Command } from 'commander'
import { inboxOf } from '../broker.ts'
import { withClusterFlags, withFormatFlag } from '../flags.ts'
import { colorsFor, printResult, tabbed } from '../output.ts'
import { drawRing } from '../ring/draw.ts'
import { ringViewOf } from '../ring/view.ts'
import { withBus } from '../session.ts'
import { collectReports, nobodyAnswers } from '../status/collect.ts'
import { mergeReports } from '../status/merge.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface RingFlags extends ClusterFlags {
  readonly writeOut: OutputFormat
}

export const ringCommand = (io: CliIo): Command =>
  withFormatFlag(withClusterFlags(new Command('ring'), io.env), 'table')
    .description('draws the ring, the nodes on it, and where every shard lives')
    .addHelpText('after', '\nSHARE: how many replicas would be even; | marks it beside what the node carries.\n'
      + 'Raw: a line a shard: its number, its leader (or -), then its nodes.\n'
      + '\nExamples:\n  $ shardkv ring\n  $ shardkv ring -w json | jq \'.nodes[] | {id, replicas, share}\'')
    .action(async (flags: RingFlags) => {
      const status = await withBus(io, flags, async (bus) =>
        mergeReports(await collectReports({ bus, clock: io.clock, prefix: flags.prefix, inbox: inboxOf(flags, io.newId()) })))
      if (status === undefined) throw nobodyAnswers(flags.prefix)
      const view = ringViewOf(status)
      await printResult(io, flags.writeOut, {
        raw: tabbed(view.shards.map(({ id, leader, replicas }) => [id, leader ?? '-', ...replicas])),
        json: view,
        table: drawRing(view, colorsFor(io)),
      })
    })
