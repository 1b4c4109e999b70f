/** The flags of `shardkv node`; what it does is in node.ts. */

import { Command, InvalidArgumentError } from 'commander'
import { brokerOf, brokerSecrets, checkTlsFiles } from '../broker.ts'
import { CliError, ExitCode } from '../exit.ts'
import { byteSize, duration, flag, wholeNumber, withClusterFlags, withoutBroker } from '../flags.ts'
import { newNodeName, nodeName, zoneName } from '../nodeName.ts'
import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { isHttpAddress } from '../../topology/addresses.ts'
import { isNodeId } from '../../topology/ids.ts'
import { MOVE_BYTES_PER_SECOND_DEFAULT, defaultSettings } from '../../topology/nodeOptions.ts'
import { levelNames } from '../../observe/logLevels.ts'
import {
  TRACES_PER_SECOND_DEFAULT, TracingSettingsError, otlpProtocols, traceRatioOf, tracingSettingsOf,
} from '../../observe/tracing/settings.ts'
import { WEIGHT_MAX, WEIGHT_MIN } from '../../topology/ownMembership.ts'
import type { LevelName } from '../../observe/logLevels.ts'
import type { TracingFlags, TracingSettings } from '../../observe/tracing/settings.ts'
import type { ClusterFlags } from '../flags.ts'
import type { CliIo } from '../io.ts'
import type { Broker } from '../broker.ts'

interface NodeFlags extends ClusterFlags, TracingFlags {
  readonly id?: string
  readonly dir?: string
  readonly httpHost: string
  readonly httpPort: number
  readonly httpAddress?: string
  readonly adminToken?: string
  readonly metricsToken?: string
  readonly logLevel: LevelName
  readonly logTo?: readonly string[]
  readonly slowMs: number
  readonly lostAfter: number
  readonly join: boolean
  readonly weight: number
  readonly zone: string
  readonly moveBytesPerSecond: number
  readonly announceChanges: boolean
}

/** Less is soon mistaken for a busy machine. */
const LOST_AFTER_MS_MIN = 1_000
const LOST_AFTER_MS_MAX = 7 * 86_400_000
const MOVE_BYTES_PER_SECOND_MIN = 65_536
const MOVE_BYTES_PER_SECOND_MAX = 2 ** 40
const TRACES_PER_SECOND_MAX = 10_000

export const nodeCommand = (io: CliIo): Command => withClusterFlags(new Command('node'), io.env)
  .description('runs one node: on a directory of its own, or on a new one that joins')
  .addOption(flag('--id <node>', 'its name; without it the one that the directory has, or with --join a new one').argParser(nodeName))
  .addOption(flag('--dir <directory>', 'its data; with --join, without this: .shardkv/NAME, or .shardkv/joined without a name'))
  .addOption(flag('--join', 'joins the cluster that answers on the prefix, if the directory is new or its node has left').default(false))
  .addOption(flag('--weight <n>', 'with --join: how much it carries, compared with the others')
    .argParser(wholeNumber(WEIGHT_MIN, WEIGHT_MAX)).default(WEIGHT_MIN))
  .addOption(flag('--zone <name>', 'with --join: what fails together with it').argParser(zoneName).default(''))
  .addOption(flag('--lost-after <time>', 'how long a silent node is waited for before its replicas are rebuilt elsewhere')
    .argParser(duration(LOST_AFTER_MS_MIN, LOST_AFTER_MS_MAX)).default(defaultSettings.lostAfterMs, '30s'))
  .addOption(flag('--move-bytes-per-second <size>', 'the most it sends to new replicas in a second, such as 32MiB')
    .argParser(byteSize(MOVE_BYTES_PER_SECOND_MIN, MOVE_BYTES_PER_SECOND_MAX)).default(MOVE_BYTES_PER_SECOND_DEFAULT, '32MiB'))
  .addOption(flag('--announce-changes', 'publishes each committed change of a key on kv-changed.<key>, without promise').default(false))
  .addOption(flag('--http-host <address>', 'where /livez, /readyz, /metrics and the admin API listen').default('127.0.0.1'))
  .addOption(flag('--http-port <port>', 'their port; 0: any free one').argParser(wholeNumber(0, 65_535)).default(0))
  .addOption(flag('--http-address <url>', 'how others reach that port, such as http://10.0.0.3:8481: "member list" shows it')
    .argParser(httpAddress))
  .addOption(flag('--admin-token <token>', 'what the admin API asks for; needed where --http-host is not loopback'))
  .addOption(flag('--metrics-token <token>', 'what /metrics asks for, beside the admin token; it opens nothing else'))
  .addOption(flag('--log-level <level>', 'what is logged').choices(levelNames).default('info'))
  .addOption(flag('--log-to <targets>', 'where to, separated by commas: stdout, roll:FILE, syslog:URL, elastic:URL, loki:URL, otlp:URL')
    .argParser((text) => text.split(',')))
  .addOption(flag('--slow-ms <ms>', 'requests that take longer are logged; 0: none').argParser(wholeNumber(0, 60_000)).default(1_000))
  .addOption(flag('--otlp-endpoint <url>', 'where spans are sent to, as http://127.0.0.1:4318 (also OTEL_EXPORTER_OTLP_ENDPOINT)'))
  .addOption(flag('--otlp-protocol <protocol>', 'how: http/protobuf unless told otherwise (also OTEL_EXPORTER_OTLP_PROTOCOL)')
    .choices(otlpProtocols))
  .addOption(flag('--trace-ratio <share>', 'of requests without a trace, how many get one, 0 to 1 (also OTEL_TRACES_SAMPLER_ARG)')
    .argParser(traceShare))
  .addOption(flag('--traces-per-second <n>', 'the most requests that are sampled in a second, whoever asks for it')
    .argParser(wholeNumber(0, TRACES_PER_SECOND_MAX)).default(TRACES_PER_SECOND_DEFAULT))
  .addHelpText('after', '\nExit codes: 0 drained, 1 failed (a restart may cure it), 2 wrong use, 78 refuses to run like this.\n'
    + '\nExamples:\n  $ shardkv node --id n1 --dir .shardkv/n1 --servers nats://127.0.0.1:4222 --http-port 8481\n'
    + '  $ shardkv node --join --id n4 --dir .shardkv/n4   # one more node: shards come to it\n'
    + '  $ shardkv node --join   # the same, under the name of this machine')
  .action(async (flags: NodeFlags) => {
    const broker = await brokerOf(flags, io.files)
    await checkTlsFiles(broker, io.files)
    const place = await placeOf(io, flags, broker)
    const { join, weight, zone, lostAfter, otlpEndpoint, otlpProtocol, traceRatio, tracesPerSecond, ...rest } = withoutBroker(flags)
    const membership = { lostAfterMs: lostAfter, ...(join ? { join: { weight, zone } } : {}) }
    const tracing = tracingFor({ otlpEndpoint, otlpProtocol, traceRatio, tracesPerSecond }, io.env)
    const login = { broker, brokerSecrets: brokerSecrets(flags, broker) }
    const build = { hostName: io.hostName(), version: await io.version() }
    const code = await io.runNode({ ...rest, ...place, ...login, ...membership, tracing, ...build })
    if (code !== 0) throw new CliError(code as ExitCode, `node ${place.id} has ended with code ${code}; its log says why`)
  })

interface NodePlace {
  readonly id: string
  readonly dir: string
}

/** Which node, and where. A name that nobody gave is told, since it is what people name the node by from then on. */
const placeOf = async (io: CliIo, flags: NodeFlags, { user = '' }: Broker): Promise<NodePlace> => {
  const { id, join } = flags
  const dir = flags.dir ?? (join ? `.shardkv/${id ?? 'joined'}` : '')
  if (dir === '') throw new CliError(ExitCode.usage, 'give --dir, the data directory of this node; or --join, to add a new one')
  if (id !== undefined) return { id, dir }
  const found = await io.readGenesis(dir)
  if (found.kind === 'refused') throw new CliError(EXIT_REFUSED as ExitCode, `${dir}: ${found.message}`)
  if (found.kind === 'found') return told(io, { id: found.genesis.node, dir }, 'as it is called in')
  if (!join) throw new CliError(ExitCode.usage, `${dir} is no node's yet: give --id, its name; or --join, to add a new one`)
  return told(io, { id: isNodeId(user) ? user : newNodeName(io.hostName(), io.newId()), dir }, 'which from now on is its name in')
}

const told = (io: CliIo, place: NodePlace, how: string): NodePlace => {
  io.say(`this is node ${place.id}, ${how} ${place.dir}\n`)
  return place
}

const tracingFor = (flags: TracingFlags, env: CliIo['env']): TracingSettings => {
  try {
    return tracingSettingsOf(flags, env)
  } catch (error) {
    throw error instanceof TracingSettingsError ? new CliError(ExitCode.usage, error.message) : error
  }
}

const httpAddress = (text: string): string => {
  const url = text.replace(/\/$/, '')
  if (!isHttpAddress(url)) throw new InvalidArgumentError('It is an address without a path, such as http://10.0.0.3:8481.')
  return url
}

const traceShare = (text: string): number => {
  try {
    return traceRatioOf(text, 'The share')
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}
