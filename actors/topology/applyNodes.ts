/** Commands about nodes and settings: what each changes, or why not. Pure; `apply.ts` adds the epoch and the history. */

import { isNodeId, isZone } from '../../topology/ids.ts'
import { firstLevelOnly, levelProblem } from '../../topology/level.ts'
import {
  NODES_MAX, REPLICATION_FACTORS, WEIGHT_MAX, WEIGHT_MIN, activeNodes, hostedOn, nodeIn,
} from './clusterState.ts'
import { groupText, isRefused, namesText, presentNode, refused } from './refusals.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { LevelRange } from '../../topology/level.ts'
import type { ClusterNode, ClusterState } from './clusterState.ts'
import type { Change } from './change.ts'
import type { CommandOf, Refused } from './protocol.ts'

/** Null: it is so already. */
type Verdict = Change | Refused | null

export const addNode = (state: ClusterState, { node: id, weight, zone, levels }: CommandOf<'addNode'>): Verdict => {
  if (!isNodeId(id)) return refused(state, 'invalid', 'a node id is 1-32 of a-z, 0-9 and -, starting with a letter')
  const unfit = refuseWeight(state, weight) ?? refuseZone(state, zone) ?? refuseLevels(state, levels ?? firstLevelOnly)
  if (unfit !== null) return unfit
  const known = nodeIn(state, id)
  if (known !== undefined && known.state !== 'left') return refuseKnown(state, known, { weight, zone })
  if (known === undefined && state.nodes.length >= NODES_MAX) {
    return refused(state, 'tooManyNodes', `a cluster remembers at most ${NODES_MAX} nodes: use the name of one that has left`)
  }
  const others = state.nodes.filter((node) => node.id !== id)
  const nodes = [...others, { id, weight, zone, state: 'active' as const }].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { state: { nodes }, what: `node ${id} joins with weight ${weight}${zone === '' ? '' : ` in zone ${zone}`}` }
}

const refuseKnown = (state: ClusterState, known: ClusterNode, wanted: Pick<ClusterNode, 'weight' | 'zone'>): Refused | null => {
  if (known.state === 'draining') return refused(state, 'nodeDraining', `node ${known.id} is draining: activate it to end that`)
  if (known.weight === wanted.weight && known.zone === wanted.zone) return null
  return refused(state, 'nodeExists', `node ${known.id} is a member already: set its weight or its zone`)
}

const refuseWeight = (state: ClusterState, weight: number): Refused | null => {
  if (weight >= WEIGHT_MIN && weight <= WEIGHT_MAX) return null
  return refused(state, 'weightOutOfRange', `a weight is ${WEIGHT_MIN} to ${WEIGHT_MAX}; drain a node that is to carry nothing`)
}

const refuseZone = (state: ClusterState, zone: string): Refused | null => {
  if (isZone(zone)) return null
  return refused(state, 'zoneInvalid', 'a zone is 1-32 of a-z, 0-9 and -, starting with a letter or digit, or empty for none')
}

const refuseLevels = (state: ClusterState, levels: LevelRange): Refused | null => {
  const problem = levelProblem(levels, state.level)
  return problem === null ? null : refused(state, 'levelUnknown', problem)
}

export const drainNode = (state: ClusterState, { node: id, isForced }: CommandOf<'drainNode'>): Verdict => {
  const node = presentNode(state, id)
  if (isRefused(node)) return node
  if (node.state === 'draining') return null
  const left = activeNodes(state).length - 1
  if (left === 0) return refused(state, 'lastNode', `node ${id} is the last active one: add another first`)
  const copies = Math.min(state.replicationFactor, left + 1)
  if (left < copies && !isForced) {
    return refused(state, 'tooFewNodes', `${copies} replicas of every shard need ${copies} active nodes and ${left} would be left: `
      + `add a node first, or lower the replication factor, or force it, which leaves ${left} of ${copies} replicas`)
  }
  return { state: withNode(state, id, { state: 'draining' }), what: `node ${id} drains${isForced ? ', by force' : ''}` }
}

export const activateNode = (state: ClusterState, { node: id }: CommandOf<'activateNode'>): Verdict => {
  const node = presentNode(state, id)
  if (isRefused(node)) return node
  return node.state === 'active' ? null : { state: withNode(state, id, { state: 'active' }), what: `node ${id} drains no more` }
}

export const removeNode = (state: ClusterState, { node: id }: CommandOf<'removeNode'>): Verdict => {
  if (nodeIn(state, id)?.state === 'left') return null
  const node = presentNode(state, id)
  if (isRefused(node)) return node
  const carried = hostedOn(state, id).map(({ group }) => groupText(group))
  if (carried.length > 0) {
    return refused(state, 'nodeCarriesReplicas', `node ${id} carries replicas (${namesText(carried)}): drain it first`)
  }
  if (node.state === 'active' && activeNodes(state).length === 1) {
    return refused(state, 'lastNode', `node ${id} is the last active one: add another first`)
  }
  return { state: withNode(state, id, { state: 'left' }), what: `node ${id} leaves` }
}

export const setWeight = (state: ClusterState, { node: id, weight }: CommandOf<'setWeight'>): Verdict => {
  const node = presentNode(state, id)
  if (isRefused(node)) return node
  const unfit = refuseWeight(state, weight)
  if (unfit !== null) return unfit
  return node.weight === weight ? null : { state: withNode(state, id, { weight }), what: `node ${id} has weight ${weight}` }
}

export const setZone = (state: ClusterState, { node: id, zone }: CommandOf<'setZone'>): Verdict => {
  const node = presentNode(state, id)
  if (isRefused(node)) return node
  const unfit = refuseZone(state, zone)
  if (unfit !== null) return unfit
  if (node.zone === zone) return null
  return { state: withNode(state, id, { zone }), what: `node ${id} is in ${zone === '' ? 'no zone' : `zone ${zone}`}` }
}

export const setReplicationFactor = (state: ClusterState, { replicationFactor }: CommandOf<'setReplicationFactor'>): Verdict => {
  if (!REPLICATION_FACTORS.includes(replicationFactor)) {
    const possible = REPLICATION_FACTORS.join(', ')
    return refused(state, 'replicationFactorInvalid', `a shard has ${possible} replicas: an even number survives no more failures`)
  }
  const active = activeNodes(state).length
  if (replicationFactor > active) {
    const missing = replicationFactor - active
    return refused(state, 'tooFewNodes', `${replicationFactor} replicas need as many active nodes, and there are ${active}: add ${missing}`)
  }
  if (replicationFactor === state.replicationFactor) return null
  return { state: { replicationFactor }, what: `every shard is to have ${replicationFactor} replicas` }
}

export const setBalance = (state: ClusterState, { isOn }: CommandOf<'setBalance'>): Verdict => {
  if (state.isBalanced === isOn) return null
  return { state: { isBalanced: isOn }, what: isOn ? 'leaders and replicas are balanced by load' : 'load moves nothing any more' }
}

export const setPaused = (state: ClusterState, isPaused: boolean): Verdict => {
  if (state.isPaused === isPaused) return null
  return { state: { isPaused }, what: isPaused ? 'no move begins by itself any more' : 'moves begin by themselves again' }
}

const withNode = (state: ClusterState, id: NodeId, changed: Partial<ClusterNode>): Partial<ClusterState> =>
  ({ nodes: state.nodes.map((node) => (node.id === id ? { ...node, ...changed } : node)) })
