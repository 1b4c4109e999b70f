/**
 * Asked once before a node opens its log: does somebody already answer to this name, and does another cluster answer on this prefix?
 *
 * Every serving node answers `kv.status`. A report with another cluster id means that two clusters would share one prefix, and one of
 * them would answer the other's clients. A report with this node's name means that a twin is alive: two processes with one name would
 * both acknowledge under it (docs/TESTING.md T14). Either refuses the start. Silence is consent: a twin that is paused or cut off is
 * caught later by the beacon (topology/beacon.ts).
 */

import type { Bus, Inbound } from '../bus/port.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { BootId, ClusterId, NodeId } from './ids.ts'

const ANSWERS_WITHIN_MS = 400

export interface Identity {
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly boot: BootId
}

export interface IdentityCheck {
  readonly bus: Bus
  readonly clock: Clock
  readonly identity: Identity
  readonly statusSubject: string
  readonly inbox: string
}

/** Calls `done` once: null when the name is free, otherwise why the node must not start. */
export const checkIdentity = (check: IdentityCheck, done: (refusal: string | null) => void): void => {
  let isDone = false
  const finish = (refusal: string | null): void => {
    if (isDone) return
    isDone = true
    subscription.unsubscribe()
    done(refusal)
  }
  const subscription = check.bus.subscribe(check.inbox, (message) => {
    const refusal = refusalIn(message, check.identity)
    if (refusal !== null) finish(refusal)
  })
  check.bus.publish(check.statusSubject, new Uint8Array(0), { reply: check.inbox })
  check.clock.after(ANSWERS_WITHIN_MS, () => finish(null))
}

const refusalIn = (message: Inbound, self: Identity): string | null => {
  const claim = claimOf(message)
  if (claim === null) return null
  if (claim.cluster !== self.cluster) {
    return `another cluster (${claim.cluster}) answers on this prefix; use another --prefix or another broker`
  }
  if (claim.node === self.node && claim.boot !== self.boot) {
    return `another process (boot ${claim.boot}) already answers as ${self.node}; stop it first, or use its own data directory`
  }
  return null
}

const claimOf = (message: Inbound): { cluster: string; node: string; boot: string } | null => {
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
