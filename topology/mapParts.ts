/** The parts of a node that talk about the cluster map: what it answers at the desk, and what it asks there. Decides nothing. */

import { createAbsences } from './absences.ts'
import { createClusterAdmin } from './clusterAdmin.ts'
import { META_GROUP } from './ids.ts'
import { createMoveOrders } from './moveOrders.ts'
import { createMapSync } from './mapSync.ts'
import { createMetaQuestions } from './metaQuestions.ts'
import { createMetaReads } from './metaReads.ts'
import { createOwnMembership } from './ownMembership.ts'
import { createProposals } from './proposals.ts'
import { createTopologyAnswers } from './topologyAnswers.ts'
import { createTopologyDesk } from './topologyDesk.ts'
import type { MoveOrder } from '../actors/topology/protocol.ts'
import type { ClusterAdmin } from './clusterAdmin.ts'
import type { Leadership } from './leadership.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { NodeParts } from './nodeParts.ts'
import type { Proposals } from './proposals.ts'
import type { NodeId, ReplicaId, ShardId } from './ids.ts'

export interface MapParts {
  readonly onTick: (now: number) => void
  readonly order: (order: MoveOrder) => void
  /** Asks the meta group, from whichever node this is; null when nobody who could decide answered. */
  readonly propose: Proposals['propose']
  /** What people may ask through this node. */
  readonly admin: ClusterAdmin
  /** A peer's beacon says which map is in force there. */
  readonly heardEpoch: (from: NodeId, epoch: number) => void
  readonly counters: () => Readonly<Record<string, number>>
  readonly stop: () => void
}

export interface MapPartsOptions {
  readonly node: NodeOptions
  readonly live: LiveMap
  readonly parts: NodeParts
  readonly leadership: Pick<Leadership, 'leave' | 'transfer'>
  readonly onMember: () => void
  readonly onLeft: () => void
  readonly onRefused: (reason: string) => void
}

export const createMapParts = (options: MapPartsOptions): MapParts => {
  const { node, live, parts, leadership, onMember, onLeft, onRefused } = options
  const { genesis, ports, settings } = node
  const log = ports.log.child({ actor: 'topology' })
  const answer = createTopologyAnswers({
    genesis, live,
    raftOf: (group) => parts.host.memberOf(group)?.raft,
    meta: parts.host.meta,
    leave: (group, voters) => {
      if (group === META_GROUP) handOverMeta(parts, voters)
      else leadership.leave(group as ShardId, ports.clock.now())
    },
    transfer: (shard, to) => leadership.transfer({ shard, to }, ports.clock.now()),
  })
  const desk = createTopologyDesk({
    bus: ports.controlBus,
    clock: ports.clock,
    log,
    cluster: genesis.cluster,
    self: genesis.node,
    inboxPrefix: settings.inboxPrefix,
    answer,
  })
  const order = createMoveOrders({
    self: genesis.node, ask: desk.ask, leaderOf: (shard) => parts.leaderOf(shard)?.node ?? '',
    reported: (report) => parts.host.meta()?.actor.send({ type: 'shard.configured', ...report }),
  })
  const absences = createAbsences({ self: genesis.node, since: ports.clock.now(), lostAfterMs: settings.lostAfterMs, beacon: parts.beacon })
  const sync = createMapSync({ live, desk, log })
  const questions = createMetaQuestions({ live, clock: ports.clock, ask: desk.ask })
  const proposals = createProposals(questions)
  const admin = createClusterAdmin({
    node, live, clock: ports.clock, reads: createMetaReads(questions), proposals, ask: desk.ask,
    leaderOf: (shard) => parts.leaderOf(shard)?.node ?? null,
  })
  const membership = createOwnMembership({
    self: genesis.node, boot: node.boot, live, proposals, join: node.join ?? null, wall: ports.clock.wall,
    carriesNothing: parts.host.isEmpty, onMember, onLeft, onRefused,
  })
  return {
    onTick: (now) => {
      membership.onTick(now)
      const lost = absences.review(live.map().nodes, now)
      if (lost !== null) parts.host.meta()?.actor.send({ type: 'topology.lost', nodes: lost })
    },
    order,
    propose: proposals.propose,
    admin,
    heardEpoch: sync.heard,
    counters: desk.counters,
    stop: () => {
      desk.stop()
      questions.stop()
      admin.stop()
    },
  }
}

/** Nobody waits for the meta group as clients wait for a shard: Raft's own transfer will do. */
const handOverMeta = ({ host }: NodeParts, voters: readonly ReplicaId[]): void => {
  const meta = host.meta()
  if (meta === undefined) return
  const { configuration, matchIndex } = meta.raft.status()
  const match = (voter: ReplicaId): number => matchIndex.get(voter) ?? 0
  // Of those that stay: a newcomer has no vote before this very order is carried out.
  const [to] = configuration.voters.filter((voter) => voter !== meta.id && voters.includes(voter)).toSorted((a, b) => match(b) - match(a))
  if (to !== undefined) meta.raft.send({ type: 'raft.transferLeadership', to })
}
