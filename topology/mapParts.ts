/** The parts of a node that talk about the cluster map: what it answers at the desk, and what it asks there. Decides nothing. */

import { placementOf } from '../actors/topology/clusterState.ts'
import { createAbsences } from './absences.ts'
import { createAilments } from './ailments.ts'
import { createClusterAdmin } from './clusterAdmin.ts'
import { createFigureRounds, ownFigures } from './figures.ts'
import { META_GROUP, nodeOf, shardOfGroup } from './ids.ts'
import { createLevelCensus } from './levelCensus.ts'
import { ownLevels } from './level.ts'
import { createMoveOrders } from './moveOrders.ts'
import { createMapSync } from './mapSync.ts'
import { metaHeir } from './metaHeir.ts'
import { createMetaQuestions } from './metaQuestions.ts'
import { createMetaReads } from './metaReads.ts'
import { createOwnMembership } from './ownMembership.ts'
import { createMapWait } from './outgrown.ts'
import { hasMajorityWithout } from './places.ts'
import { createProposals } from './proposals.ts'
import { createTopologyAnswers } from './topologyAnswers.ts'
import { createTopologyDesk } from './topologyDesk.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { MoveOrder, NodeLevels } from '../actors/topology/protocol.ts'
import type { Ailments } from './ailments.ts'
import type { ClusterAdmin } from './clusterAdmin.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { Leadership } from './leadership.ts'
import type { LiveMap } from './liveMap.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { NodeParts } from './nodeParts.ts'
import type { Proposals } from './proposals.ts'
import type { GroupId, NodeId, ReplicaId, ShardId } from './ids.ts'

export interface MapParts {
  readonly onTick: (now: number) => void
  readonly order: (order: MoveOrder) => void
  /** Asks the meta group, from whichever node this is; null when nobody who could decide answered. */
  readonly propose: Proposals['propose']
  /** What people may ask through this node. */
  readonly admin: ClusterAdmin
  /** A peer's beacon says which map is in force there. */
  readonly heardEpoch: (from: NodeId, epoch: number) => void
  /** Another map is in force here, and the replicas know it. */
  readonly noteMap: () => void
  readonly counters: () => Readonly<Record<string, number>>
  readonly stop: () => void
}

export interface MapPartsOptions {
  readonly node: NodeOptions
  readonly live: LiveMap
  readonly parts: NodeParts
  readonly leadership: Pick<Leadership, 'leave' | 'transfer'>
  /** Whom this node's failure detector takes for alive. */
  readonly present: () => ReadonlySet<NodeId>
  readonly onMember: () => void
  readonly onLeft: () => void
  readonly onRefused: (reason: string) => void
}

/** Between two reads of the newest map, while something here waits for what it says. */
const READ_AGAIN_MS = 2_000

export const createMapParts = (options: MapPartsOptions): MapParts => {
  const { node, live, parts, leadership, onMember, onLeft, onRefused } = options
  const { genesis, ports, settings } = node
  const log = ports.log.child({ actor: 'topology' })
  const ailments = createAilments({ beacon: parts.beacon, host: parts.host })
  const answer = createTopologyAnswers({
    genesis, live, clock: ports.clock,
    raftOf: (group) => parts.host.memberOf(group)?.raft,
    meta: parts.host.meta,
    leave: (group, voters) => {
      if (group === META_GROUP) handOverMeta({ parts, ailments }, voters, ports.clock.now())
      else leadership.leave(group as ShardId, ports.clock.now())
    },
    transfer: (shard, to) => leadership.transfer({ shard, to }, ports.clock.now()),
    figures: () => ownFigures(parts.host, node.boot, ports.clock.now()),
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
  const absences = createAbsences({
    self: genesis.node, lostAfterMs: settings.lostAfterMs, beacon: parts.beacon, present: options.present,
  })
  const levelCensus = createLevelCensus({ self: genesis.node, own: ownLevels, beacon: parts.beacon })
  let levels: readonly NodeLevels[] = []
  /** Whoever has been told: a replica of the meta group that began later has to be told all of it. */
  let told: HostedMeta['actor'] | undefined
  const tellPlanner = (now: number): void => {
    const planner = parts.host.meta()?.actor
    const isNew = planner !== told
    told = planner
    const lost = absences.review(live.map().nodes, now)
    const damaged = ailments.review(now)
    const census = levelCensus.review(live.map().nodes, now)
    levels = census ?? levels
    if (lost !== null || isNew) planner?.send({ type: 'topology.lost', nodes: absences.known() })
    if (damaged !== null || isNew) planner?.send({ type: 'topology.damaged', replicas: ailments.known() })
    if (census !== null || isNew) planner?.send({ type: 'topology.levels', told: levels })
  }
  const sync = createMapSync({ live, desk, clock: ports.clock, log, onNewer: onRefused })
  const questions = createMetaQuestions({ live, clock: ports.clock, ask: desk.ask })
  const proposals = createProposals(questions)
  const rounds = createFigureRounds({ live, ask: desk.ask, meta: parts.host.meta, everyMs: settings.figuresEveryMs })
  const reads = createMetaReads(questions)
  const isSpared = (group: GroupId): boolean => {
    const key = shardOfGroup(group) ?? 'meta'
    return hasMajorityWithout(genesis.node, placementOf(live.state(), key)?.replicas ?? [], (id) =>
      parts.beacon.isSteady(nodeOf(id), ports.clock.now()) && ailments.isWell(key, id))
  }
  let readDue = 0
  const askWhatIsNew = (now: number): void => {
    if (now < readDue || !parts.host.asksWhatIsNew()) return
    readDue = now + READ_AGAIN_MS
    reads.overview((overview) => {
      if (overview === undefined) return
      parts.host.noteRead(overview.state)
      // Peers may all have the same old copy, or be behind: nothing ends here because they agree.
      if (isInForce(live, overview.state)) parts.host.noteNewest(isSpared)
    })
  }
  const admin = createClusterAdmin({
    node, live, clock: ports.clock, reads, proposals, ask: desk.ask,
    leaderOf: (shard) => parts.leaderOf(shard)?.node ?? null, damaged: ailments.known,
    addressesOf: (id) => (id === genesis.node ? node.addresses : parts.beacon.addressesOf(id)),
  })
  const membership = createOwnMembership({
    self: genesis.node, boot: node.boot, levels: ownLevels, live, proposals, reads, join: node.join ?? null,
    hasJoined: genesis.hasJoined === true, wall: ports.clock.wall, carriesNothing: parts.host.isEmpty, onMember, onLeft, onRefused,
  })
  const wait = createMapWait(ports.clock, () => live.state().epoch, () => {
    const meta = parts.host.meta()
    return meta === undefined ? parts.host.all() : [...parts.host.all(), meta]
  })
  return {
    onTick: (now) => {
      membership.onTick(now)
      rounds.onTick(now)
      tellPlanner(now)
      askWhatIsNew(now)
    },
    order,
    propose: proposals.propose,
    admin,
    heardEpoch: (from, epoch) => {
      wait.heard(epoch)
      sync.heard(from, epoch)
    },
    noteMap: wait.noteMap,
    counters: desk.counters,
    stop: () => {
      desk.stop()
      questions.stop()
      admin.stop()
    },
  }
}

/** And no newer one waits for its file. */
const isInForce = (live: LiveMap, { epoch }: ClusterState): boolean => live.state().epoch === epoch && live.learnedEpoch() === epoch

interface Hearing {
  readonly parts: NodeParts
  readonly ailments: Ailments
}

/** Nobody waits for the meta group as clients wait for a shard: Raft's own transfer will do. */
const handOverMeta = ({ parts: { host, beacon }, ailments }: Hearing, voters: readonly ReplicaId[], now: number): void => {
  const meta = host.meta()
  if (meta === undefined) return
  const to = metaHeir({
    self: meta.id, staying: voters, status: meta.raft.status(), isSteady: (node) => beacon.isSteady(node, now),
    isWell: (voter) => ailments.isWell('meta', voter),
  })
  if (to !== undefined) meta.raft.send({ type: 'raft.transferLeadership', to })
}
