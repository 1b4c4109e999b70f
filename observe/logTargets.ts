/**
 * Where log lines go: standard output, and what the operator names beside or instead of it. A target's package is loaded only when it is
 * named, and is installed by whoever wants it: together they weigh more than the database.
 *
 *   stdout                                               JSON lines, the default
 *   roll:/var/log/shardkv/n1.log?size=50m&limit.count=7  a file that is rolled by size or time (pino-roll)
 *   syslog:tcp://10.0.0.9:514    elastic:http://10.0.0.9:9200?index=shardkv    loki:http://10.0.0.9:3100    otlp:http://10.0.0.9:4318
 *
 * What follows `?` are options of the package, dots going one deeper. Standard output and the rolled file are written by this process
 * (logWriter.ts); the others run in a thread of their own, which is waited for (logThread.ts).
 */

import { fileURLToPath } from 'node:url'
import { transport } from 'pino'
import { descriptorOutlet, rolledOutlet } from './logOutlets.ts'
import { threadStream } from './logThread.ts'
import { createLogWriter } from './logWriter.ts'
import { tellOperator } from './operator.ts'
import type { RolledFile } from './logOutlets.ts'
import type { LogThread } from './logThread.ts'
import type { LogOutlet } from './logWriter.ts'

export const logTargetKinds = ['stdout', 'roll', 'syslog', 'elastic', 'loki', 'otlp'] as const
type RemoteKind = Exclude<(typeof logTargetKinds)[number], 'stdout' | 'roll'>

export interface LogTarget {
  readonly kind: (typeof logTargetKinds)[number]
  /** What follows the colon, without options. */
  readonly where: string
  readonly options: Readonly<Record<string, unknown>>
}

/** What pino writes to. */
export interface LogStream {
  readonly write: (line: string) => void
  /** pino sends a thread its settings by this, and some wait for them. */
  readonly emit?: (event: string, ...values: unknown[]) => unknown
  readonly flush?: () => void
  /** For the end of a process; may take ten seconds where a thread does not answer. */
  readonly flushSync?: () => void
  /** Writes the rest and closes; calls back then, or never. */
  readonly end?: (done: () => void) => void
  /** The end has been waited for long enough: what is left is lost, and counted. */
  readonly giveUp?: () => void
  /** Lines that could not be written. */
  readonly lost?: () => number
}

/** The operator named what can not be: said before the node starts. */
export class LogTargetError extends Error {
  override readonly name = 'LogTargetError'
}

/** The last writes, but for syslog over TCP (syslogSender.ts) and elastic (elasticTarget.ts); for syslog another one makes the lines. */
const packages: Readonly<Record<RemoteKind | 'roll', readonly string[]>> = {
  roll: ['pino-roll'], syslog: ['pino-syslog', 'pino-socket'], elastic: ['pino-elasticsearch'], loki: ['pino-loki'],
  otlp: ['pino-opentelemetry-transport'],
}
const packagesOf = ({ kind, where }: LogTarget): readonly string[] => {
  if (kind === 'stdout') return []
  return kind === 'syslog' && where.startsWith('tcp:') ? packages[kind].slice(0, 1) : packages[kind]
}

export const parseLogTarget = (text: string): LogTarget => {
  const [, kind = '', rest = ''] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? []
  const known = logTargetKinds.find((each) => each === kind)
  if (known === undefined) {
    // What comes behind the kind may be an address with a password in it.
    const named = text.replace(/:.*$/s, ':...')
    throw new LogTargetError(`"${named}" is no log target: use ${logTargetKinds.join(', ')}, as in roll:/var/log/n1.log`)
  }
  const at = rest.indexOf('?')
  const where = at < 0 ? rest : rest.slice(0, at)
  if (known !== 'stdout' && where === '') throw new LogTargetError(`a log target of kind ${known} says where to: ${known}:...`)
  return { kind: known, where, options: at < 0 ? {} : nested(new URLSearchParams(rest.slice(at + 1))) }
}

/** `limit.count=7` is `{ limit: { count: 7 } }`. */
const nested = (given: URLSearchParams): Options => {
  const options: Options = {}
  for (const [path, value] of given) {
    const names = path.split('.')
    const last = names.pop() ?? ''
    setOption(names.reduce((outer, name) => innerOf(outer, name, path), options), last, valueOf(value), path)
  }
  return options
}

type Options = Record<string, unknown>

const innerOf = (outer: Options, name: string, path: string): Options => {
  const inner = Object.hasOwn(outer, name) ? outer[name] : setOption(outer, name, {}, path)
  if (typeof inner !== 'object') throw new LogTargetError(`the option ${path} is below "${name}", which has a value`)
  return inner as Options
}

const setOption = (outer: Options, name: string, value: unknown, path: string): unknown => {
  // What every object has is no option of any package.
  if (name === '' || name in Object.prototype) throw new LogTargetError(`"${path}" is no option of a log target`)
  return (outer[name] = value)
}

/** Digits are a number where they are written as numbers are: a password may begin with 0. */
const valueOf = (text: string): unknown =>
  (/^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text === 'true' || (text === 'false' ? false : text))

export type Load = (packageName: string) => Promise<unknown>

export interface TargetPorts {
  readonly load: Load
  /** As in logWriter.ts, of the target's kind. */
  readonly onRecovered: (kind: string, lost: number) => void
}

const STANDARD_OUTPUT = 1

/** Rejects with a LogTargetError where the package is not installed. */
export const openLogTarget = async (target: LogTarget, ports: TargetPorts): Promise<LogStream> => {
  const { kind, where, options } = target
  if (kind === 'stdout') return writerTo(kind, descriptorOutlet(STANDARD_OUTPUT), ports)
  const [loaded] = await Promise.all(packagesOf(target).map((name) => loadPackage(kind, name, ports.load)))
  if (kind !== 'roll') {
    return threadStream(openThread(kind, where, options), { target: kind, onRecovered: (lost) => ports.onRecovered(kind, lost) })
  }
  const file = await openRolled(loaded as RollPackage, { mkdir: true, ...options, ...ownBuffering, file: where })
  const onTrouble = ({ message }: Error): void => tellOperator(`the log target ${kind} can not be rolled: ${message}`)
  return writerTo(kind, rolledOutlet(file, onTrouble), ports)
}

const writerTo = (target: string, outlet: LogOutlet, { onRecovered }: TargetPorts): LogStream =>
  createLogWriter({ target, outlet, tell: tellOperator, onRecovered: (lost) => onRecovered(target, lost) })

/** Whatever the operator asks of the package: what gathers lines is the writer before it. */
const ownBuffering = { sync: false, minLength: 0, maxLength: 0, periodicFlush: 0, contentMode: 'utf8' } as const

interface RollPackage {
  readonly default: (options: object) => Promise<RolledFile>
}

/** Ready when the file is open: what a process writes and exits right after would be lost otherwise. */
const openRolled = async (loaded: RollPackage, options: object): Promise<RolledFile> => {
  const file = await loaded.default(options)
  await new Promise<void>((resolve, reject) => {
    file.once('ready', resolve)
    file.on('error', reject)
  }).catch((error: unknown) => { throw new LogTargetError(`the log file can not be opened: ${String(error)}`) })
  return file
}

/** Beside this file, compiled as it is. */
const ownTarget = (name: string): string => fileURLToPath(import.meta.url).replace(/logTargets(?=\.\w+$)/, name)

interface Stage {
  readonly target: string
  readonly options: Readonly<Record<string, unknown>>
}

/** A pipeline of one, pino takes and then passes nothing on: each of these has to be a target of its own. */
const openThread = (kind: RemoteKind, where: string, options: Readonly<Record<string, unknown>>): LogThread => {
  if (kind === 'syslog') return threadOf({ pipeline: syslogPipeline(syslogUrl(where), options) })
  const [name = ''] = packages[kind]
  const target = kind === 'elastic' ? ownTarget('elasticTarget') : name
  return threadOf({ target, options: remoteOptions(kind, where, options) })
}

const syslogUrl = (where: string): URL => {
  const url = URL.canParse(where) ? new URL(where) : null
  if (url !== null && (url.protocol === 'udp:' || url.protocol === 'tcp:') && url.hostname !== '') return url
  throw new LogTargetError(`"${where}" is no address of syslog: use syslog:udp://host:514 or syslog:tcp://host:514`)
}

/** Its types do not tell of its worker. */
const threadOf = (options: Parameters<typeof transport>[0]): LogThread => transport(options) as unknown as LogThread

/** Each takes what it knows of the options. Over TCP nothing but the line's end parts one message from the next. */
const syslogPipeline = ({ protocol, hostname, port }: URL, options: Readonly<Record<string, unknown>>): Stage[] => {
  const mode = protocol.replace(':', '')
  // A URL has an address of IPv6 in brackets, a socket has not.
  const socket = { mode, address: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 514) }
  const [lines = '', sender = ''] = packages.syslog
  return [
    { target: lines, options: { appname: 'shardkv', newline: mode === 'tcp', ...options } },
    { target: mode === 'tcp' ? ownTarget('syslogSender') : sender, options: { ...socket, ...options } },
  ]
}

const loadPackage = async (kind: string, name: string, load: Load): Promise<unknown> => {
  try {
    return await load(name)
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string }
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    throw new LogTargetError(isMissing
      ? `the log target ${kind} needs the package ${name}, which is not installed: npm install ${name}`
      : `the package ${name} of the log target ${kind} can not be loaded: ${message ?? String(error)}`)
  }
}

const remoteOptions = (
  kind: Exclude<RemoteKind, 'syslog'>, where: string, options: Readonly<Record<string, unknown>>,
): Record<string, unknown> => {
  if (kind === 'elastic') return { node: where, index: 'shardkv', ...options }
  if (kind === 'loki') return { host: where, batching: true, labels: { job: 'shardkv' }, ...options }
  const exporterOptions = { protocol: 'http', httpExporterOptions: { url: `${where}/v1/logs` } }
  // Left alone, it sends the command line along, in which a password may stand.
  const resourceAttributes = { 'service.name': 'shardkv', 'process.command_args': [] }
  return { logRecordProcessorOptions: { exporterOptions }, resourceAttributes, ...options }
}
