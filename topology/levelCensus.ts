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
  let known: readonly NodeLevels[] = []
  return {
    review: (nodes, now) => {
      const told: NodeLevels[] = []
      for (const node of nodes) {
        const levels = node === self ? own : beacon.levelsOf(node, now)
        if (levels !== undefined) told.push({ node, levels })
      }
      if (isSame(told, known)) return null
      known = told
      return told
    },
  }
}

const isSame = (a: readonly NodeLevels[], b: readonly NodeLevels[]): boolean =>
  a.length === b.length && a.every(({ node, levels: { min, max } }, i) => {
    const other = b[i]
    return node === other?.node && min === other.levels.min && max === other.levels.max
  })
