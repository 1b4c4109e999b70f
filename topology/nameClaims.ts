/**
 * Asks everybody who is there, and under which name: every node answers `kv.status`. A claim is an answer to this very question, so
 * whoever makes it was alive after it was asked.
 *
 * Nobody else can make one, as far as the broker's permissions go (bus/natsConfig.ts): a client may publish under the prefix alone, so it
 * neither hears the question nor writes to the inbox. It can have nodes write there. Test: "a client that hears the answers to such a
 * question, and has a node say what it stored as one":
 *   1. A client stores a report in the name of n2 under a key. n2 starts and asks; the client hears what others answer, and so the inbox.
 *   2. It reads its key with that inbox for the answer: a node sends the value there.
 *   3. If n2 took that for a claim, any client could keep it from starting.
 * Rule (statusReading.ts): reports have no headers, and all that a node answers with bytes of a client's choice has (`Kv-Status`);
 * frames of the batch door are no JSON. Nor do doors answer clients where nodes hear answers (bus/subjects.ts, `nodesInbox`), unless they
 * are of an earlier version. The client can also have nodes report to that inbox. Those reports are true, and made after this process
 * began, whose boot id is in the inbox.
 *
 * A subject of the nodes' own (`skv.`) would do no more yet. Of two processes of one name either may be of a version that knows
 * `kv.status` alone, so both would have to count until a layout level rules such versions out (docs/adr/0008-layout-levels.md), and there
 * is none so far.
 */

import { statusIn } from './statusReading.ts'
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
  const report = statusIn(message) as { cluster?: unknown; node?: { id?: unknown; bootId?: unknown } | null } | null
  if (report === null) return null
  const { cluster, node } = report
  if (typeof cluster !== 'string' || typeof node?.id !== 'string' || typeof node.bootId !== 'string') return null
  return { cluster, node: node.id, boot: node.bootId }
}
