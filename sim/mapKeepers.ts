/**
 * Which files of maps may be lost, and which disks beside them. A map that is lost loses nothing (storage/mapFile.ts) as long as
 * somebody is left who can tell. A node opens a replica that its map names, or the genesis; so of the meta group a majority must be
 * named by the genesis, or by the map of a node that keeps its own. It elects, and its nodes tell the rest. Of shards nobody has to be
 * left: what their nodes hold is in their logs.
 */

import { hostedOn } from '../actors/topology/clusterState.ts'
import { META_GROUP, generationOf, nodeOf } from '../topology/ids.ts'
import { GENERATION_OF_GENESIS } from '../topology/knownReplicas.ts'
import { isHarmed, votersOf } from './atlas.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { ReplicaId } from '../topology/ids.ts'
import type { Machine } from './cluster.ts'

/** In force, or what its disk had of it when it ended. */
const mapOf = ({ node, mapLeft }: Machine): ClusterState | null => node?.parts()?.live.state() ?? mapLeft

/** Whether the cluster finds itself again when these lose their maps at once, beside those that have none now. */
export const mayLoseMaps = (machines: readonly Machine[], newest: ClusterState, struck: readonly Machine[]): boolean => {
  const keepers = machines.filter((machine) => machine.isInUse && !machine.isLost && !struck.includes(machine))
  const maps = keepers.map(mapOf).filter((map) => map !== null)
  const isNamed = (replica: ReplicaId): boolean => generationOf(replica) === GENERATION_OF_GENESIS
    || maps.some((map) => hostedOn(map, nodeOf(replica)).some((hosted) => hosted.group === 'meta' && hosted.replica === replica))
  const isThere = (replica: ReplicaId): boolean =>
    machines.some((one) => one.id === nodeOf(replica) && !one.isLost && !isHarmed(one, META_GROUP, replica))
  return votersOf(newest, 'meta').every((voters) =>
    voters.filter((voter) => isNamed(voter) && isThere(voter)).length > voters.length / 2)
}

/** Whether it does without this one's disk, beside the maps that nobody has now. */
export const findsItself = (machines: readonly Machine[], newest: ClusterState, lost: Machine): boolean =>
  mayLoseMaps(machines.filter((machine) => machine !== lost), newest, [])
