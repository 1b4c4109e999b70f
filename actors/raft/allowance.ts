/**
 * How fast a node fills new replicas: a token bucket that all groups of the node draw from, since it is disks, processors and networks
 * that clients share with the copying. Time is ticks.
 *
 *   tick ──▶ refill ──▶ bytes > 0: snapshot chunks and appends to learners leave, and are taken from it
 *                       else: they wait for the next tick
 *
 * Copying is for when there is room. So the pace, what a tick brings, follows how much later than at best the new replicas answer:
 * whoever waits for a core or a disk keeps clients waiting there, too. Half as much after a tick with a late answer, a quarter more
 * after any other, between PACE_SHARE_MIN of the limit, where it begins, and the limit. The idea is LEDBAT's (RFC 6817); its target
 * of 100 ms is for people, LATE_MS for clients that are used to milliseconds. While nothing is copied the pace falls back to the
 * least. What clients write meanwhile is sent besides, so a copy gains on them as long as it is answered.
 *
 * Only learners are held back, and never their heartbeats. A voter that lags is sent everything at once: the group counts on it. What
 * leaves is taken whole, so the bucket may go below nothing by one message, and the next ticks pay for that. Law: in any n ticks at
 * most n ticks' worth of the limit leaves, and BURST_TICKS' worth, one message, and what was written (test/paper/allowance.test.ts).
 *
 * Where the limit binds, groups are served in the order of their ticks: new replicas are filled one after another, not all at once.
 */

/** What may be saved up while nothing was sent. More: the ticker's own delays cost less speed, and a burst is longer. */
const BURST_TICKS = 2
/** An answer is late when it takes so much longer than the fastest from the same peer. */
const LATE_MS = 25
const PACE_SHARE_MIN = 1 / 64
/** From the least to the limit in 19 ticks, if nobody is late. */
const FASTER = 1.25
const SLOWER = 0.5

export interface Allowance {
  readonly tickMs: number
  /** The limit. */
  readonly bytesPerTick: number
  /** Bytes that the next tick brings. */
  pace: number
  /** Somebody has answered late since the last tick. */
  isLate: boolean
  /** Something left, waits to leave, or waits for its answer, since the last tick. */
  isUsed: boolean
  /** What may leave now. */
  bytes: number
  /** The tick that was counted last. */
  tick: number
}

export const createAllowance = (bytesPerSecond: number, tickMs: number): Allowance => {
  const bytesPerTick = (bytesPerSecond * tickMs) / 1_000
  const pace = bytesPerTick * PACE_SHARE_MIN
  return { tickMs, bytesPerTick, pace, isLate: false, isUsed: false, bytes: BURST_TICKS * pace, tick: 0 }
}

/** Any group's tick may do it: a tick is counted once. */
export const refill = (allowance: Allowance, now: number): void => {
  const tick = Math.floor(now / allowance.tickMs)
  if (tick <= allowance.tick) return
  const ticks = tick - allowance.tick
  allowance.tick = tick
  adapt(allowance)
  allowance.bytes = Math.min(allowance.bytes + ticks * allowance.pace, BURST_TICKS * allowance.pace)
}

const adapt = (allowance: Allowance): void => {
  const { bytesPerTick, pace, isLate, isUsed } = allowance
  const factor = isUsed && !isLate ? FASTER : SLOWER
  allowance.pace = Math.min(bytesPerTick, Math.max(pace * factor, bytesPerTick * PACE_SHARE_MIN))
  allowance.isLate = false
  allowance.isUsed = false
}

export const take = (allowance: Allowance, bytes: number): void => {
  allowance.bytes -= bytes
  allowance.isUsed = true
}

/** What a peer was sent `delayMs` ago was answered now, or still is not; `fastestMs`: the fastest answer of that peer so far. */
export const noteDelay = (allowance: Allowance, delayMs: number, fastestMs: number): void => {
  allowance.isUsed = true
  if (delayMs > fastestMs + LATE_MS) allowance.isLate = true
}

/** What is to leave waits for a later tick. */
export const mustWait = (allowance: Allowance, progress: { readonly isLearner: boolean; isHeldBack: boolean }): boolean => {
  if (!progress.isLearner || allowance.bytes > 0) return false
  allowance.isUsed = true
  progress.isHeldBack = true
  return true
}
