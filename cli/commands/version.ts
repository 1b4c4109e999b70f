/** `shardkv version`: of this program, and of the runtime under it. */

import { Command } from 'commander'
import { withFormatFlag } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { OutputFormat } from '../flags.ts'

export const versionCommand = (io: CliIo): Command => withFormatFlag(new Command('version'), ['raw', 'json'])
  .description('prints the version')
  .addHelpText('after', '\nExample:\n  $ shardkv version -w json')
  .action(async (flags: { readonly writeOut: OutputFormat }) => {
    const version = await io.version()
    const node = process.versions.node
    await io.print(flags.writeOut === 'json' ? `${JSON.stringify({ version, node })}\n` : `shardkv ${version} (Node ${node})\n`)
  })
