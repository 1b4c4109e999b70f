/** The flags of `shardkv node`; what it does is in node.ts. */

import { Command } from 'commander'
import { CliError } from '../exit.ts'
import { flag, wholeNumber, withClusterFlags } from '../flags.ts'
import type { ExitCode } from '../exit.ts'
import type { ClusterFlags } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface NodeFlags extends ClusterFlags {
  readonly id: string
  readonly dir: string
  readonly httpHost: string
  readonly httpPort: number
  readonly logLevel: string
}

export const nodeCommand = (io: CliIo): Command => withClusterFlags(new Command('node'), io.env)
  .description('runs one node on a data directory that "start" or "init" made')
  .addOption(flag('--id <node>', 'the name of this node').makeOptionMandatory())
  .addOption(flag('--dir <directory>', 'the data directory of this node').makeOptionMandatory())
  .addOption(flag('--http-host <address>', 'where /livez and /readyz listen').default('127.0.0.1'))
  .addOption(flag('--http-port <port>', 'port of /livez and /readyz; 0: any free one').argParser(wholeNumber(0, 65_535)).default(0))
  .addOption(flag('--log-level <level>', 'what is logged').choices(['error', 'warn', 'info', 'debug', 'trace']).default('info'))
  .addHelpText('after', '\nExit codes: 0 drained, 1 failed (a restart may cure it), 78 refuses to run like this.\n'
    + '\nExample:\n  $ shardkv node --id n1 --dir .shardkv/n1 --servers nats://127.0.0.1:4222 --http-port 8481')
  .action(async (flags: NodeFlags) => {
    const code = await io.runNode({ ...flags, version: await io.version() })
    if (code !== 0) throw new CliError(code as ExitCode, `node ${flags.id} has ended with code ${code}; its log says why`)
  })
