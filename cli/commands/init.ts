/** `shardkv init`: sets up the directory of a new cluster without starting it, for containers and service managers. */

import { Command } from 'commander'
import { CliError, ExitCode } from '../exit.ts'
import { NODES_MAX, flag, wholeNumber } from '../flags.ts'
import { SHARD_COUNT_MAX } from '../../topology/ids.ts'
import type { CliIo } from '../io.ts'

interface InitFlags {
  readonly nodes?: number
  readonly shards?: number
  readonly dir: string
}

export const initCommand = (io: CliIo): Command => new Command('init')
  .description('creates the data directories of a new cluster; does nothing when they belong to this very cluster already')
  .addOption(flag('--nodes <count>', 'nodes of the cluster (default: 3)').argParser(wholeNumber(1, NODES_MAX)))
  .addOption(flag('--shards <count>', 'shards of the cluster, for good (default: 16)').argParser(wholeNumber(1, SHARD_COUNT_MAX)))
  .addOption(flag('--dir <directory>', 'node i has its data in n<i> below this').default('./.shardkv'))
  .addHelpText('after', '\nExample:\n  $ shardkv init --dir /data && shardkv node --id n1 --dir /data/n1')
  .action(async (flags: InitFlags) => {
    const opened = await io.createCluster({ directory: flags.dir, nodes: flags.nodes, shards: flags.shards })
    if (opened.record === undefined) throw new CliError(ExitCode.error, opened.problem)
    const { cluster, members, shardCount } = opened.record
    io.say(opened.isNew ? 'created\n' : 'there already\n')
    await io.print(`${JSON.stringify({ cluster, nodes: members, shardCount })}\n`)
  })
