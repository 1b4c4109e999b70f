/** A close that waits no longer than it is told to: what is in flight then is cut off, and the connection closed. */

import { AbortError, TimeoutError } from './errors.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { ShardKvError } from './errors.ts'
import type { CloseOptions } from './options.ts'

/** What was in flight then. */
export interface CutOff {
  readonly operations: number
  /** None of them may have had an effect, or may have it yet. */
  readonly isDefinite: boolean
}

export interface ClosingPorts {
  readonly clock: Pick<Clock, 'after'>
  /** Ends the connection at once. */
  readonly cutOff: (reason: string) => CutOff
}

/**
 * Settles as `closing` does, or rejects with what it was cut off for. Nothing lost is no failure: if only the goodbye was still to be said,
 * it resolves, and the cluster forgets this client's sessions by itself.
 */
export const closeWithin = (closing: Promise<void>, { timeoutMs, signal }: CloseOptions, ports: ClosingPorts): Promise<void> => {
  if (timeoutMs === undefined && signal === undefined) return closing
  return new Promise((resolve, reject) => {
    let isOver = false
    let cancelTimer = (): void => {}
    const end = (): boolean => {
      const isFirst = !isOver
      isOver = true
      cancelTimer()
      signal?.removeEventListener('abort', onAbort)
      return isFirst
    }
    const cut = (reason: string, errorOf: (text: string, cut: CutOff) => ShardKvError): void => {
      if (!end()) return
      const lost = ports.cutOff(reason)
      if (lost.operations === 0) resolve()
      else reject(errorOf(`${lost.operations} in flight cut off; each was told so, and whether it may have happened.`, lost))
    }
    const onAbort = (): void => cut('closing was aborted', (text, { isDefinite: definite }) =>
      new AbortError(`Closing was aborted: ${text}`, { definite, cause: signal?.reason }))
    if (signal?.aborted === true) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    if (timeoutMs !== undefined && !isOver) {
      cancelTimer = ports.clock.after(timeoutMs, () => cut(`closing took longer than ${timeoutMs} ms`, (text, { isDefinite: definite }) =>
        new TimeoutError(`The connection was closed after ${timeoutMs} ms: ${text}`, { definite })))
    }
    closing.then(() => { if (end()) resolve() }, (error: ShardKvError) => { if (end()) reject(error) })
  })
}
