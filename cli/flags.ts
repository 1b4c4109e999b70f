/**
 * Flags shared by commands. Every flag is also an environment variable: `--http-port` is SHARDKV_HTTP_PORT; the flag wins.
 * `--servers` falls back to NATS_URL, and the login that goes with it to what other NATS tools use (natsEnvironment.ts). Credentials and
 * TLS are named as the `nats` command names them.
 */

import { InvalidArgumentError, Option } from 'commander'
import { parseBrokerUrls, splitBrokerUrls } from '../bus/brokerUrls.ts'
import { INBOX_PREFIX_LENGTH_MAX, isInboxPrefix } from '../bus/inboxPrefix.ts'
import { prefixProblem } from '../bus/subjects.ts'
import { ExitCode } from './exit.ts'
import { filled } from './natsContext.ts'
import { heedNatsEnvironment } from './natsEnvironment.ts'
import type { Command } from 'commander'

const SERVERS_DEFAULT = 'nats://127.0.0.1:4222'
const INBOX_PREFIX_DEFAULT = '_INBOX'
const TIMEOUT_MS_DEFAULT = 5_000
/** Nodes of one cluster on one machine. */
export const NODES_MAX = 64

export type OutputFormat = 'raw' | 'json' | 'table'

/** Where the broker is, as whom to go there and where to hear answers. cli/broker.ts makes something of them. */
export interface BrokerFlags {
  /** As written, maybe with a login in them: not to be printed. */
  readonly servers: readonly string[]
  readonly inboxPrefix: string
  readonly natsUser?: string
  readonly natsPassword?: string
  readonly natsToken?: string
  /** Paths of files, as are those of TLS. */
  readonly creds?: string
  readonly nkey?: string
  readonly tlsca?: string
  readonly tlscert?: string
  readonly tlskey?: string
  readonly tlsfirst?: boolean
  /** Where the rest was taken from, if not from flags. */
  readonly context?: string
}

export interface ClusterFlags extends BrokerFlags {
  readonly prefix: string
}

/** An option whose environment variable is derived from its name. */
export const flag = (definition: string, description: string): Option => {
  const option = new Option(definition, description)
  return option.env(`SHARDKV_${(option.long ?? '').replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`)
}

/**
 * Where a variable is not what commander takes it for; for a command that has all its flags.
 *
 * Of a flag without a value commander asks only whether its variable is there. Here 1 and true are on; 0, false and an empty one are as
 * if it were not there; anything else is wrong use.
 */
export const readVariables = (command: Command): void => {
  for (const option of command.options) {
    if (isOfService(option)) delete option.envVar
    else if (option.envVar !== undefined && !option.required && !option.optional) readSwitch(command, option)
  }
}

/** Kubernetes tells each container of a Service called shardkv-http by SHARDKV_HTTP_PORT=tcp://10.96.0.7:8480. That is nobody's flag. */
const isOfService = ({ envVar = '' }: Option): boolean =>
  envVar.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(process.env[envVar] ?? '')

const readSwitch = (command: Command, option: Option): void => {
  const { envVar = '' } = option
  const name = option.attributeName()
  const usual: unknown = command.getOptionValue(name)
  // After commander's own listener, which has switched it on; not called where the command line has the flag.
  command.on(`optionEnv:${option.name()}`, () => {
    const value = process.env[envVar] ?? ''
    if (['1', 'true'].includes(value)) return
    if (!['0', 'false', ''].includes(value)) {
      command.error(`error: ${envVar} is "${value}": ${option.long ?? ''} is switched on by 1 or true, and left off by 0, false or empty.`,
        { exitCode: ExitCode.usage })
    }
    command.setOptionValueWithSource(name, usual, 'default')
  })
}

export const withClusterFlags = (command: Command, env: Readonly<Record<string, string | undefined>>): Command =>
  withBrokerFlags(command, env).addOption(prefixFlag())

export const prefixFlag = (): Option => flag('--prefix <prefix>', 'the public subject prefix of the cluster')
  .argParser(subjectPrefix).default('kv')

const withBrokerFlags = (command: Command, env: Readonly<Record<string, string | undefined>>): Command => {
  const usual = splitBrokerUrls(filled(env['NATS_URL']) ?? SERVERS_DEFAULT)
  return heedNatsEnvironment(withLoginFlags(command
    .addOption(flag('--servers <urls>', 'NATS servers, separated by commas (also NATS_URL)')
      .argParser(splitBrokerUrls).default(usual, printable(usual)))
    .addOption(flag('--context <name>', 'in their place a context of the nats command: address, login and TLS'))), env)
}

/** What is in BrokerFlags beside the addresses. A heading of its own in the help: those of the command itself come first. */
export const withLoginFlags = (command: Command): Command => {
  const flags = [
    flag('--nats-user <user>', 'the name to enter the broker with'),
    flag('--nats-password <password>', 'its password; prefer the environment: others on this machine can read a command line'),
    flag('--nats-token <token>', 'a token in place of both; prefer the environment'),
    flag('--creds <file>', 'or a credentials file (JWT and seed)'),
    flag('--nkey <file>', 'or a file with the seed of an nkey'),
    flag('--tlsca <file>', 'who may vouch for the broker: a chain of certificates; default: whom the system trusts'),
    flag('--tlscert <file>', 'the certificate of this client'),
    flag('--tlskey <file>', 'and its private key'),
    flag('--tlsfirst', 'TLS before the broker\'s greeting, as the broker must be configured too'),
    flag('--inbox-prefix <subject>', 'where this user may hear answers, in or under _INBOX')
      .argParser(inboxPrefix).default(INBOX_PREFIX_DEFAULT),
  ]
  for (const one of flags) command.addOption(one.helpGroup('To enter the broker:'))
  return command
}

/** What a command has beside them: brokerOf has made something of these. */
export const withoutBroker = <Flags extends BrokerFlags>({
  servers: _servers, inboxPrefix: _inbox, natsUser: _user, natsPassword: _password, natsToken: _token, creds: _creds, nkey: _nkey,
  tlsca: _ca, tlscert: _cert, tlskey: _key, tlsfirst: _first, context: _context, ...rest
}: Flags): Omit<Flags, keyof BrokerFlags> => rest

/** For the help: without logins. */
const printable = (urls: readonly string[]): string => {
  const parsed = parseBrokerUrls(urls)
  return parsed.ok ? parsed.servers.join(', ') : 'NATS_URL, which can not be read'
}

const inboxPrefix = (text: string): string => {
  if (!isInboxPrefix(text)) {
    throw new InvalidArgumentError(`It is _INBOX, or a subject under it such as _INBOX.ann, of at most ${INBOX_PREFIX_LENGTH_MAX} bytes.`)
  }
  return text
}

/** Where `shardkv start` puts the nodes of a new cluster. */
const ADMIN_DEFAULT = 'http://127.0.0.1:8481,http://127.0.0.1:8482,http://127.0.0.1:8483'

export interface AdminFlags {
  readonly admin: readonly string[]
  readonly adminToken?: string
}

export const withAdminFlags = (command: Command): Command => command
  .addOption(flag('--admin <urls>', 'HTTP ports of nodes, separated by commas: the first that answers is asked')
    .argParser(adminUrls).default(adminUrls(ADMIN_DEFAULT), ADMIN_DEFAULT))
  .addOption(flag('--admin-token <token>', 'the token of the nodes; prefer the environment: others can read a command line'))

export const withTimeoutFlag = (command: Command): Command => command
  .addOption(flag('--timeout <time>', 'how long to keep trying: milliseconds, or with a unit (5s)').argParser(duration(1, 600_000))
    .default(TIMEOUT_MS_DEFAULT))

const formats: readonly OutputFormat[] = ['json', 'table', 'raw']

export const withFormatFlag = (command: Command, usual: OutputFormat): Command => command
  .addOption(flag('-w, --write-out <format>', 'how to print the result').choices(formats).default(usual))

/** A parser for an integer in a range, both ends included; `told` is what it is, where somebody else allows less. */
export const wholeNumber = (min: number, max: number, told = `a whole number from ${min} to ${max}`) => (text: string): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) throw new InvalidArgumentError(`It is ${told}.`)
  return value
}

const unitMs: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A parser for a time, in milliseconds without a unit: `1500`, `30s`, `5m`, `12h`, `7d`. */
export const duration = (minMs: number, maxMs: number) => (text: string): number => {
  const [, digits, unit = ''] = /^(\d{1,15})(ms|s|m|h|d)?$/.exec(text) ?? []
  const value = Number(digits) * (unitMs[unit] ?? 1)
  if (digits === undefined || value < minMs || value > maxMs) {
    throw new InvalidArgumentError(`It is a time such as 1500 (milliseconds), 30s, 5m, 12h or 7d, from ${minMs} to ${maxMs} ms.`)
  }
  return value
}

const unitBytes: Readonly<Record<string, number>> = { '': 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 }

/** A parser for a size, in bytes without a unit: `65536`, `512KiB`, `32MiB`, `1GiB`. */
export const byteSize = (min: number, max: number) => (text: string): number => {
  const [, digits, unit = ''] = /^(\d{1,15})(KiB|MiB|GiB)?$/.exec(text) ?? []
  const value = Number(digits) * (unitBytes[unit] ?? 1)
  if (digits === undefined || value < min || value > max) {
    throw new InvalidArgumentError(`It is a size such as 65536 (bytes), 512KiB, 32MiB or 1GiB, from ${min} to ${max} bytes.`)
  }
  return value
}

const subjectPrefix = (text: string): string => {
  const problem = prefixProblem(text)
  if (problem !== null) throw new InvalidArgumentError(`The ${problem}.`)
  return text
}

const adminUrls = (text: string): readonly string[] => {
  const urls = text.split(',').map((part) => part.trim().replace(/\/$/, '')).filter((part) => part !== '')
  if (urls.length === 0 || !urls.every((url) => /^https?:\/\/[^/?#\s]+$/.test(url))) {
    throw new InvalidArgumentError('It is a list of addresses such as http://127.0.0.1:8481.')
  }
  return urls
}
