/** `shardkv status`: who is there and who leads what. */

import { Command } from 'commander'
import { inboxOf } from '../broker.ts'
import { withClusterFlags, withFormatFlag } from '../flags.ts'
import { withBus } from '../session.ts'
import { collectReports, nobodyAnswers } from '../status/collect.ts'
import { mergeReports } from '../status/merge.ts'
import { hasColor, printResult } from '../output.ts'
import { statusLines, statusTable } from '../status/table.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface StatusFlags extends ClusterFlags {
  readonly writeOut: OutputFormat
}

export const statusCommand = (io: CliIo): Command =>
  withFormatFlag(withClusterFlags(new Command('status'), io.env), 'table')
    .description('shows nodes, shards and their leaders')
    .addHelpText('after', '\nIt answers within 2 s also while nodes are down.\n\nExamples:\n  $ shardkv status\n  $ shardkv status -w json')
    .action(async (flags: StatusFlags) => {
      const status = await withBus(io, flags, async (bus) =>
        mergeReports(await collectReports({ bus, clock: io.clock, prefix: flags.prefix, inbox: inboxOf(flags, io.newId()) })))
      if (status === undefined) {
        throw nobodyAnswers(flags.prefix)
      }
      await printResult(io, flags.writeOut, { raw: statusLines(status), json: status, table: statusTable(status, hasColor(io)) })
    })
