/** `shardkv version`: of this program, and of the runtime under it. */

import { Command } from 'commander'
import { withFormatFlag } from '../flags.ts'
import { printResult, recordResult } from '../output.ts'
import type { CliIo } from '../io.ts'
import type { OutputFormat } from '../flags.ts'

export const versionCommand = (io: CliIo): Command => withFormatFlag(new Command('version'), 'raw')
  .description('prints the version')
  .addHelpText('after', '\nExample:\n  $ shardkv version -w json')
  .action(async (flags: { readonly writeOut: OutputFormat }) => {
    const version = await io.version()
    const node = process.versions.node
    await printResult(io, flags.writeOut, recordResult({ version, node }, `shardkv ${version} (Node ${node})`))
  })
