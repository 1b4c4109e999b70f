/**
 * The nodes that a client of the batch door knows: those of the cluster's map, which it asks for at the start, and again when something
 * was not answered as hoped, as the SDK does (sdk/map.ts). What nobody has told it, it does not know: a node that joins is asked from the
 * moment the map names it, one that has left no longer.
 */

import { createMapFollower } from '../../sdk/map.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { Bus } from '../../bus/port.ts'
import type { RoutingMap } from '../../sdk/map.ts'
import type { NodeId } from '../../topology/ids.ts'

export interface MapNodes {
  /** Of the newest map; those of the beginning before there is one. Never empty where those were not. */
  readonly current: () => readonly NodeId[]
  /** Something went another way than the map said. */
  readonly refresh: () => void
  readonly close: () => void
}

export interface MapNodesInput {
  readonly bus: Bus
  readonly clock: Clock
  /** What a client is told when it is started. */
  readonly first: readonly NodeId[]
}

const TICK_MS = 100
/** How far apart two connections ask is all that is drawn from it. */
const SEED = 1

export const followNodes = ({ bus, clock, first }: MapNodesInput): MapNodes => {
  let nodes = first
  let isClosed = false
  const follower = createMapFollower({
    bus, clock, random: createRandom(SEED), prefix: 'kv',
    onMap: (map) => {
      const named = nodesIn(map)
      if (named.length > 0) nodes = named
    },
    // The next answer may be of another node: asked for again when something fails again.
    onProblem: () => {},
  })
  const tick = (): void => {
    if (isClosed) return
    follower.onTick(clock.now())
    clock.after(TICK_MS, tick)
  }
  follower.refresh()
  tick()
  return { current: () => nodes, refresh: follower.refresh, close: () => { isClosed = true } }
}

/** In an order that does not hang on which shard comes first. */
const nodesIn = ({ replicas }: RoutingMap): readonly NodeId[] => [...new Set(replicas.flat())].toSorted()
