/**
 * The child's side of supervision: a node started by the launcher learns from its standard input that the launcher is gone, however
 * that happened, and drains.
 */

import { SUPERVISED_ENV } from './processes.ts'

export interface WatchedInput {
  readonly on: (event: 'end' | 'close' | 'error', listener: () => void) => unknown
  readonly resume: () => unknown
}

/** Calls `onGone` once when the supervisor's end of standard input closes. Does nothing for a node that was started by hand. */
export const watchSupervisor = (
  env: Readonly<Record<string, string | undefined>>, input: WatchedInput, onGone: () => void,
): void => {
  if (env[SUPERVISED_ENV] !== '1') return
  let isGone = false
  const gone = (): void => {
    if (isGone) return
    isGone = true
    onGone()
  }
  for (const event of ['end', 'close', 'error'] as const) input.on(event, gone)
  input.resume()
}
