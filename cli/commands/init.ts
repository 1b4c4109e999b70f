/** `shardkv init`: sets up the directory of a new cluster without starting it, for containers and service managers. */

import { Command } from 'commander'
import { CliError, ExitCode } from '../exit.ts'
import { NODES_MAX, flag, wholeNumber, withFormatFlag } from '../flags.ts'
import { printResult, recordResult, tabbed } from '../output.ts'
import { SHARD_COUNT_MAX } from '../../topology/ids.ts'
import type { OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface InitFlags {
  readonly nodes?: number
  readonly shards?: number
  readonly dir: string
  readonly writeOut: OutputFormat
}

export const initCommand = (io: CliIo): Command => withFormatFlag(new Command('init'), 'json')
  .description('creates the data directories of a new cluster')
  .addOption(flag('--nodes <count>', 'nodes of the cluster (default: 3)').argParser(wholeNumber(1, NODES_MAX)))
  .addOption(flag('--shards <count>', 'shards of the cluster, for good (default: 16)').argParser(wholeNumber(1, SHARD_COUNT_MAX)))
  .addOption(flag('--dir <directory>', 'node i has its data in n<i> below this').default('./.shardkv'))
  .addHelpText('after', '\nIt does nothing when they belong to this very cluster already.\n\nExample:\n'
    + '  $ shardkv init --dir /data && shardkv node --id n1 --dir /data/n1')
  .action(async (flags: InitFlags) => {
    const opened = await io.createCluster({ directory: flags.dir, nodes: flags.nodes, shards: flags.shards })
    if (opened.record === undefined) throw new CliError(ExitCode.error, opened.problem)
    const { cluster, members, shardCount } = opened.record
    io.say(opened.isNew ? 'created\n' : 'there already\n')
    const fields = { cluster, nodes: members.join(' '), shardCount }
    await printResult(io, flags.writeOut, recordResult(fields, tabbed([Object.values(fields)]), { cluster, nodes: members, shardCount }))
  })
