/**
 * The clock port: the only way any part of ShardKV learns or awaits time.
 *
 * Production uses `createSystemClock` (kernel/systemClock.ts); the simulator uses a heap clock (sim/clock.ts), so that one
 * seed decides every interleaving. Cores never hold a clock: time reaches them inside events.
 */

export type Cancel = () => void

export interface Clock {
  /** Monotonic milliseconds with a fraction; never goes back, unrelated to the wall. */
  readonly now: () => number
  /** Milliseconds since the Unix epoch, as this machine believes; may jump either way. */
  readonly wall: () => number
  /** Runs `fn` once, at least `ms` later. Cancelling twice, or after it ran, does nothing. */
  readonly after: (ms: number, fn: () => void) => Cancel
  /** Runs `fn` after the current turn of the event loop: the point at which a turn's messages leave together. */
  readonly defer: (fn: () => void) => void
}
