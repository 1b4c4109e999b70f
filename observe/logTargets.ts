/**
 * Where log lines go: standard output, and what the operator names beside or instead of it. A target's package is loaded only when it is
 * named, and is installed by whoever wants it: together they weigh more than the database.
 *
 *   stdout                                               JSON lines, the default
 *   roll:/var/log/shardkv/n1.log?size=50m&limit.count=7  a file that is rolled by size or time (pino-roll)
 *   syslog:tcp://10.0.0.9:514    elastic:http://10.0.0.9:9200?index=shardkv    loki:http://10.0.0.9:3100    otlp:http://10.0.0.9:4318
 *
 * What follows `?` are options of the package, dots going one deeper. The rolled file is written by this process and flushed when it ends;
 * the others run in a thread of their own, which is waited for.
 */

import { fileURLToPath } from 'node:url'
import { transport } from 'pino'
import type { StreamEntry } from 'pino'

export const logTargetKinds = ['stdout', 'roll', 'syslog', 'elastic', 'loki', 'otlp'] as const
type RemoteKind = Exclude<(typeof logTargetKinds)[number], 'stdout' | 'roll'>

export interface LogTarget {
  readonly kind: (typeof logTargetKinds)[number]
  /** What follows the colon, without options. */
  readonly where: string
  readonly options: Readonly<Record<string, unknown>>
}

/** What pino writes to. */
export type LogStream = StreamEntry['stream'] & {
  readonly flush?: () => void
  readonly flushSync?: () => void
  readonly end?: () => void
  readonly on?: (event: 'error', heard: (error: Error) => void) => void
  readonly once?: (event: 'ready' | 'close', heard: () => void) => void
}

/** The operator named what can not be: said before the node starts. */
export class LogTargetError extends Error {
  override readonly name = 'LogTargetError'
}

/** Elasticsearch gets what there is; its package alone would wait for half a minute. */
const FLUSH_EVERY_MS = 2_000

/** The last writes; for syslog another one before it makes the lines. */
const packages: Readonly<Record<RemoteKind | 'roll', readonly string[]>> = {
  roll: ['pino-roll'], syslog: ['pino-syslog', 'pino-socket'], elastic: ['pino-elasticsearch'], loki: ['pino-loki'],
  otlp: ['pino-opentelemetry-transport'],
}

export const parseLogTarget = (text: string): LogTarget => {
  const [, kind = '', rest = ''] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? []
  const known = logTargetKinds.find((each) => each === kind)
  if (known === undefined) {
    throw new LogTargetError(`"${text}" is no log target: use ${logTargetKinds.join(', ')}, as in roll:/var/log/n1.log`)
  }
  const at = rest.indexOf('?')
  const where = at < 0 ? rest : rest.slice(0, at)
  if (known !== 'stdout' && where === '') throw new LogTargetError(`a log target of kind ${known} says where to: ${known}:...`)
  return { kind: known, where, options: at < 0 ? {} : nested(new URLSearchParams(rest.slice(at + 1))) }
}

/** `limit.count=7` is `{ limit: { count: 7 } }`. */
const nested = (given: URLSearchParams): Record<string, unknown> => {
  const options: Record<string, unknown> = {}
  for (const [path, value] of given) {
    const names = path.split('.')
    const last = names.pop() ?? ''
    let inner = options
    for (const name of names) inner = (inner[name] ??= {}) as Record<string, unknown>
    inner[last] = /^\d+$/.test(value) ? Number(value) : value === 'true' || (value === 'false' ? false : value)
  }
  return options
}

export type Load = (packageName: string) => Promise<unknown>

/** Rejects with a LogTargetError where the package is not installed. */
export const openLogTarget = async (target: LogTarget, load: Load): Promise<LogStream | 'stdout'> => {
  const { kind, where, options } = target
  if (kind === 'stdout') return 'stdout'
  const names = packages[kind]
  const [loaded] = await Promise.all(names.map((name) => loadPackage(kind, name, load)))
  const stream = kind === 'roll'
    ? await openRolled(loaded as RollPackage, { mkdir: true, ...options, file: where })
    : openRemote(kind, where, options)
  stream.on?.('error', onceTold(kind))
  return stream
}

interface RollPackage {
  readonly default: (options: object) => Promise<LogStream>
}

/** Ready when the file is open: what a process writes and exits right after would be lost otherwise. */
const openRolled = async (loaded: RollPackage, options: object): Promise<LogStream> => {
  const stream = await loaded.default(options)
  await new Promise<void>((resolve, reject) => {
    stream.once?.('ready', resolve)
    stream.on?.('error', reject)
  }).catch((error: unknown) => { throw new LogTargetError(`the log file can not be opened: ${String(error)}`) })
  return stream
}

/** Beside this file, compiled as it is. */
const ownTarget = fileURLToPath(import.meta.url).replace(/logTargets(?=\.\w+$)/, 'elasticTarget')

interface Stage {
  readonly target: string
  readonly options: Readonly<Record<string, unknown>>
}

/** A pipeline of one, pino takes and then passes nothing on: each of these has to be a target of its own. */
const openRemote = (kind: RemoteKind, where: string, options: Readonly<Record<string, unknown>>): LogStream => {
  if (kind === 'syslog') return transport({ pipeline: syslogPipeline(new URL(where), options) }) as LogStream
  const [name = ''] = packages[kind]
  const target = kind === 'elastic' ? ownTarget : name
  return transport({ target, options: remoteOptions(kind, where, options) }) as LogStream
}

/** Each takes what it knows of the options. Over TCP nothing but the line's end parts one message from the next. */
const syslogPipeline = ({ protocol, hostname, port }: URL, options: Readonly<Record<string, unknown>>): Stage[] => {
  const mode = protocol.replace(':', '')
  const socket = { mode, address: hostname, port: Number(port || 514), reconnect: true }
  const [lines = '', sender = ''] = packages.syslog
  return [
    { target: lines, options: { appname: 'shardkv', newline: mode === 'tcp', ...options } },
    { target: sender, options: { ...socket, ...options } },
  ]
}

/** A log that can not be written ends no database. It is said once, where somebody may look. */
const onceTold = (kind: string): ((error: Error) => void) => {
  let isTold = false
  return (error) => {
    if (!isTold) process.stderr.write(`shardkv: the log target ${kind} fails, lines are lost: ${error.message}\n`)
    isTold = true
  }
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
  if (kind === 'elastic') return { node: where, index: 'shardkv', flushInterval: FLUSH_EVERY_MS, ...options }
  if (kind === 'loki') return { host: where, batching: true, labels: { job: 'shardkv' }, ...options }
  const exporterOptions = { protocol: 'http', httpExporterOptions: { url: `${where}/v1/logs` } }
  // Left alone, it sends the command line along, in which a password may stand.
  const resourceAttributes = { 'service.name': 'shardkv', 'process.command_args': [] }
  return { logRecordProcessorOptions: { exporterOptions }, resourceAttributes, ...options }
}
