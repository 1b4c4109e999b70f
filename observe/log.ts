/**
 * The process's logger: pino, JSON lines on standard output, one field for each thing an operator filters by.
 *
 * The destination is asynchronous with a small buffer, so that a log line costs microseconds; it is flushed at exit and on every error,
 * so that the last lines before a fail-stop are never lost.
 */

import { destination, pino } from 'pino'
import type { LoggerOptions } from 'pino'
import type { Logger } from '../actors/kernel/log.ts'

const LOG_BUFFER_BYTES = 4_096
const FLUSH_EVERY_MS = 250

export interface ProcessLog {
  readonly log: Logger
  /** Writes everything buffered, synchronously. */
  readonly flush: () => void
}

export const createProcessLog = (options: { readonly level: string; readonly node: string }): ProcessLog => {
  const stream = destination({ dest: 1, minLength: LOG_BUFFER_BYTES, sync: false })
  const settings: LoggerOptions = { level: options.level, base: { node: options.node, pid: process.pid } }
  const log = pino(settings, stream)
  const timer = setInterval(() => { stream.flush() }, FLUSH_EVERY_MS)
  timer.unref()
  return {
    log,
    flush: () => {
      try {
        stream.flushSync()
      } catch {
        // Standard output is gone: there is nowhere left to write to.
      }
    },
  }
}
