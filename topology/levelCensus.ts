/**
 * Which layout levels the nodes tell that they know, for the meta group's leader: of the nodes whose beacons have come without a break
 * for a while, from one and the same process, and say that it serves. A node that restarts is heard anew, whatever it told before: it
 * may have come back as an older build.
 */

import type { NodeLevels } from '../actors/topology/protocol.ts'
import type { Beacon } from './beacon.ts'
import type { NodeId } from './ids.ts'
import type { LevelRange } from './level.ts'

export interface LevelCensusOptions {
  readonly self: NodeId
  readonly own: LevelRange
  readonly beacon: Pick<Beacon, 'levelsOf'>
}

export interface LevelCensus {
  /** What these nodes tell, when it is something else than at the last review; null when not. */
  readonly review: (nodes: readonly NodeId[], now: number) => readonly NodeLevels[] | null
}

export const createLevelCensus = ({ self, own, beacon }: LevelCensusOptions): LevelCensus => {
  let known = ''
  return {
    review: (nodes, now) => {
      const told = nodes.flatMap((node) => {
        const levels = node === self ? own : beacon.levelsOf(node, now)
        return levels === undefined ? [] : [{ node, levels }]
      })
      const text = told.map(({ node, levels }) => `${node}:${levels.min}-${levels.max}`).join()
      if (text === known) return null
      known = text
      return told
    },
  }
}
