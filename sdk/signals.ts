/**
 * The signals that callers gave to their calls. A signal has one listener however many calls have it: Node warns of a leak when there are
 * eleven, and taking one of many away takes as long as there are many. The listener goes with the last of its calls.
 */

import type { Call } from './call.ts'

interface Heeded {
  readonly calls: Set<Call>
  readonly listener: () => void
}

export interface Signals {
  /** Throws what the signal throws; the call is not heeded then. */
  readonly heed: (call: Call) => void
  readonly forget: (call: Call) => void
}

/** `onAbort` is called once for each call whose signal was aborted. */
export const createSignals = (onAbort: (call: Call) => void): Signals => {
  const heeded = new Map<AbortSignal, Heeded>()
  return {
    heed: (call) => {
      const { signal } = call
      if (signal === undefined) return
      const known = heeded.get(signal)
      if (known !== undefined) {
        known.calls.add(call)
        return
      }
      const calls = new Set([call])
      // Whoever is told forgets the call, which is out of the set then.
      const listener = (): void => { for (const one of calls) onAbort(one) }
      signal.addEventListener('abort', listener, { once: true })
      // It may have fired as it was told whom to call: then there is nobody left to heed.
      if (!call.isDone) heeded.set(signal, { calls, listener })
    },
    forget: (call) => {
      const { signal } = call
      const known = signal === undefined ? undefined : heeded.get(signal)
      if (signal === undefined || known?.calls.delete(call) !== true || known.calls.size > 0) return
      heeded.delete(signal)
      signal.removeEventListener('abort', known.listener)
    },
  }
}

/** Whether it has what is asked of a signal: one of another realm, or of a library, is no instance of this realm's class. */
export const isSignal = (value: unknown): value is AbortSignal => {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  return typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}
