/**
 * Whether this node is one of the cluster's, and what it does about it:
 *
 *   not in the map, told to join ──addNode──▶ active ──somebody drains it──▶ draining ──carries nothing──removeNode──▶ left: it stops
 *   not in the map, or left, and not told to join: it refuses to start
 *
 * A joining node asks until the map names it: a crash between any two steps leaves nothing half done, since the next start asks again. It
 * serves nobody before.
 *
 * A node that was removed while it was away starts as a member, by the map in its directory, and hears later that it has left. One that was
 * told to join is to be added again then, and not to stop. What tells this from a node that leaves while it runs: nobody has told it
 * since its start that it was a member. So it asks the meta group's leader once, and leaves only by what came after the answer.
 *
 * Where the file of the map was lost, the genesis stands in for it, and does not name whoever joined later: that says nothing. Such a
 * node, if it was not told to join, asks the leader, too, and goes by what came after the answer. If it was told, it asks to be added, and
 * that it can not be since it is a member, perhaps with another weight by now, or draining, is an answer as well.
 *
 * While the cluster is at the first level it says nothing of the layouts that its build knows: members of before there were levels could
 * not read that in the log, and would judge every later entry differently. Above the first level there are no such members.
 */

import { HAS_LEFT } from '../actors/node/protocol.ts'
import { nodeIn } from '../actors/topology/clusterState.ts'
import { FIRST_LEVEL } from './level.ts'
import type { ClusterState, NodeState } from '../actors/topology/clusterState.ts'
import type { MetaCommand, Outcome } from '../actors/topology/protocol.ts'
import type { LiveMap } from './liveMap.ts'
import type { MetaReads } from './metaReads.ts'
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
  readonly live: Pick<LiveMap, 'state' | 'isFromFile'>
  readonly proposals: Pick<Proposals, 'propose'>
  readonly reads: Pick<MetaReads, 'overview'>
  readonly join: JoinWish | null
  /** By a directory of its own, and not when the cluster was created. */
  readonly hasJoined: boolean
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
  const { self, boot, levels, live, proposals, reads, join, hasJoined, wall } = options
  let isLevelAsked = false
  let isMember = false
  let isOver = false
  let isAsking = false
  let askedAt = Number.NEGATIVE_INFINITY
  let epochHint = 0
  /** An epoch at which it was a member, as it has been told since it started; null: it has its map's word alone. */
  let presentAt: number | null = null

  const leveled = (): { readonly levels?: LevelRange } => {
    isLevelAsked ||= live.state().level > FIRST_LEVEL
    return isLevelAsked && levels.max > FIRST_LEVEL ? { levels } : {}
  }
  const finish = (tell: () => void): void => {
    isOver = true
    tell()
  }
  const noteOutcome = (kind: MetaCommand['kind'], outcome: Outcome | null): void => {
    isAsking = false
    if (outcome === null || isOver) return
    epochHint = Math.max(epochHint, outcome.epoch)
    if (kind === 'addNode' && isPresent(outcome)) {
      presentAt = outcome.epoch
      return
    }
    if (outcome.kind === 'refused' && outcome.reason === 'levelUnknown' && !isLevelAsked && levels.max > FIRST_LEVEL) {
      // The level has risen, and this node's map has not heard yet.
      isLevelAsked = true
      return
    }
    if (outcome.kind !== 'refused' || outcome.reason === 'staleEpoch' || outcome.reason === 'nodeCarriesReplicas') return
    finish(() => options.onRefused(outcome.message))
  }
  const mayAsk = (now: number): boolean => {
    if (isAsking || now - askedAt < ASK_EVERY_MS) return false
    isAsking = true
    askedAt = now
    return true
  }
  const stateIn = (state: ClusterState): NodeState => nodeIn(state, self)?.state ?? 'left'
  /** It joined once, and the file of the map is lost, or was never written. Directories of before `hasJoined` do not say so. */
  const isMapLost = !live.isFromFile() && (hasJoined || stateIn(live.state()) === 'left')
  const mustHear = join !== null || isMapLost
  const isSure = (): boolean => !mustHear || presentAt !== null
  /** It is no member by the map in force, and that is no news of before its start. */
  const hasLeft = (epoch: number): boolean => (mustHear ? presentAt !== null && epoch > presentAt : isMember)
  /**
   * To leave is wished for by what the own map says, so it is asked at that map's epoch alone: whoever has activated the node meanwhile
   * has made a newer one, and the wish stale. To be added is right at any epoch, so a refusal's may be taken.
   */
  const epochFor = (kind: MetaCommand['kind']): number => {
    const { epoch } = live.state()
    return kind === 'addNode' ? Math.max(epoch, epochHint) : epoch
  }
  const ask = (now: number, wish: Pick<MetaCommand, 'kind'> & Partial<JoinWish & { readonly levels: LevelRange }>): void => {
    if (!mayAsk(now)) return
    const command = { expectedEpoch: epochFor(wish.kind), at: wall(), by: self, request: `${wish.kind}-${boot}`, node: self, ...wish }
    proposals.propose(command as MetaCommand, (outcome) => noteOutcome(wish.kind, outcome))
  }
  const askWhetherPresent = (now: number): void => {
    if (!mayAsk(now)) return
    reads.overview((overview) => {
      isAsking = false
      if (overview === undefined || isOver) return
      if (stateIn(overview.state) !== 'left') presentAt = overview.state.epoch
      else if (join === null) refuse()
    })
  }
  const refuse = (): void => finish(() => options.onRefused(`${self} ${HAS_LEFT}: start it with --join to add it again`))

  return {
    onTick: (now) => {
      if (isOver) return
      const state = stateIn(live.state())
      if (state !== 'left' && !isMember) {
        isMember = true
        options.onMember()
      }
      if (state !== 'left' && !isSure()) askWhetherPresent(now)
      if (state === 'draining' && isSure() && options.carriesNothing()) ask(now, { kind: 'removeNode' })
      if (state !== 'left') return
      if (hasLeft(live.state().epoch)) finish(options.onLeft)
      else if (!mustHear) refuse()
      else if (!isSure() && join === null) askWhetherPresent(now)
      else if (!isSure()) ask(now, { kind: 'addNode', ...join, ...leveled() })
    },
  }
}

/** The answer to a wish to be added: it is, or it was. */
const isPresent = (outcome: Outcome): boolean =>
  outcome.kind !== 'refused' || outcome.reason === 'nodeExists' || outcome.reason === 'nodeDraining'
