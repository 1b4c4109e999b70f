/** The flags of `shardkv node`; what it does is in node.ts. */

import { Command } from 'commander'
import { CliError } from '../exit.ts'
import { flag, wholeNumber, withClusterFlags } from '../flags.ts'
import { WEIGHT_MAX, WEIGHT_MIN } from '../../topology/ownMembership.ts'
import type { ExitCode } from '../exit.ts'
import type { ClusterFlags } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface NodeFlags extends ClusterFlags {
  readonly id: string
  readonly dir: string
  readonly httpHost: string
  readonly httpPort: number
  readonly adminToken?: string
  readonly logLevel: string
  readonly join: boolean
  readonly weight: number
  readonly zone: string
}

export const nodeCommand = (io: CliIo): Command => withClusterFlags(new Command('node'), io.env)
  .description('runs one node: on a directory of its own, or on a new one that joins')
  .addOption(flag('--id <node>', 'the name of this node').makeOptionMandatory())
  .addOption(flag('--dir <directory>', 'the data directory of this node').makeOptionMandatory())
  .addOption(flag('--join', 'joins the cluster that answers on the prefix, if the directory is new or its node has left').default(false))
  .addOption(flag('--weight <n>', 'with --join: how much it carries, compared with the others')
    .argParser(wholeNumber(WEIGHT_MIN, WEIGHT_MAX)).default(WEIGHT_MIN))
  .addOption(flag('--zone <name>', 'with --join: what fails together with it').default(''))
  .addOption(flag('--http-host <address>', 'where /livez, /readyz and the admin API listen').default('127.0.0.1'))
  .addOption(flag('--http-port <port>', 'their port; 0: any free one').argParser(wholeNumber(0, 65_535)).default(0))
  .addOption(flag('--admin-token <token>', 'what the admin API asks for; needed where --http-host is not loopback'))
  .addOption(flag('--log-level <level>', 'what is logged').choices(['error', 'warn', 'info', 'debug', 'trace']).default('info'))
  .addHelpText('after', '\nExit codes: 0 drained, 1 failed (a restart may cure it), 78 refuses to run like this.\n'
    + '\nExamples:\n  $ shardkv node --id n1 --dir .shardkv/n1 --servers nats://127.0.0.1:4222 --http-port 8481\n'
    + '  $ shardkv node --join --id n4 --dir .shardkv/n4          one more node: shards come to it')
  .action(async (flags: NodeFlags) => {
    const { join, weight, zone, ...rest } = flags
    const code = await io.runNode({ ...rest, ...(join ? { join: { weight, zone } } : {}), version: await io.version() })
    if (code !== 0) throw new CliError(code as ExitCode, `node ${flags.id} has ended with code ${code}; its log says why`)
  })
