/**
 * Stands between the log and a remote target, whose package runs in a thread of its own (pino's transport). The thread has 4 MiB between
 * it and this process; behind that lines would wait here without limit. What comes above WAITING_CHARACTERS_MAX is lost and counted, as it
 * is where a file can not be written (logWriter.ts), and so is what comes when the thread has ended.
 *
 *   write ─▶ thread ── full ─▶ waiting ─▶ above WAITING_CHARACTERS_MAX: lost and counted
 *              ▲                   │
 *              └────── drain ──────┘
 *
 * The end of a process waits for a receiver, without anything else going on meanwhile: ten seconds, by the library, and once.
 */

import { tellOnce, tellOperator } from './operator.ts'
import type { LogStream } from './logTargets.ts'

/** What waits here for a thread that is full. Above it the newest are lost: the first say how it began. */
export const WAITING_CHARACTERS_MAX = 4 * 1_048_576

/** Of pino's thread-stream. */
export interface LogThread {
  /** False: it is full, and says `drain` when it has taken all. */
  readonly write: (line: string) => boolean
  readonly emit: (event: string, ...values: unknown[]) => unknown
  /** Throws where the receiver does not take it in time. */
  readonly flushSync: () => void
  readonly end: () => void
  readonly on: {
    (event: 'error' | 'drain', heard: (error: Error) => void): unknown
    /** So many lines reached it that its receiver will never take. */
    (event: 'lost', heard: (lines: number) => void): unknown
  }
  readonly once: (event: 'close', heard: () => void) => unknown
  readonly worker: { readonly terminate: () => unknown }
}

export interface LogThreadOptions {
  /** As the operator calls it: `loki`. */
  readonly target: string
  /** All that waited is on its way, and so many lines were lost meanwhile. */
  readonly onRecovered: (lost: number) => void
  /** For a person, where the log itself can not say it. */
  readonly tell?: (text: string) => void
}

export const threadStream = (thread: LogThread, { target, onRecovered, tell = tellOperator }: LogThreadOptions): LogStream => {
  let [isFull, isGone] = [false, false]
  let waitingCharacters = 0
  let [lostInAll, lostWhileFull] = [0, 0]
  const tellFailure = tellOnce(target, tell)
  thread.on('error', tellFailure)
  thread.once('close', () => { isGone = true })
  thread.on('lost', (lines) => { lostInAll += lines })
  thread.on('drain', () => {
    const lost = lostWhileFull
    isFull = false
    waitingCharacters = 0
    lostWhileFull = 0
    if (lost === 0 || isGone) return
    tell(`the log target ${target}: it takes lines again; ${lost} were lost`)
    onRecovered(lost)
  })
  const lose = (): void => {
    if (lostWhileFull === 0) tell(`the log target ${target}: lines are lost: it takes them too slowly`)
    lostInAll += 1
    lostWhileFull += 1
  }
  /** To be asked again, here or by pino as the process exits, would take as long once more: pino forgets what says that it is closed. */
  const flushSync = (): void => {
    if (isGone) return
    try {
      thread.flushSync()
    } catch (error) {
      thread.worker.terminate()
      thread.emit('close')
      throw error
    }
  }
  return {
    write: (line) => {
      if (isGone) lostInAll += 1
      else if (isFull && waitingCharacters + line.length > WAITING_CHARACTERS_MAX) lose()
      else {
        if (!thread.write(line)) isFull = true
        if (isFull) waitingCharacters += line.length
      }
    },
    emit: (event, ...values) => thread.emit(event, ...values),
    flushSync,
    end: (done) => {
      if (isGone) {
        done()
        return
      }
      thread.once('close', done)
      if (lostWhileFull > 0) tell(`the log target ${target}: the process ends, ${lostWhileFull} lines were lost`)
      try {
        flushSync()
        isGone = true
        thread.end()
      } catch (error) {
        // The thread's own word would come when the process is gone.
        tellFailure(error as Error)
      }
    },
    lost: () => lostInAll,
  }
}
