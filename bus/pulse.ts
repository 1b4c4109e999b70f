/**
 * When connections ask whether their broker is still there: all of a process in one turn of its event loop. A ping wakes the process once
 * to leave and once for its answer, which is most of what a connection without traffic costs; in one turn they leave by one wake-up, and
 * answers that come together are read by one.
 *
 * Each connection may miss so many answers before it is given up, by its own count (`createLiveness`): the same as in nats.js, whose timer
 * is each connection's own.
 */

/** What is due within so many milliseconds may be done now by a process that is awake. */
const SOON_MS = 100

export interface Pulse {
  /** `beat` is called once every interval, the first time within one, until the result is called. */
  readonly join: (beat: () => void) => () => void
  /** The process is awake for something else: a beat that is due soon comes now, and needs no wake-up of its own. */
  readonly offer: () => void
}

/** No timer runs while nobody has joined. */
export const createPulse = (intervalMs: number): Pulse => {
  const beats = new Set<() => void>()
  let timer: NodeJS.Timeout | undefined
  let dueAt = Number.POSITIVE_INFINITY
  const arm = (): void => {
    timer = setTimeout(beatAll, intervalMs)
    dueAt = performance.now() + intervalMs
  }
  const disarm = (): void => {
    clearTimeout(timer)
    timer = undefined
    dueAt = Number.POSITIVE_INFINITY
  }
  const beatAll = (): void => {
    arm()
    for (const beat of beats) beat()
  }
  return {
    join: (beat) => {
      beats.add(beat)
      if (timer === undefined) arm()
      return () => {
        beats.delete(beat)
        if (beats.size === 0) disarm()
      }
    },
    offer: () => {
      if (performance.now() < dueAt - SOON_MS) return
      disarm()
      beatAll()
    },
  }
}

export interface LivenessOptions {
  /** Resolves with the broker's answer, and rejects when the connection is lost meanwhile. */
  readonly ping: () => Promise<void>
  readonly isConnected: () => boolean
  /** So many pings without an answer, and the next beat gives the connection up. */
  readonly pingsOutMax: number
  readonly giveUp: () => void
}

/** The beat of one connection. */
export const createLiveness = ({ ping, isConnected, pingsOutMax, giveUp }: LivenessOptions): (() => void) => {
  let unanswered = 0
  const settled = (): void => {
    unanswered = 0
  }
  return () => {
    if (!isConnected()) return
    if (unanswered >= pingsOutMax) {
      unanswered = 0
      giveUp()
      return
    }
    unanswered += 1
    ping().then(settled, settled)
  }
}
