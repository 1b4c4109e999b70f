/**
 * A group of replicas as the driver meets it: a committed configuration, one leader with perhaps an uncommitted change, and the rules by
 * which a leader takes orders (the epoch fence). Not Raft: which of its leaders' appended changes survive is drawn by the test.
 */

import type { Configuration, OrderOutcome } from '../../../actors/raft/protocol.ts'
import type { MoveOrder, MoveReport } from '../../../actors/topology/protocol.ts'
import type { GroupKey } from '../../../actors/topology/clusterState.ts'
import type { ReplicaId } from '../../../topology/ids.ts'

export interface GroupModel {
  readonly group: GroupKey
  committed: Configuration
  /** What was committed before, which a leader that was deposed, or has not served yet, takes for the newest. */
  readonly past: Configuration[]
  /** Appended by the leader, not committed: a joint configuration, or one without new voters. */
  appended: Configuration | null
  leader: ReplicaId
  caughtUp: Set<ReplicaId>
}

const sorted = (replicas: readonly ReplicaId[]): string => [...replicas].sort().join()

const isOrdered = (configuration: Configuration, order: MoveOrder): boolean =>
  configuration.epoch === order.epoch && configuration.outgoing.length === 0
  && sorted(configuration.voters) === sorted(order.voters) && sorted(configuration.learners) === sorted(order.learners)

export const createGroupModel = (group: GroupKey, voters: readonly ReplicaId[], past: readonly Configuration[] = []): GroupModel => {
  const [leader] = voters
  if (leader === undefined) throw new Error('a group has voters')
  const committed = { voters, outgoing: [], learners: [], epoch: 1 }
  return { group, committed, past: [...past], appended: null, leader, caughtUp: new Set(voters) }
}

/** The leader's answer to an order; it may append what is ordered. */
export const takeOrder = (model: GroupModel, order: MoveOrder): MoveReport => {
  const outcome = outcomeOf(model, order)
  return reportOf(model, order, outcome)
}

/**
 * A leader that was replaced and does not know it, or has not served yet: whatever it appends, it commits nothing, and what it knows to
 * have committed may be long ago. It says nothing for which it would have to make sure that it leads.
 */
export const takeOrderDeposed = (model: GroupModel, order: MoveOrder, pick: number): MoveReport =>
  reportOf(model, order, pick % 2 === 0 ? 'pending' : 'busy', model.past[pick % Math.max(1, model.past.length)])

const reportOf = (model: GroupModel, order: MoveOrder, outcome: OrderOutcome, configuration = model.committed): MoveReport => ({
  group: model.group, move: order.move, epoch: order.epoch, outcome, configuration,
  matches: [...model.committed.voters, ...model.committed.learners].map((replica) =>
    ({ replica, index: model.caughtUp.has(replica) ? 10_000 : 3 })),
})

const outcomeOf = (model: GroupModel, order: MoveOrder): OrderOutcome => {
  const { committed, appended } = model
  const inForce = appended ?? committed
  if (isOrdered(committed, order) && appended === null) return 'done'
  if (order.epoch <= inForce.epoch) return order.epoch === inForce.epoch ? 'pending' : 'stale'
  if (appended !== null || committed.outgoing.length > 0) return 'busy'
  const isMember = (replica: ReplicaId): boolean => committed.voters.includes(replica)
    || (committed.learners.includes(replica) && model.caughtUp.has(replica))
  if (!order.voters.every(isMember)) return 'behind'
  if (!order.voters.includes(model.leader)) {
    model.leader = order.voters.find((replica) => committed.voters.includes(replica)) ?? model.leader
    return 'leaves'
  }
  const isSame = sorted(order.voters) === sorted(committed.voters)
  model.appended = { voters: order.voters, outgoing: isSame ? [] : committed.voters, learners: order.learners, epoch: order.epoch }
  return 'pending'
}

/** The appended change commits; a joint phase is left by the group itself. */
export const commitAppended = (model: GroupModel): void => {
  const { appended } = model
  if (appended === null) return
  model.past.push(model.committed)
  model.committed = appended
  model.appended = appended.outgoing.length === 0 ? null : { ...appended, outgoing: [] }
}

/** Another voter leads; what its predecessor appended survives or not. Leaving a joint phase is taken up again. */
export const changeLeader = (model: GroupModel, pick: number, survives: boolean): void => {
  const { committed } = model
  model.leader = committed.voters[pick % committed.voters.length] ?? model.leader
  if (!survives) model.appended = null
  if (model.appended === null && committed.outgoing.length > 0) model.appended = { ...committed, outgoing: [] }
}

export const catchUp = (model: GroupModel): void => {
  for (const learner of model.committed.learners) model.caughtUp.add(learner)
}
