/**
 * The trace of a run: one line per event, in columns, and a hash of all of it.
 *
 *     time       who       what      details
 *     1523.075   n2        raft      shard=1 term=4 leader
 *
 * time: virtual milliseconds; who: a node, a client, or `sim`; what: the part that speaks, one of
 *   machine                                   a process starts, is killed or stopped, runs again, ended by itself; or power is lost
 *   node wal shard raft connection gateway post   the node's own log: info and above, everything with --verbose
 *   mail                                      a Raft message leaves (--verbose)
 *   completed                                 an operation of a client: its interval, the call, the outcome
 *   seed fault heal map agreed violation end  the simulator itself; `map`: who lacks the newest cluster map as healing begins
 *
 * The hash also covers the time and owner of every event that has no line, so two runs with one hash took the
 * same steps. Old lines are dropped above LINES_KEPT; the hash covers them all the same.
 */

import { joinFields } from '../actors/kernel/log.ts'
import type { LogFields, Logger } from '../actors/kernel/log.ts'

const LINES_KEPT = 200_000
const FNV_PRIME = 0x0100_0193

export interface Trace {
  readonly line: (who: string, what: string, details: string) => void
  /** Mixes an event without a line into the hash. */
  readonly step: (who: string) => void
  /** 16 hex digits over everything so far. */
  readonly hash: () => string
  readonly lines: () => readonly string[]
}

/** One line, before it is laid out. */
export interface Columns {
  readonly who: string
  readonly what: string
  readonly details: string
}

export interface TraceOptions {
  readonly now: () => number
  /** Called with each line as it is made. */
  readonly onLine?: (line: string) => void
  /** Called before that, with its columns. */
  readonly onColumns?: (columns: Columns) => void
}

export const createTrace = ({ now, onLine, onColumns }: TraceOptions): Trace => {
  let lines: string[] = []
  let a = 0x811c_9dc5
  let b = 0x1234_5678
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, FNV_PRIME)
    b = Math.imul((b << 5 | b >>> 27) ^ word, FNV_PRIME)
  }
  const mixText = (text: string): void => {
    for (let i = 0; i < text.length; i += 1) mix(text.charCodeAt(i))
  }
  return {
    line: (who, what, details) => {
      onColumns?.({ who, what, details })
      const line = `${now().toFixed(3).padStart(11)}  ${who.padEnd(8)}  ${what.padEnd(10)}  ${details}`
      mixText(line)
      lines.push(line)
      if (lines.length > 2 * LINES_KEPT) lines = lines.slice(-LINES_KEPT)
      onLine?.(line)
    },
    step: (who) => {
      mix(Math.floor(now() * 1_000) | 0)
      mixText(who)
    },
    hash: () => (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0'),
    lines: () => lines,
  }
}

/** A node's log as trace lines: info and above always, debug and trace when verbose. */
export const createTraceLogger = (trace: Trace, who: string, isVerbose: boolean): Logger => {
  const make = (inherited: LogFields): Logger => {
    const write = (level: string) => (fields: LogFields, message: string): void => {
      const { actor, ...rest } = joinFields(inherited, fields)
      trace.line(who, typeof actor === 'string' ? actor : 'node', `${level}${message}${textOf(rest)}`)
    }
    const quiet = (): void => {}
    return {
      error: write('ERROR '),
      warn: write('WARN '),
      info: write(''),
      debug: isVerbose ? write('') : quiet,
      trace: isVerbose ? write('') : quiet,
      child: (fields) => make(joinFields(inherited, fields)),
    }
  }
  return make({})
}

const textOf = (fields: Readonly<Record<string, unknown>>): string => {
  let text = ''
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) text += ` ${name}=${plainText(value)}`
  }
  return text
}

const plainText = (value: unknown): string => {
  if (value instanceof Error) return value.message
  return typeof value === 'string' ? value : JSON.stringify(value)
}
