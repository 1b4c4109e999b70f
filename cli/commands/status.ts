/** `shardkv status`: who is there and who leads what. */

import { Command } from 'commander'
import { CliError, ExitCode } from '../exit.ts'
import { withClusterFlags, withFormatFlag } from '../flags.ts'
import { withBus } from '../session.ts'
import { collectReports } from '../status/collect.ts'
import { mergeReports } from '../status/merge.ts'
import { statusTable } from '../status/table.ts'
import type { ClusterFlags, OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface StatusFlags extends ClusterFlags {
  readonly writeOut: OutputFormat
}

export const statusCommand = (io: CliIo): Command =>
  withFormatFlag(withClusterFlags(new Command('status'), io.env), ['table', 'json'])
    .description('shows nodes, shards and their leaders; answers within 2 s also while nodes are down')
    .addHelpText('after', '\nExamples:\n  $ shardkv status\n  $ shardkv status -w json')
    .action(async (flags: StatusFlags) => {
      const status = await withBus(io, flags, async (bus) =>
        mergeReports(await collectReports({ bus, clock: io.clock, prefix: flags.prefix, inbox: `_INBOX.${io.newId()}` })))
      if (status === undefined) {
        throw new CliError(ExitCode.unavailable,
          `the broker is there, but no node answers on ${flags.prefix}.status; start one with "shardkv start", or give the right --prefix`)
      }
      const useColor = io.isOutputTty && (io.env['NO_COLOR'] ?? '') === ''
      await io.print(flags.writeOut === 'json' ? `${JSON.stringify(status)}\n` : statusTable(status, useColor))
    })
