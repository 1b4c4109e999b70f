/**
 * The log port. pino's logger satisfies it as it is (observe/log.ts); the simulator's collects lines in virtual time.
 * Levels: error (the process ends or data is at risk), warn (a person should look), info (role changes, life cycle), debug, and
 * trace (one line per message, never on by default). Values of keys and secrets are never logged.
 *
 * A line has each field once: what a child has, its lines do not name again, and nobody names what the log writes itself. pino would write
 * both, and of two keys of one JSON object each reader takes another. `joinFields` is how loggers that keep fields themselves find out.
 */

import { AssertionError } from './assert.ts'

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  readonly error: (fields: LogFields, message: string) => void
  readonly warn: (fields: LogFields, message: string) => void
  readonly info: (fields: LogFields, message: string) => void
  readonly debug: (fields: LogFields, message: string) => void
  readonly trace: (fields: LogFields, message: string) => void
  readonly child: (fields: LogFields) => Logger
}

/** Written by the process's log of every line, or of some (observe/log.ts). */
const ownFields: ReadonlySet<string> = new Set(['time', 'level', 'node', 'pid', 'hostname', 'msg', 'repeated'])

/** Throws where a field is named twice: a mistake in the source. */
export const joinFields = (inherited: LogFields, fields: LogFields): LogFields => {
  for (const name of Object.keys(fields)) {
    if (Object.hasOwn(inherited, name) || ownFields.has(name)) throw new AssertionError(`a line of the log has the field "${name}" twice`)
  }
  return { ...inherited, ...fields }
}

const ignore = (): void => {}

export const silentLogger: Logger = {
  error: ignore, warn: ignore, info: ignore, debug: ignore, trace: ignore,
  child: () => silentLogger,
}
