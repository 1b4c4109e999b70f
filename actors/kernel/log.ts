/**
 * The log port. pino's logger satisfies it as it is (observe/log.ts); the simulator's collects lines in virtual time.
 * Levels: error (the process ends or data is at risk), warn (a person should look), info (role changes, life cycle), debug, and
 * trace (one line per message, never on by default). Values of keys and secrets are never logged.
 */

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  readonly error: (fields: LogFields, message: string) => void
  readonly warn: (fields: LogFields, message: string) => void
  readonly info: (fields: LogFields, message: string) => void
  readonly debug: (fields: LogFields, message: string) => void
  readonly trace: (fields: LogFields, message: string) => void
  readonly child: (fields: LogFields) => Logger
}

const ignore = (): void => {}

export const silentLogger: Logger = {
  error: ignore, warn: ignore, info: ignore, debug: ignore, trace: ignore,
  child: () => silentLogger,
}
