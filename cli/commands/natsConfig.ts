/** `shardkv nats-config`: what a broker of your own needs so that it routes requests to leaders by itself. */

import { Command } from 'commander'
import { CliError, ExitCode } from '../exit.ts'
import { flag, prefixFlag, wholeNumber, withFormatFlag } from '../flags.ts'
import { printResult } from '../output.ts'
import { serverConfig } from '../../bus/natsConfig.ts'
import { SHARD_COUNT_MAX, isHex64, isNodeId } from '../../topology/ids.ts'
import type { PermissionsInput } from '../../bus/natsConfig.ts'
import type { ClusterId } from '../../topology/ids.ts'
import type { OutputFormat } from '../flags.ts'
import type { CliIo } from '../io.ts'

interface NatsConfigFlags {
  readonly shards: number
  readonly prefix: string
  readonly host: string
  readonly port: number
  readonly cluster?: string
  readonly nodes: string
  readonly writeOut: OutputFormat
}

export const natsConfigCommand = (io: CliIo): Command => withFormatFlag(new Command('nats-config'), 'raw')
  .description('prints a broker\'s configuration: routing and permissions')
  .addOption(flag('--shards <count>', 'shards of the cluster').argParser(wholeNumber(1, SHARD_COUNT_MAX)).default(16))
  .addOption(prefixFlag())
  .addOption(flag('--host <address>', 'address to listen on (0.0.0.0 in a container)').default('127.0.0.1'))
  .addOption(flag('--port <port>', 'port to listen on').argParser(wholeNumber(1, 65_535)).default(4222))
  .addOption(flag('--cluster <id>', 'also print users and their permissions, for the cluster of this id ("shardkv status" shows it)'))
  .addOption(flag('--nodes <names>', 'the nodes that get a user, separated by commas').default('n1,n2,n3'))
  .addHelpText('after', '\nWith --cluster, passwords are taken from the broker\'s environment: $SHARDKV_N1_PASSWORD for\n'
    + 'node n1 and so on, $SHARDKV_CLIENT_PASSWORD for the user "client".\n'
    + '\nExample:\n  $ shardkv nats-config --shards 32 > nats.conf && nats-server -c nats.conf')
  .action(async (flags: NatsConfigFlags) => {
    const permissions = permissionsOf(flags)
    const { host, port, shards: shardCount, prefix } = flags
    const config = serverConfig({ host, port, shardCount, prefix, ...(permissions === undefined ? {} : { permissions }) })
    const text = config.trimEnd()
    await printResult(io, flags.writeOut, { raw: text, json: { host, port, shardCount, prefix, config }, table: text })
  })

const permissionsOf = ({ cluster, nodes }: NatsConfigFlags): Omit<PermissionsInput, 'prefix'> | undefined => {
  if (cluster === undefined) return undefined
  if (!isHex64(cluster)) throw new CliError(ExitCode.usage, `"${cluster}" is no cluster id; "shardkv status -w json" shows it`)
  const names = nodes.split(',').map((name) => name.trim())
  const [twice] = names.filter((name, at) => name === CLIENT || names.indexOf(name) < at)
  if (twice === CLIENT) throw new CliError(ExitCode.usage, `"${CLIENT}" is the user of clients here, who may not do what nodes may`)
  if (twice !== undefined) throw new CliError(ExitCode.usage, `the node "${twice}" is named twice`)
  return {
    cluster: cluster as ClusterId,
    nodes: names.map((node) => {
      if (!isNodeId(node)) throw new CliError(ExitCode.usage, `"${node}" is no node name: 1-32 of a-z, 0-9 and -, starting with a letter`)
      return { node, user: node, password: passwordVariable(node) }
    }),
    clients: [{ user: CLIENT, password: passwordVariable(CLIENT) }],
  }
}

/** Whoever is no node. */
const CLIENT = 'client'

const passwordVariable = (user: string): string => `$SHARDKV_${user.replaceAll('-', '_').toUpperCase()}_PASSWORD`
