/** Learns newer cluster maps from peers: a beacon tells their epoch, the desk their bytes. One question at a time. */

import { decodeState } from '../actors/topology/codec.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeId } from './ids.ts'
import type { TopologyDesk } from './topologyDesk.ts'

export interface MapSync {
  /** A peer says which map is in force there. */
  readonly heard: (from: NodeId, epoch: number) => void
}

export interface MapSyncOptions {
  readonly live: LiveMap
  readonly desk: Pick<TopologyDesk, 'ask'>
  readonly log: Logger
  /** A newer version of ShardKV made the peer's map: this one can not be a part of the cluster any more. */
  readonly onNewer: (reason: string) => void
}

export const createMapSync = ({ live, desk, log, onNewer }: MapSyncOptions): MapSync => {
  let isAsking = false
  return {
    heard: (from, epoch) => {
      if (isAsking || epoch <= live.state().epoch) return
      isAsking = true
      desk.ask(from, { kind: 'state', newerThan: live.state().epoch }, (answer) => {
        isAsking = false
        const bytes = stateIn(answer)
        if (bytes === undefined) return
        const state = decodeState(bytes)
        if ('isNewer' in state) onNewer(state.reason)
        else if ('reason' in state) log.warn({ from, reason: state.reason }, 'a cluster map could not be read')
        else live.learn(state)
      })
    },
  }
}

const stateIn = (answer: unknown): Uint8Array | undefined => {
  const state = typeof answer === 'object' && answer !== null && 'state' in answer ? answer.state : undefined
  return state instanceof Uint8Array ? state : undefined
}
