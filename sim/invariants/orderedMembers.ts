/**
 * The members of a group are what the meta group ordered: a configuration carries the epoch of a committed map whose move, in its step
 * of that epoch, asked for exactly these voters and learners. Only the first configuration, of epoch 0, was ordered by nobody.
 */

import { orderOf } from '../../actors/topology/driver.ts'
import { movesOf } from '../../actors/topology/clusterState.ts'
import { groupKeyOf } from '../../topology/namedReplicas.ts'
import type { ClusterState, GroupKey } from '../../actors/topology/clusterState.ts'
import type { MoveOrder } from '../../actors/topology/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { MapLedger } from '../mapLedger.ts'
import type { Invariant } from '../view.ts'

export const createOrderedMembers = (ledger: MapLedger): Invariant => ({
  name: 'members are what was ordered',
  check: ({ id, shard, configuration: { epoch, voters, learners } }) => {
    if (epoch === 0) return null
    const group = groupKeyOf(shard)
    const order = orderAt(ledger.stateAt(epoch), group)
    if (order === undefined) return `${id} has a configuration of group ${group} of epoch ${epoch}, at which none was ordered`
    if (isSameSet(voters, order.voters) && isSameSet(learners, order.learners)) return null
    const ordered = `${order.voters.join(' ')} and learners ${order.learners.join(' ')}`
    return `${id} has voters ${voters.join(' ')} and learners ${learners.join(' ')} of epoch ${epoch}, which ordered ${ordered}`
  },
})

const orderAt = (state: ClusterState | undefined, wanted: GroupKey): MoveOrder | undefined => {
  if (state === undefined) return undefined
  const found = movesOf(state).find(({ group, move }) => group === wanted && move.orderedAt === state.epoch)
  return found === undefined ? undefined : orderOf(found)
}

const isSameSet = (a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean =>
  a.length === b.length && a.every((replica) => b.includes(replica))
