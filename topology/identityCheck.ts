/**
 * Asked once before a node opens its log: does somebody already answer to this name, and does another cluster answer on this prefix?
 *
 * Every serving node answers `kv.status`. A report with another cluster id means that two clusters would share one prefix, and one of
 * them would answer the other's clients. A report with this node's name means that a twin is alive: two processes with one name would
 * both acknowledge under it (docs/TESTING.md T14). Either refuses the start. Silence is consent: a twin that is paused or cut off is
 * caught later (topology/twinCheck.ts).
 */

import { askForClaim } from './nameClaims.ts'
import type { ClaimsQuestion, NameClaim } from './nameClaims.ts'
import type { BootId, ClusterId, NodeId } from './ids.ts'

export interface Identity {
  readonly cluster: ClusterId
  readonly node: NodeId
  readonly boot: BootId
}

export interface IdentityCheck extends ClaimsQuestion {
  readonly identity: Identity
}

/** Calls `done` once: null when the name is free, otherwise why the node must not start. */
export const checkIdentity = (check: IdentityCheck, done: (refusal: string | null) => void): void => {
  const refusalOf = (claim: NameClaim): string | null => refusalIn(claim, check.identity)
  askForClaim(check, (claim) => refusalOf(claim) !== null, (claim) => done(claim === null ? null : refusalOf(claim)))
}

const refusalIn = (claim: NameClaim, self: Identity): string | null => {
  if (claim.cluster !== self.cluster) {
    return `another cluster (${claim.cluster}) answers on this prefix; use another --prefix or another broker`
  }
  if (claim.node === self.node && claim.boot !== self.boot) {
    return `another process (boot ${claim.boot}) already answers as ${self.node}; stop it first, or use its own data directory`
  }
  return null
}
