/**
 * The layout level of the cluster: when it may be raised, and what the raise makes of the state (topology/level.ts says what a level is).
 *
 * It is due when every node that has not left tells a range with the next level in it. What nodes tell is no more than hearsay, so it is
 * asked for twice: the leader wishes by what it hears now, and the command names whom it has heard, so that a node which was added
 * meanwhile (by an older epoch it could not be, but a person may order the raise) refuses it on every member alike. A node that is down
 * is not heard: nobody knows which build will come back in its place. A cluster that is paused keeps its level, and with it the way back
 * to the version before.
 *
 * What if a node goes back to the older build in the moment of the raise?
 *   1. n3 tells level 2, and the leader proposes the raise. 2. n3 stops and starts with the build that knows level 1 alone. 3. The raise
 *   commits on n1 and n2, which write level 2 from now on.
 * Nothing is lost, and nothing is misread: every message of the data path is in an envelope of level 2, which n3 refuses unopened; what
 * is on its disk is of level 1, since it never had the map of level 2; and that map is what stops it, with the reason, within a beacon
 * or two.
 */

import { includesLevel } from '../../topology/level.ts'
import { presentNodes } from './clusterState.ts'
import { namesText, refused } from './refusals.ts'
import type { Change } from './change.ts'
import type { ClusterState } from './clusterState.ts'
import type { CommandOf, NodeLevels, Refused, Wish } from './protocol.ts'

/** The raise that what was told allows, or null. */
export const raiseDue = (state: ClusterState, told: readonly NodeLevels[]): Wish | null => {
  const level = state.level + 1
  const knowing = new Set(told.filter(({ levels }) => includesLevel(levels, level)).map(({ node }) => node))
  const present = presentNodes(state).map(({ id }) => id)
  const knownBy = present.filter((id) => knowing.has(id))
  return state.isPaused || knownBy.length < present.length ? null : { kind: 'raiseLevel', level, knownBy }
}

export const raiseLevel = (state: ClusterState, { level, knownBy }: CommandOf<'raiseLevel'>): Change | Refused => {
  if (level !== state.level + 1) {
    return refused(state, 'invalid', `the layout level is ${state.level}: it is raised by one at a time, and never lowered`)
  }
  const present = presentNodes(state).map(({ id }) => id)
  const missing = present.filter((id) => !knownBy.includes(id))
  if (missing.length > 0) {
    return refused(state, 'levelUnknown', `${namesText(missing)} has not told that it knows layout level ${level}: upgrade it, or drain it`)
  }
  return { state: { level }, what: `layout level ${level}: all ${present.length} nodes know it` }
}
