/**
 * Once all is healed, every node that runs and is in the cluster holds the newest map: none is left behind for good, whether or not it has
 * a replica of the meta group. Looked at again and again until a deadline (mapLiveness.ts), since a map travels.
 */

import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { Problem } from '../view.ts'

export const NEWEST_MAP = 'every node holds the newest cluster map'

/** A node that runs. */
export interface MapHolder {
  readonly node: string
  /** Null while it opens its log. */
  readonly epoch: number | null
}

/** `due` must be held; `newest` says who is still in the cluster. */
export const behindTheMap = (due: number, newest: Pick<ClusterState, 'nodes'>, holders: readonly MapHolder[]): Problem => {
  const present = newest.nodes.filter(({ state }) => state !== 'left')
  const late = holders.find(({ node, epoch }) => present.some(({ id }) => id === node) && (epoch ?? 0) < due)
  return late === undefined ? null : `${late.node} has ${late.epoch === null ? 'no map' : `the map of epoch ${late.epoch}`}, not of ${due}`
}
