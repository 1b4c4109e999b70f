/**
 * Whether this node is one of the cluster's, and what it does about it:
 *
 *   not in the map, told to join ──addNode──▶ active ──somebody drains it──▶ draining ──carries nothing──removeNode──▶ left: it stops
 *   not in the map, or left, and not told to join: it refuses to start
 *
 * A joining node asks until the map names it: a crash between any two steps leaves nothing half done, since the next start asks again. It
 * serves nobody before.
 */

import { nodeIn } from '../actors/topology/clusterState.ts'
import type { MetaCommand, Outcome } from '../actors/topology/protocol.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeId } from './ids.ts'
import type { Proposals } from './proposals.ts'

/** Between two attempts to be added, or removed. */
const ASK_EVERY_MS = 1_000

export { WEIGHT_MAX, WEIGHT_MIN } from '../actors/topology/clusterState.ts'

/** What a node that joins brings. */
export interface JoinWish {
  /** Relative capacity (actors/topology/clusterState.ts, WEIGHT_MIN to WEIGHT_MAX). */
  readonly weight: number
  /** What fails together with it; '' for none. */
  readonly zone: string
}

export interface OwnMembershipOptions {
  readonly self: NodeId
  /** Tells one process' proposals from another's. */
  readonly boot: string
  readonly live: Pick<LiveMap, 'state'>
  readonly proposals: Pick<Proposals, 'propose'>
  readonly join: JoinWish | null
  readonly wall: () => number
  /** No replica is hosted here any more, and none is on its way out. */
  readonly carriesNothing: () => boolean
  /** The map names this node: it may serve. Told once. */
  readonly onMember: () => void
  /** The node has left the cluster after it had been drained. Told once. */
  readonly onLeft: () => void
  /** It can not be a member like this. Told once. */
  readonly onRefused: (reason: string) => void
}

export interface OwnMembership {
  readonly onTick: (now: number) => void
}

export const createOwnMembership = (options: OwnMembershipOptions): OwnMembership => {
  const { self, boot, live, proposals, join, wall } = options
  let isMember = false
  let isOver = false
  let isAsking = false
  let askedAt = Number.NEGATIVE_INFINITY
  let epochHint = 0

  const finish = (tell: () => void): void => {
    isOver = true
    tell()
  }
  const noteOutcome = (outcome: Outcome | null): void => {
    isAsking = false
    if (outcome === null || isOver) return
    epochHint = Math.max(epochHint, outcome.epoch)
    if (outcome.kind !== 'refused' || outcome.reason === 'staleEpoch' || outcome.reason === 'nodeCarriesReplicas') return
    finish(() => options.onRefused(outcome.message))
  }
  const ask = (now: number, wish: Pick<MetaCommand, 'kind'> & Partial<JoinWish>): void => {
    if (isAsking || now - askedAt < ASK_EVERY_MS) return
    isAsking = true
    askedAt = now
    const expectedEpoch = Math.max(live.state().epoch, epochHint)
    const command = { expectedEpoch, at: wall(), by: self, request: `${wish.kind}-${boot}`, node: self, ...wish }
    proposals.propose(command as MetaCommand, noteOutcome)
  }

  return {
    onTick: (now) => {
      if (isOver) return
      const state = nodeIn(live.state(), self)?.state ?? 'left'
      if (state !== 'left' && !isMember) {
        isMember = true
        options.onMember()
      }
      if (state === 'draining' && options.carriesNothing()) ask(now, { kind: 'removeNode' })
      if (state !== 'left') return
      if (isMember) finish(options.onLeft)
      else if (join !== null) ask(now, { kind: 'addNode', ...join })
      else finish(() => options.onRefused(`${self} is no member of this cluster any more: start it with --join to add it again`))
    },
  }
}
