/**
 * Commands about replicas: beginning a move, its steps, and the order of preference.
 *
 * What is checked here protects data whatever a planner or a person asks for: distinct nodes, one move of a group at a time, no group
 * below its quorum. A group of one never swaps its replica in one move: its leader would have nobody to hand over to, so it
 * becomes two first, then one.
 */

import { nodeOf, replicaId } from '../../topology/ids.ts'
import { activeNodes, movesOf, placementOf, replicasAfter, replicasWanted } from './clusterState.ts'
import { groupText, isRefused, namesText, nodesWithout, presentNode, refused } from './refusals.ts'

import type { Change } from './change.ts'
import type { ClusterState, GroupKey, Move, MoveOfGroup, MoveStep, Placement } from './clusterState.ts'
import type { CommandOf, Preference, Refused } from './protocol.ts'

/** Below it, a replica is not replaced on its own node: it would be missed from the first step on. */
const SAME_NODE_REPLICAS_MIN = 3

export const beginMove = (state: ClusterState, command: CommandOf<'beginMove'>): Change | Refused => {
  const { group, remove, isPlanned } = command
  if (isPlanned && state.isPaused) return refused(state, 'paused', 'the cluster is paused: resume it first')
  if (!isPlanned && !state.isPaused) {
    return refused(state, 'notPaused', 'the planner would move it back: pause the cluster first, and resume it afterwards')
  }
  const placement = placementOf(state, group)
  if (placement === undefined) return refused(state, 'unknownGroup', `there are shards 0 to ${state.shardCount - 1}, and the meta group`)
  if (placement.move !== null) {
    return refused(state, 'moveInProgress', `move ${placement.move.id} of ${groupText(group)} is under way: wait for it, or cancel it`)
  }
  const unfit = refuseRemoval(state, command, placement) ?? refuseAddition(state, command, placement)
  if (unfit !== null) return unfit
  const add = command.add === null ? null : replicaId(command.add, state.nextGeneration)
  const move: Move = { id: state.nextMove, add, remove, step: add === null ? 'promoting' : 'adding', orderedAt: state.epoch + 1 }
  return {
    state: {
      ...withPlacement(state, group, { ...placement, move }),
      nextMove: state.nextMove + 1,
      nextGeneration: state.nextGeneration + (add === null ? 0 : 1),
    },
    what: `move ${move.id} begins: ${moveText(group, move)}`,
    move: move.id,
  }
}

const moveText = (group: GroupKey, { add, remove }: Pick<Move, 'add' | 'remove'>): string => {
  if (add === null) return `${groupText(group)} gives up ${remove}`
  return remove === null ? `${groupText(group)} gains ${add}` : `${groupText(group)} goes from ${remove} to ${add}`
}

const refuseRemoval = (state: ClusterState, { group, add, remove }: CommandOf<'beginMove'>, { replicas }: Placement): Refused | null => {
  if (remove === null) return add === null ? refused(state, 'notPossible', 'a move adds a replica, or removes one, or both') : null
  if (!replicas.includes(remove)) {
    return refused(state, 'unknownReplica', `${groupText(group)} has no replica ${remove}; it has ${namesText(replicas)}`)
  }
  if (replicas.length === 1) {
    return refused(state, 'wouldLoseQuorum', `${remove} is the only replica of ${groupText(group)}: add another first, then remove it`)
  }
  const wanted = replicasWanted(state, group, activeNodes(state).length)
  if (add === null && replicas.length - 1 < wanted) {
    return refused(state, 'tooFewReplicas', `${groupText(group)} would have ${replicas.length - 1} replicas and is to have ${wanted}: `
      + `add one in the same move (${namesText(nodesWithout(state, replicas))}), or lower the replication factor`)
  }
  return null
}

const refuseAddition = (
  state: ClusterState, { group, add, remove, isPlanned }: CommandOf<'beginMove'>, { replicas }: Placement,
): Refused | null => {
  if (add === null) return null
  const node = presentNode(state, add)
  if (isRefused(node)) return node
  const others = namesText(nodesWithout(state, replicas))
  if (node.state === 'draining') return refused(state, 'nodeDraining', `node ${add} is draining; possible: ${others}`)
  const twin = replicas.find((replica) => nodeOf(replica) === add)
  if (twin === undefined) return null
  // The twin ends before the new one has anything: only the planner knows whether it still counts for something.
  if (twin !== remove || !isPlanned) {
    return refused(state, 'alreadyThere', `node ${add} has ${twin} of ${groupText(group)}; possible: ${others}`)
  }
  if (replicas.length >= SAME_NODE_REPLICAS_MIN) return null
  return refused(state, 'wouldLoseQuorum', `${twin} is missed while it is replaced on its own node, and ${groupText(group)} has only `
    + `${replicas.length} replicas; possible: ${others}`)
}

export const promote = (state: ClusterState, { move: id }: CommandOf<'promote'>): Change | Refused => {
  const found = moveIn(state, id)
  if (isRefused(found)) return found
  if (found.move.step !== 'adding') return refused(state, 'notPossible', `move ${id} is ${found.move.step} and promotes nobody now`)
  return stepTo(state, found, 'promoting', `move ${id}: ${found.move.add} has caught up and becomes a voter`)
}

export const cancel = (state: ClusterState, { move: id }: CommandOf<'cancel'>): Change | Refused | null => {
  const found = moveIn(state, id)
  if (isRefused(found)) return found
  if (found.move.step === 'undoing') return null
  return stepTo(state, found, 'undoing', `move ${id} is cancelled: ${moveText(found.group, found.move)} no more`)
}

export const finish = (state: ClusterState, { move: id, result }: CommandOf<'finish'>): Change | Refused => {
  const found = moveIn(state, id)
  if (isRefused(found)) return found
  const { group, placement, move } = found
  if (!mayFinish(move, result)) return refused(state, 'notPossible', `move ${id} is ${move.step} and can not have ${result}`)
  const replicas = result === 'moved' ? replicasAfter(placement.replicas, move) : placement.replicas
  return {
    state: withPlacement(state, group, { replicas, move: null }),
    what: result === 'moved' ? `move ${id} is done: ${groupText(group)} has ${replicas.join(', ')}` : `move ${id} is undone`,
    move: id,
  }
}

/**
 * A cancellation may come too late: then the shard refuses for good to bring back what was removed, and the move counts as done. One
 * that removes nothing can still be undone, so it must be.
 */
const mayFinish = ({ step, remove }: Move, result: 'moved' | 'undone'): boolean => {
  if (step === 'promoting') return result === 'moved'
  return step === 'undoing' && (result === 'undone' || remove !== null)
}

export const prefer = (state: ClusterState, { preferences }: CommandOf<'prefer'>): Change | Refused | null => {
  const shards = [...state.shards]
  for (const preference of preferences) {
    const placement = shards[preference.shard]
    if (placement === undefined || !isPermutation(preference, placement)) {
      return refused(state, 'invalid', `an order of preference names the replicas of shard ${preference.shard}, each once`)
    }
    if (placement.move !== null) {
      return refused(state, 'moveInProgress', `move ${placement.move.id} of shard ${preference.shard} is under way: wait for it`)
    }
    shards[preference.shard] = { ...placement, replicas: preference.replicas }
  }
  const changed = preferences.filter(({ shard, replicas }) => replicas.join() !== state.shards[shard]?.replicas.join())
  return changed.length === 0 ? null : { state: { shards }, what: `the order of preference of ${changed.length} shards is another` }
}

const isPermutation = ({ replicas }: Preference, placement: Placement): boolean =>
  [...replicas].sort().join() === [...placement.replicas].sort().join()

const moveIn = (state: ClusterState, id: number): MoveOfGroup | Refused => {
  const moves = movesOf(state)
  return moves.find(({ move }) => move.id === id)
    ?? refused(state, 'moveUnknown', `no move ${id} is under way; there are ${namesText(moves.map(({ move }) => String(move.id)))}`)
}

const stepTo = (state: ClusterState, { group, placement, move }: MoveOfGroup, step: MoveStep, what: string): Change => ({
  state: withPlacement(state, group, { ...placement, move: { ...move, step, orderedAt: state.epoch + 1 } }),
  what,
  move: move.id,
})

const withPlacement = (state: ClusterState, group: GroupKey, placement: Placement): Partial<ClusterState> =>
  (group === 'meta' ? { meta: placement } : { shards: state.shards.map((old, shard) => (shard === group ? placement : old)) })
