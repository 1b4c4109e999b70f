/** What becomes of the cluster's map, as its committed states show it. */

import { activeNodes, movesOf, nodeIn } from '../../actors/topology/clusterState.ts'
import { nodeOf } from '../../topology/ids.ts'
import { defineSubject } from './mark.ts'
import type { ClusterNode, ClusterState } from '../../actors/topology/clusterState.ts'

export const maps = defineSubject('cluster map', [
  'a drain was undone',
  'a drain was undone while replicas moved away',
  'a drain left fewer nodes than replicas',
  'a node without replicas was removed',
  'shards were to have more replicas',
  'shards were to have fewer replicas',
  'shards were to have one replica each',
  'a node changed its weight',
  'a node changed its zone',
  'a node was behind the cluster map when all was healed',
], (hit) => {
  const onDrained = (state: ClusterState): void => {
    if (activeNodes(state).length < state.replicationFactor) hit('a drain left fewer nodes than replicas')
  }
  const onUndone = ({ id }: ClusterNode, before: ClusterState): void => {
    hit('a drain was undone')
    const isLeaving = movesOf(before).some(({ move }) => move.remove !== null && nodeOf(move.remove) === id)
    if (isLeaving) hit('a drain was undone while replicas moved away')
  }
  const onNode = (node: ClusterNode, state: ClusterState, before: ClusterState): void => {
    const was = nodeIn(before, node.id)
    if (was === undefined || was === node) return
    if (was.state === 'active' && node.state === 'draining') onDrained(state)
    if (was.state === 'draining' && node.state === 'active') onUndone(node, before)
    if (was.state === 'active' && node.state === 'left') hit('a node without replicas was removed')
    if (was.state === 'left') return
    if (was.weight !== node.weight) hit('a node changed its weight')
    if (was.zone !== node.zone) hit('a node changed its zone')
  }
  return {
    onMap: (state, before) => {
      for (const node of state.nodes) onNode(node, state, before)
      const [now, was] = [state.replicationFactor, before.replicationFactor]
      if (now > was) hit('shards were to have more replicas')
      if (now < was) hit('shards were to have fewer replicas')
      if (now === 1 && was > 1) hit('shards were to have one replica each')
    },
    onLine: ({ who, what }) => {
      if (who === 'sim' && what === 'map') hit('a node was behind the cluster map when all was healed')
    },
  }
})
