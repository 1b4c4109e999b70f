/** `shardkv start`: a cluster of processes on this machine, supervised until Ctrl-C. `npm start` is the same. */

import { Command } from 'commander'
import { parseBrokerUrls, splitBrokerUrls } from '../../bus/brokerUrls.ts'
import { CliError, ExitCode } from '../exit.ts'
import { NODES_MAX, flag, prefixFlag, wholeNumber } from '../flags.ts'
import { SHARD_COUNT_MAX } from '../../topology/ids.ts'
import type { OtherBroker } from '../../topology/launcher/startCluster.ts'
import type { CliIo } from '../io.ts'

const PORT_MAX = 65_535

interface StartFlags {
  readonly nodes?: number
  readonly shards?: number
  readonly dir: string
  readonly natsPort: number
  readonly httpPort: number
  readonly nats?: string
  readonly prefix: string
  readonly logLevel: string
  readonly announceChanges: boolean
}

export const startCommand = (io: CliIo): Command => new Command('start')
  .description('runs a broker and nodes on this machine until Ctrl-C')
  .addOption(flag('--nodes <count>', 'node processes of a new cluster (default: 3)').argParser(wholeNumber(1, NODES_MAX)))
  .addOption(flag('--shards <count>', 'shards of a new cluster, for good (default: 16)').argParser(wholeNumber(1, SHARD_COUNT_MAX)))
  .addOption(flag('--dir <directory>', 'where data and logs are').default('./.shardkv'))
  .addOption(flag('--nats-port <port>', 'port of the broker').argParser(wholeNumber(1, PORT_MAX)).default(4222))
  .addOption(flag('--http-port <port>', 'node i serves the Observatory, the admin API, /metrics, /livez and /readyz on this plus i')
    .argParser(wholeNumber(1, PORT_MAX - NODES_MAX)).default(8480))
  .addOption(flag('--nats <url>', 'use a broker that runs already; with a login in it, prefer the environment'))
  .addOption(prefixFlag())
  .addOption(flag('--announce-changes', 'nodes publish each committed change of a key on kv-changed.<key>').default(false))
  .addOption(flag('--log-level <level>', 'what nodes log').choices(['error', 'warn', 'info', 'debug', 'trace']).default('info'))
  .addHelpText('after', '\nWhat dies is started again; Ctrl-C drains everything.\n\nExamples:\n  $ shardkv start\n'
    + '  $ shardkv start --nodes 5 --shards 32 --dir ./data --nats-port 4333 --http-port 9480')
  .action(async (flags: StartFlags) => {
    const { dir: directory, nats, ...rest } = flags
    const started = await io.startLocalCluster({ ...rest, directory, nats: otherBroker(nats) }, (line) => io.say(`${line}\n`))
    if ('problem' in started) throw new CliError(ExitCode.error, started.problem)
    const release = io.onInterrupt((count) => {
      io.say(count === 1 ? 'draining; once more kills at once\n' : 'killing\n')
      started.stop()
    })
    const code = await started.ended
    release()
    if (code === 0) io.say('stopped\n')
    else throw new CliError(ExitCode.error, 'the cluster has stopped')
  })

/** Checked here, since what can not be read has its secrets who knows where, and is to be repeated by nobody. */
const otherBroker = (urls: string | undefined): OtherBroker | undefined => {
  if (urls === undefined) return undefined
  const read = parseBrokerUrls(splitBrokerUrls(urls))
  if (!read.ok) throw new CliError(ExitCode.usage, `--nats: ${read.reason}`)
  return { urls, servers: read.servers }
}
