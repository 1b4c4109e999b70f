/**
 * Whether this node is one of the cluster's, and what it does about it:
 *
 *   not in the map, told to join ──addNode──▶ active ──somebody drains it──▶ draining ──carries nothing──removeNode──▶ left: it stops
 *   not in the map, or left, and not told to join: it refuses to start
 *
 * A joining node asks until the map names it: a crash between any two steps leaves nothing half done, since the next start asks again. It
 * serves nobody before.
 *
 * While the cluster is at the first level it says nothing of the layouts that its build knows: members of before there were levels could
 * not read that in the log, and would judge every later entry differently. Above the first level there are no such members.
 */

import { nodeIn } from '../actors/topology/clusterState.ts'
import { FIRST_LEVEL } from './level.ts'
import type { MetaCommand, Outcome } from '../actors/topology/protocol.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeId } from './ids.ts'
import type { LevelRange } from './level.ts'
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
  /** The layouts that this build knows. */
  readonly levels: LevelRange
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
  const { self, boot, levels, live, proposals, join, wall } = options
  let isLevelAsked = false
  let isMember = false
  let isOver = false
  let isAsking = false
  let askedAt = Number.NEGATIVE_INFINITY
  let epochHint = 0

  const leveled = (): { readonly levels?: LevelRange } => {
    isLevelAsked ||= live.state().level > FIRST_LEVEL
    return isLevelAsked && levels.max > FIRST_LEVEL ? { levels } : {}
  }
  const finish = (tell: () => void): void => {
    isOver = true
    tell()
  }
  const noteOutcome = (outcome: Outcome | null): void => {
    isAsking = false
    if (outcome === null || isOver) return
    epochHint = Math.max(epochHint, outcome.epoch)
    if (outcome.kind === 'refused' && outcome.reason === 'levelUnknown' && !isLevelAsked && levels.max > FIRST_LEVEL) {
      // The level has risen, and this node's map has not heard yet.
      isLevelAsked = true
      return
    }
    if (outcome.kind !== 'refused' || outcome.reason === 'staleEpoch' || outcome.reason === 'nodeCarriesReplicas') return
    finish(() => options.onRefused(outcome.message))
  }
  /**
   * To leave is wished for by what the own map says, so it is asked at that map's epoch alone: whoever has activated the node meanwhile
   * has made a newer one, and the wish stale. To be added is right at any epoch, so a refusal's may be taken.
   */
  const epochFor = (kind: MetaCommand['kind']): number => {
    const { epoch } = live.state()
    return kind === 'addNode' ? Math.max(epoch, epochHint) : epoch
  }
  const ask = (now: number, wish: Pick<MetaCommand, 'kind'> & Partial<JoinWish & { readonly levels: LevelRange }>): void => {
    if (isAsking || now - askedAt < ASK_EVERY_MS) return
    isAsking = true
    askedAt = now
    const command = { expectedEpoch: epochFor(wish.kind), at: wall(), by: self, request: `${wish.kind}-${boot}`, node: self, ...wish }
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
      else if (join !== null) ask(now, { kind: 'addNode', ...join, ...leveled() })
      else finish(() => options.onRefused(`${self} is no member of this cluster any more: start it with --join to add it again`))
    },
  }
}
