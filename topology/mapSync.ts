/**
 * Learns newer cluster maps from peers: a beacon tells their epoch, the desk their bytes. One question at a time; who tells of a still
 * newer one meanwhile is asked next, without waiting for its next beacon.
 *
 * A node that this one's map does not name is asked, too: whoever was away while every node it knew left can hear of the newer map from
 * strangers alone. What nodes tell is a committed state of this very cluster or nothing (LiveMap.learn), so it is no matter which they
 * are. A node that told nothing new is not asked again for a while, so that others get their turn. A map that was learned and waits for
 * room is not fetched again.
 */

import { decodeState } from '../actors/topology/codec.ts'
import { presentNodes } from '../actors/topology/clusterState.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeId } from './ids.ts'
import type { TopologyDesk } from './topologyDesk.ts'

/** How long a node that told nothing new is passed over. */
const PASSED_OVER_MS = 3_000
/** So many nodes that the map does not name are passed over at a time; no further one is asked meanwhile, and members get their turn. */
const STRANGERS_MAX = 2

export interface MapSync {
  /** A peer says which map is in force there. */
  readonly heard: (from: NodeId, epoch: number) => void
}

export interface MapSyncOptions {
  readonly live: Pick<LiveMap, 'state' | 'learnedEpoch' | 'learn'>
  readonly desk: Pick<TopologyDesk, 'ask'>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Logger
  /** A newer version of ShardKV made the peer's map: this one can not be a part of the cluster any more. */
  readonly onNewer: (reason: string) => void
}

export const createMapSync = ({ live, desk, clock, log, onNewer }: MapSyncOptions): MapSync => {
  /** Asked without success so far, and when. At most the members and STRANGERS_MAX others. */
  const asked = new Map<NodeId, number>()
  let isAsking = false
  /** Of those heard while another was asked: who has the newest. */
  let next: { readonly from: NodeId; readonly epoch: number } | null = null
  const mayAsk = (node: NodeId): boolean => {
    const members = new Set(presentNodes(live.state()).map(({ id }) => id))
    for (const [known, at] of asked) if (clock.now() - at >= PASSED_OVER_MS) asked.delete(known)
    const strangers = [...asked.keys()].filter((known) => !members.has(known)).length
    return !asked.has(node) && (members.has(node) || strangers < STRANGERS_MAX)
  }
  const take = (from: NodeId, answer: unknown): void => {
    const bytes = stateIn(answer)
    if (bytes === undefined) return
    const state = decodeState(bytes)
    if ('isNewer' in state) onNewer(state.reason)
    else if ('reason' in state) log.warn({ from, reason: state.reason }, 'a cluster map could not be read')
    else {
      asked.delete(from)
      live.learn(state)
    }
  }
  const heard: MapSync['heard'] = (from, epoch) => {
    if (epoch <= live.learnedEpoch() || !mayAsk(from)) return
    if (isAsking) {
      if (next === null || epoch > next.epoch) next = { from, epoch }
      return
    }
    isAsking = true
    asked.set(from, clock.now())
    desk.ask(from, { kind: 'state', newerThan: live.learnedEpoch() }, (answer) => {
      isAsking = false
      take(from, answer)
      const told = next
      next = null
      if (told !== null) heard(told.from, told.epoch)
    })
  }
  return { heard }
}

const stateIn = (answer: unknown): Uint8Array | undefined => {
  const state = typeof answer === 'object' && answer !== null && 'state' in answer ? answer.state : undefined
  return state instanceof Uint8Array ? state : undefined
}
