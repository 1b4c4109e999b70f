/** Holds nodes against the newest cluster map once all is healed (invariants/newestMapEverywhere.ts). */

import { behindTheMap } from './invariants/newestMapEverywhere.ts'
import { newestState } from './mapFaults.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Machine } from './cluster.ts'
import type { MapHolder } from './invariants/newestMapEverywhere.ts'
import type { Simulation } from './simulation.ts'

/**
 * Of all that were committed, where everybody lives. Where machines were ended for good, those may have been the only ones to know
 * the last: then the newest that is in force somewhere.
 */
const newestOf = ({ watch, cluster }: Simulation, keep: readonly Machine[]): ClusterState =>
  (keep.length === cluster.machines.length ? watch.newestMap() : newestState(cluster) ?? watch.newestMap())

const holdersIn = (machines: readonly Machine[]): MapHolder[] => machines.flatMap(({ id, node }) =>
  (node === null ? [] : [{ node: id, epoch: node.parts()?.live.state().epoch ?? null }]))

/** Tells of nodes that run, and hold an older map than others when healing begins. */
export const traceLateMaps = (simulation: Simulation): void => {
  const { epoch, nodes } = simulation.watch.newestMap()
  const holders = holdersIn(simulation.cluster.machines).filter((holder) => holder.epoch !== null)
  const late = behindTheMap(epoch, { nodes }, holders)
  if (late !== null) simulation.trace.line('sim', 'map', late)
}

/** What is to be asked until it is null: whoever lacks the map that is the newest now. Newer ones may come meanwhile. */
export const lateMaps = (simulation: Simulation, keep: readonly Machine[]): (() => string | null) => {
  const { epoch } = newestOf(simulation, keep)
  return () => behindTheMap(epoch, newestOf(simulation, keep), holdersIn(keep))
}
