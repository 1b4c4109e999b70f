/**
 * Whether an older process that was heard under this node's name is alive: then this one has to stop (docs/TESTING.md T14).
 *
 * That it was heard proves nothing. Test: "what an earlier life of its node said late stops nobody":
 *   1. n1 says its beacons through broker A, whose route to broker B stalls. The process ends, and starts again on broker B.
 *   2. The route goes on, and brings n1 what n1 said before: an older process of its name, as if there were two.
 *   3. If n1 took that for a twin it would end as one that is not to be started again, and nobody would run.
 * Rule: n1 asks everybody, and stops when that very process answers. One that is over can not. One that is alive and silent goes on
 * saying its beacons, and each is asked about.
 */

import { STATUS_OP, spanningSubject } from '../bus/subjects.ts'
import { askForClaim } from './nameClaims.ts'
import type { Identity } from './identityCheck.ts'
import type { ClaimsQuestion, NameClaim } from './nameClaims.ts'
import type { BootId } from './ids.ts'

export interface TwinCheck {
  /**
   * An older process with this name was heard, and answers on `prefix` if it says so: not on this one's, where it was started with
   * another. One question at a time: what is heard during one is not asked about.
   */
  readonly suspect: (boot: BootId, prefix?: string) => void
  readonly stop: () => void
}

export interface TwinCheckOptions extends Omit<ClaimsQuestion, 'inbox'> {
  readonly identity: Identity
  readonly inboxPrefix: string
  /** It is alive. */
  readonly onTwin: () => void
}

export const createTwinCheck = (options: TwinCheckOptions): TwinCheck => {
  const { identity: { cluster, node, boot: own }, inboxPrefix, onTwin } = options
  let questions = 0
  let isAsking = false
  let isStopped = false
  return {
    suspect: (boot, prefix) => {
      if (isAsking || isStopped) return
      isAsking = true
      questions += 1
      const inbox = `${inboxPrefix}${own}.twin.${questions}`
      const statusSubject = prefix === undefined ? options.statusSubject : spanningSubject(prefix, STATUS_OP)
      const isTwin = (claim: NameClaim): boolean => claim.cluster === cluster && claim.node === node && claim.boot === boot
      askForClaim({ ...options, statusSubject, inbox }, isTwin, (claim) => {
        isAsking = false
        if (claim !== null && !isStopped) onTwin()
      })
    },
    stop: () => {
      isStopped = true
    },
  }
}
