/**
 * Ctrl-C, SIGTERM and a closed terminal, counted as a person means them.
 *
 * A terminal sends Ctrl-C to everybody in its foreground: to `npm start`, and to the launcher that npm has started. npm passes it on to
 * the launcher once more, some milliseconds later. That is one wish to stop, not two, of which the second would kill what is draining.
 * So a signal within ECHO_MS of the one before it is that one's echo. Who has read what the first one did, and means more, takes longer.
 */

export const ECHO_MS = 500

const interrupts = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type Interrupt = (typeof interrupts)[number]

export interface SignalSource {
  readonly on: (signal: Interrupt, listener: () => void) => unknown
  readonly removeListener: (signal: Interrupt, listener: () => void) => unknown
}

/** Calls `handler` with how many there were, in place of ending the process; the result takes that back. `now` is in milliseconds. */
export const countInterrupts = (source: SignalSource, now: () => number, handler: (count: number) => void): (() => void) => {
  let count = 0
  let heardAt = -Infinity
  const listener = (): void => {
    const isEcho = now() - heardAt < ECHO_MS
    heardAt = now()
    if (isEcho) return
    count += 1
    handler(count)
  }
  for (const signal of interrupts) source.on(signal, listener)
  return () => {
    for (const signal of interrupts) source.removeListener(signal, listener)
  }
}
