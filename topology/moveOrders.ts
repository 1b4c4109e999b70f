/**
 * Carries the orders of the meta group's leader to the groups they are for, and brings back what their leaders say. A group's leader is
 * whoever the beacons name; an order that finds another is answered `notLeader`, and is repeated by whoever gave it.
 */

import { count, list, oneOf, record, replica } from '../actors/topology/fields.ts'
import { groupIdOf } from './namedReplicas.ts'
import type { Configuration, OrderOutcome } from '../actors/raft/protocol.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { GroupKey } from '../actors/topology/clusterState.ts'
import type { MoveOrder, MoveReport } from '../actors/topology/protocol.ts'
import type { NodeId, ShardId } from './ids.ts'
import type { Answer, TopologyDesk, TopologyRequest } from './topologyDesk.ts'

const MEMBERS_MAX = 16

export interface MoveOrdersOptions {
  readonly self: NodeId
  readonly ask: TopologyDesk['ask']
  readonly leaderOf: (shard: ShardId) => NodeId | ''
  readonly reported: (report: MoveReport) => void
}

export const createMoveOrders = ({ self, ask, leaderOf, reported }: MoveOrdersOptions) => (order: MoveOrder): void => {
  const { group, move, epoch, voters, learners } = order
  const request: TopologyRequest = { kind: 'order', group: groupIdOf(group), move, epoch, voters, learners }
  const done: Answer = (value) => {
    const report = moveReportOf(value)
    if (report !== undefined) reported(report)
  }
  const leader = group === 'meta' ? self : leaderOf(group)
  if (leader !== '') ask(leader, request, done)
}

const outcomes: readonly OrderOutcome[] = ['done', 'pending', 'notLeader', 'busy', 'behind', 'leaves', 'stale', 'invalid']
const members = list(replica, MEMBERS_MAX)
const group: Check<GroupKey> = (value) => (value === 'meta' ? value : count(value) as ShardId | undefined)

const moveReport = record<MoveReport>({
  group, move: count, epoch: count, outcome: oneOf(...outcomes),
  configuration: record<Configuration>({ epoch: count, voters: members, outgoing: members, learners: members }),
  matches: list(record({ replica, index: count }), MEMBERS_MAX),
})

/** What a group's leader said, or undefined when whoever was asked does not lead it. */
export const moveReportOf: Check<MoveReport> = (value) => moveReport(value)
