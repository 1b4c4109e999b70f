/**
 * The process's log: JSON lines, one field for each thing an operator filters by (docs/OBSERVABILITY.md lists them). Levels are per
 * actor and change while the node runs (logLevels.ts), secrets and values stay out (redaction.ts), repetition is held back
 * (repeats.ts), and lines go to standard output or to what the operator named (logTargets.ts).
 *
 * The destination is asynchronous with a small buffer, so that a log line costs microseconds. It is flushed several times a second,
 * when the node ends, and whenever the process exits by its own doing, uncaught errors included: the last lines before a
 * fail-stop are there.
 */

import { hostname } from 'node:os'
import { destination, multistream, pino } from 'pino'
import { createRedaction, redactedPaths } from './redaction.ts'
import { createRepeats } from './repeats.ts'
import { openLogTarget, parseLogTarget } from './logTargets.ts'
import type { Logger as Pino, LoggerOptions } from 'pino'
import type { LogFields, Logger } from '../actors/kernel/log.ts'
import type { LevelName, LogLevels } from './logLevels.ts'
import type { Load, LogStream } from './logTargets.ts'
import type { Repeats } from './repeats.ts'

const LOG_BUFFER_BYTES = 4_096
const FLUSH_EVERY_MS = 250
/** How long files are waited for when the node ends; the thread of a remote target, by its library, ten seconds where nobody answers. */
const END_MS_MAX = 2_000

export interface ProcessLog {
  readonly log: Logger
  /** Writes everything buffered, synchronously as far as that goes. */
  readonly flush: () => void
  /** As `flush`, and closes what the operator named, within limits. */
  readonly close: () => Promise<void>
  /** Lines held back as repetitions. */
  readonly held: () => number
}

export interface LogOptions {
  readonly levels: LogLevels
  readonly node: string
  /** As in logTargets.ts; none is standard output. */
  readonly targets?: readonly string[] | undefined
  /** Of the configuration: never written, wherever they turn up. */
  readonly secrets?: readonly string[]
  readonly load?: Load
  /** For tests: in place of standard output. */
  readonly stdout?: LogStream
}

/** Rejects with a LogTargetError. */
export const openProcessLog = async (options: LogOptions): Promise<ProcessLog> => {
  const { streams, targets } = await openStreams(options)
  const strike = createRedaction(options.secrets ?? [])
  const settings: LoggerOptions = {
    level: 'trace', base: { node: options.node, pid: process.pid, ...(isForSyslog(options) ? { hostname: hostname() } : {}) },
    redact: { paths: [...redactedPaths], censor: '[redacted]' }, hooks: { streamWrite: strike },
  }
  const [only] = streams
  const root = streams.length === 1 && only !== undefined
    ? pino(settings, only)
    : pino(settings, multistream(streams.map((stream) => ({ level: 'trace' as const, stream }))))
  let isClosed = false
  const repeats = createRepeats(() => performance.now())
  const timer = setInterval(() => {
    repeats.settle(false)
    for (const stream of streams) stream.flush?.()
  }, FLUSH_EVERY_MS)
  timer.unref()
  const flush = (): void => {
    repeats.settle(true)
    for (const stream of streams) flushStream(stream)
  }
  process.on('exit', flush)
  return {
    log: loggerOf({ pino: root, levels: options.levels, repeats }, ''),
    flush,
    close: async () => {
      if (isClosed) return
      isClosed = true
      clearInterval(timer)
      flush()
      process.off('exit', flush)
      await Promise.all(targets.map(endTarget))
    },
    held: repeats.heldInAll,
  }
}

/** It asks every line for the name of its machine. */
const isForSyslog = ({ targets = [] }: LogOptions): boolean => targets.some((target) => target.startsWith('syslog:'))

interface Streams {
  readonly streams: readonly LogStream[]
  /** Those that are not standard output. */
  readonly targets: readonly LogStream[]
}

const openStreams = async ({ targets = [], load = (name) => import(name), stdout }: LogOptions): Promise<Streams> => {
  const standard = (): LogStream => stdout ?? destination({ dest: 1, minLength: LOG_BUFFER_BYTES, sync: false })
  const parsed = targets.map(parseLogTarget)
  const opened = await Promise.all(parsed.map((target) => openLogTarget(target, load)))
  const isStandard = opened.length === 0 || opened.includes('stdout')
  const named = opened.filter((stream) => stream !== 'stdout')
  return { streams: isStandard ? [standard(), ...named] : named, targets: named }
}

const flushStream = (stream: LogStream): void => {
  try {
    stream.flushSync?.()
  } catch {
    // It is gone, or was never opened: there is nowhere left to write to.
  }
}

/** The timer holds the process: without it there may be nothing left that does, and it would end before its log. */
const endTarget = (stream: LogStream): Promise<void> => new Promise((resolve) => {
  const timer = setTimeout(resolve, END_MS_MAX)
  stream.once?.('close', () => {
    clearTimeout(timer)
    resolve()
  })
  stream.end?.()
})

interface Writing {
  readonly pino: Pino
  readonly levels: LogLevels
  readonly repeats: Repeats
}

/** `actor`: of the children that an actor's shell made; a line of somebody without one names its own. */
const loggerOf = (writing: Writing, actor: string): Logger => {
  const { levels, repeats } = writing
  const at = (level: LevelName) => (fields: LogFields, message: string): void => {
    const own = fields['actor']
    const who = typeof own === 'string' ? own : actor
    if (!levels.isOn(who, level)) return
    const isFree = level === 'error' || level === 'trace'
    const told = (repeated: number): void => writing.pino[level]({ actor: who, repeated }, message)
    if (isFree || repeats.passes(`${level} ${who} ${message}`, told)) writing.pino[level](fields, message)
  }
  return {
    error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), trace: at('trace'),
    child: (fields) => {
      const own = fields['actor']
      return loggerOf({ ...writing, pino: writing.pino.child(fields) }, typeof own === 'string' ? own : actor)
    },
  }
}
