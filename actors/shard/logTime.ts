/**
 * Log time, as a serving leader stamps it on entries: it starts at the later of what the log already says and what a majority of the
 * voters' wall clocks have reached (actors/raft/wallClocks.ts), and from then on runs with the leader's monotonic clock. It never goes
 * back, and one clock a day ahead moves nothing. Nor does it leap while a leader serves: where the wall clock does, the leader steps down.
 */

export interface LogTime {
  readonly baseMs: number
  /** The monotonic clock when the base was taken. */
  readonly baseNow: number
  lastMs: number
}

export const startLogTime = (baseMs: number, now: number): LogTime => ({ baseMs, baseNow: now, lastMs: Math.floor(baseMs) })

/** Whole milliseconds; never less than before. */
export const logTimeAt = (time: LogTime, now: number): number => {
  time.lastMs = Math.max(time.lastMs, Math.floor(time.baseMs + now - time.baseNow))
  return time.lastMs
}
