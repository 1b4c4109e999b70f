/**
 * Asks everybody who is there, and under which name: every node answers `kv.status`. A claim is an answer to this very question, so whoever
 * makes it was alive after it was asked.
 */

import type { Bus, Inbound } from '../bus/port.ts'
import type { Clock } from '../actors/kernel/clock.ts'

const ANSWERS_WITHIN_MS = 400
/** A lost question or answer must not pass for silence. */
const ASKED_AGAIN_MS = 100

export interface ClaimsQuestion {
  readonly bus: Bus
  readonly clock: Clock
  readonly statusSubject: string
  /** Of this question alone: what comes in answers it. */
  readonly inbox: string
}

export interface NameClaim {
  readonly cluster: string
  readonly node: string
  readonly boot: string
}

/** Calls `done` once: with the first claim that is `wanted`, or with null when none came in time. */
export const askForClaim = (
  { bus, clock, statusSubject, inbox }: ClaimsQuestion, wanted: (claim: NameClaim) => boolean, done: (claim: NameClaim | null) => void,
): void => {
  let isDone = false
  const finish = (claim: NameClaim | null): void => {
    if (isDone) return
    isDone = true
    subscription.unsubscribe()
    done(claim)
  }
  const subscription = bus.subscribe(inbox, (message) => {
    const claim = claimIn(message)
    if (claim !== null && wanted(claim)) finish(claim)
  })
  const ask = (): void => {
    if (isDone) return
    bus.publish(statusSubject, new Uint8Array(0), { reply: inbox })
    clock.after(ASKED_AGAIN_MS, ask)
  }
  ask()
  clock.after(ANSWERS_WITHIN_MS, () => finish(null))
}

const claimIn = (message: Inbound): NameClaim | null => {
  try {
    const report = JSON.parse(new TextDecoder().decode(message.data)) as {
      cluster?: unknown; node?: { id?: unknown; bootId?: unknown }
    }
    const { cluster, node } = report
    if (typeof cluster !== 'string' || typeof node?.id !== 'string' || typeof node.bootId !== 'string') return null
    return { cluster, node: node.id, boot: node.bootId }
  } catch {
    return null
  }
}
