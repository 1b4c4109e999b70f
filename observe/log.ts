/**
 * The process's log: JSON lines, one field for each thing an operator filters by (docs/OBSERVABILITY.md lists them). Levels are per
 * actor and change while the node runs (logLevels.ts), secrets and values stay out (redaction.ts), repetition is held back
 * (repeats.ts), and lines go to standard output or to what the operator named (logTargets.ts).
 *
 * Lines are gathered, so that one costs microseconds, and written FLUSH_AFTER_MS after the first of them, when the node ends, and whenever
 * the process exits by its own doing, uncaught errors included: the last lines before a fail-stop are there. A log without lines wakes
 * nobody. What can not be written is counted, and neither stops the node nor keeps it from ending (logWriter.ts).
 */

import { hostname } from 'node:os'
import { multistream, pino } from 'pino'
import { createRedaction, redactedPaths } from './redaction.ts'
import { createRepeats } from './repeats.ts'
import { openLogTarget, parseLogTarget } from './logTargets.ts'
import type { Logger as Pino, LoggerOptions } from 'pino'
import type { LogFields, Logger } from '../actors/kernel/log.ts'
import type { LevelName, LogLevels } from './logLevels.ts'
import type { Load, LogStream } from './logTargets.ts'
import type { Repeats } from './repeats.ts'

const FLUSH_AFTER_MS = 250
/** How long files are waited for when the node ends; the thread of a remote target, by its library, ten seconds where nobody answers. */
const END_MS_MAX = 2_000

export interface ProcessLog {
  readonly log: Logger
  /** What nobody caught, and ends the process: the one line of level 60, written before this returns as far as that goes. */
  readonly fatal: (error: unknown, origin: string) => void
  /** Writes everything gathered, synchronously as far as that goes. */
  readonly flush: () => void
  /** Writes the rest, each stream for END_MS_MAX at most, and closes what the operator named. */
  readonly close: () => Promise<void>
  /** Lines held back as repetitions. */
  readonly held: () => number
  /** Lines that could not be written to a file or to standard output. */
  readonly lost: () => number
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
  const streams = await openStreams(options, (target, lost) => {
    root.warn({ actor: 'node', target, lost_lines: lost }, 'the log could not be written for a while')
  })
  let isClosed = false
  let timer: NodeJS.Timeout | undefined
  const repeats = createRepeats(() => performance.now())
  const writeGathered = (): void => {
    repeats.settle(false)
    for (const stream of streams) stream.flush?.()
    timer = undefined
    if (repeats.isCounting()) gather()
  }
  const gather = (): void => {
    if (!isClosed) timer ??= setTimeout(writeGathered, FLUSH_AFTER_MS).unref()
  }
  const root = rootOf(options, streams, gather)
  const flush = (): void => {
    repeats.settle(true)
    for (const stream of streams) flushStream(stream)
  }
  process.on('exit', flush)
  return {
    log: loggerOf({ pino: root, root, levels: options.levels, repeats }, {}),
    fatal: (error, origin) => {
      root.fatal({ actor: 'node', err: error, origin }, 'what nobody caught ends the process')
      flush()
    },
    flush,
    close: async () => {
      if (isClosed) return
      isClosed = true
      clearTimeout(timer)
      repeats.settle(true)
      // A thread's end stops the loop: the time of the others would run out meanwhile.
      await Promise.all(streams.filter(({ giveUp }) => giveUp !== undefined).map(endStream))
      await Promise.all(streams.filter(({ giveUp }) => giveUp === undefined).map(endStream))
      process.off('exit', flush)
    },
    held: repeats.heldInAll,
    lost: () => streams.reduce((sum, { lost }) => sum + (lost?.() ?? 0), 0),
  }
}

/** `onLine`: before a line is handed to the streams. */
const rootOf = (options: LogOptions, streams: readonly LogStream[], onLine: () => void): Pino => {
  const strike = createRedaction(options.secrets ?? [])
  const streamWrite = (line: string): string => {
    onLine()
    return strike(line)
  }
  const settings: LoggerOptions = {
    level: 'trace', base: { node: options.node, pid: process.pid, ...(isForSyslog(options) ? { hostname: hostname() } : {}) },
    redact: { paths: [...redactedPaths], censor: '[redacted]' }, hooks: { streamWrite },
  }
  const [only] = streams
  return streams.length === 1 && only !== undefined
    ? pino(settings, only)
    : pino(settings, multistream(streams.map((stream) => ({ level: 'trace' as const, stream }))))
}

/** It asks every line for the name of its machine. */
const isForSyslog = ({ targets = [] }: LogOptions): boolean => targets.some((target) => target.startsWith('syslog:'))

const openStreams = (
  { targets = [], load = (name) => import(name), stdout }: LogOptions, onRecovered: (target: string, lost: number) => void,
): Promise<readonly LogStream[]> => {
  const parsed = (targets.length === 0 ? ['stdout'] : targets).map(parseLogTarget)
  return Promise.all(parsed.map((target) =>
    (target.kind === 'stdout' && stdout !== undefined ? Promise.resolve(stdout) : openLogTarget(target, { load, onRecovered }))))
}

const flushStream = (stream: LogStream): void => {
  try {
    stream.flushSync?.()
  } catch {
    // It is gone, or was never opened: there is nowhere left to write to.
  }
}

/** The timer holds the process: without it there may be nothing left that does, and it would end before its log. */
const endStream = ({ end, giveUp }: LogStream): Promise<void> => new Promise((resolve) => {
  if (end === undefined) {
    resolve()
    return
  }
  const timer = setTimeout(() => {
    giveUp?.()
    resolve()
  }, END_MS_MAX)
  end(() => {
    clearTimeout(timer)
    resolve()
  })
})

interface Writing {
  /** With the fields of the child. */
  readonly pino: Pino
  /** Without them. */
  readonly root: Pino
  readonly levels: LogLevels
  readonly repeats: Repeats
}

/** What a line is of, as children and lines themselves say: repetition is counted of each apart. */
interface Subject {
  /** Of the children that an actor's shell made; a line of somebody without one names its own. */
  readonly actor?: unknown
  readonly shard?: unknown
  readonly conn_id?: unknown
}

interface Line {
  readonly level: LevelName
  readonly actor: string
  readonly message: string
  readonly subject: Subject
}

const subjectOf = (fields: LogFields, of: Subject): Subject =>
  ({ actor: fields['actor'] ?? of.actor, shard: fields['shard'] ?? of.shard, conn_id: fields['conn_id'] ?? of.conn_id })

const loggerOf = (writing: Writing, of: Subject): Logger => {
  const { levels, repeats, root } = writing
  const at = (level: LevelName) => (fields: LogFields, message: string): void => {
    const named = fields['actor'] ?? of.actor
    const actor = typeof named === 'string' ? named : ''
    if (!levels.isOn(actor, level)) return
    const isFree = level === 'error' || level === 'trace'
    if (isFree || passes(`${level} ${actor} ${message}`, { level, actor, message, subject: subjectOf(fields, of) })) {
      writing.pino[level](fields, message)
    }
  }
  const passes = (common: string, { level, actor, message, subject: { shard, conn_id } }: Line): boolean =>
    repeats.passes(`${String(shard)} ${String(conn_id)} ${common}`, common, (repeated, isOwn) => {
      root[level]({ actor, ...(isOwn ? { shard, conn_id } : {}), repeated }, message)
    })
  return {
    error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), trace: at('trace'),
    child: (fields) => loggerOf({ ...writing, pino: writing.pino.child(fields) }, subjectOf(fields, of)),
  }
}
