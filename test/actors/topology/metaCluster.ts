/**
 * A meta group in one process: real Raft members and topology actors, a network and disks in memory, virtual time. The shards whose
 * moves it drives are models (groupModel.ts) that do as they are told within a tick, unless the test stops them.
 */

import { createRaftMember } from '../../../actors/raft/actor.ts'
import { createTopology } from '../../../actors/topology/actor.ts'
import { createRandom } from '../../../actors/kernel/random.ts'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { initialConfiguration } from '../../../actors/wal/protocol.ts'
import { groupsOf, placementOf } from '../../../actors/topology/clusterState.ts'
import { crc32 } from '../../../storage/crc.ts'
import { createMemoryFileSystem } from '../../../storage/memoryFileSystem.ts'
import { chooseSnapshot } from '../../../storage/snapshotChoice.ts'
import { createSnapshotFiles } from '../../../storage/snapshotFiles.ts'
import { SHARD_COUNT_MAX } from '../../../topology/ids.ts'
import { applyAppend, applyCompact, applyInstall, copyImage, createRaftDisk, imageLastIndex, recover } from '../../support/raftDisk.ts'
import { createVirtualWorld } from '../../support/virtual.ts'
import { catchUp, commitAppended, createGroupModel, takeOrder } from './groupModel.ts'
import { genesisOf, n, newborn } from './states.ts'
import type { RaftMember } from '../../../actors/raft/actor.ts'
import type { TopologyActor } from '../../../actors/topology/actor.ts'
import type { TopologyLimits } from '../../../actors/topology/core.ts'
import type { ClusterState, GroupKey } from '../../../actors/topology/clusterState.ts'
import type { MetaAnswer, MetaCommand, MoveOrder } from '../../../actors/topology/protocol.ts'
import type { WalEvent } from '../../../actors/wal/protocol.ts'
import type { SnapshotStore } from '../../../storage/snapshotStore.ts'
import type { ReplicaId } from '../../../topology/ids.ts'
import type { RaftDisk } from '../../support/raftDisk.ts'
import type { VirtualWorld } from '../../support/virtual.ts'
import type { GroupModel } from './groupModel.ts'

const TICK_MS = 50
const GROUP = SHARD_COUNT_MAX

export interface MetaMember {
  readonly id: ReplicaId
  readonly disk: RaftDisk
  readonly snapshots: SnapshotStore
  raft: RaftMember | null
  topology: TopologyActor | null
  /** The epochs it was told of since it started. */
  epochs: number[]
  answers: MetaAnswer[]
  life: number
  /** How often it said that it may hand over. */
  quiet: number
}

interface Cluster {
  readonly world: VirtualWorld
  readonly members: readonly MetaMember[]
  readonly models: Map<GroupKey, GroupModel>
  readonly orders: MoveOrder[]
  readonly failures: unknown[]
  readonly limits: Partial<TopologyLimits>
  areShardsStopped: boolean
  asked: number
}

export const createMetaCluster = (limits: Partial<TopologyLimits> = {}) => {
  const world = createVirtualWorld()
  const state = newborn()
  const members = state.meta.replicas.map((id): MetaMember => {
    const fileSystem = createMemoryFileSystem({ schedule: (fn) => world.clock.defer(fn) })
    const snapshots = createSnapshotFiles({ fileSystem, clock: world.clock })
    return { id, disk: createRaftDisk(), snapshots, raft: null, topology: null, epochs: [], answers: [], life: 0, quiet: 0 }
  })
  const models = new Map(groupsOf(state).map((group) =>
    [group, createGroupModel(group, must(placementOf(state, group), 'every group is placed').replicas)]))
  const cluster: Cluster = { world, members, models, orders: [], failures: [], limits, areShardsStopped: false, asked: 0 }
  for (const member of members) start(cluster, member)
  return {
    ...cluster,
    member: (number: number): MetaMember => must(members[number - 1], 'the member exists'),
    stopShards: (areStopped: boolean): void => { cluster.areShardsStopped = areStopped },
    pass: (ms: number): void => pass(cluster, ms),
    /** Lets time pass until it is so. */
    until: (isMet: () => boolean, what: string): void => {
      for (let i = 0; i < 2_000 && !isMet(); i += 1) pass(cluster, TICK_MS)
      if (!isMet()) throw new Error(`100 s were not enough until ${what}`, { cause: cluster.failures[0] })
    },
    leader: (): MetaMember => must(members.find(({ topology }) => topology?.state().startsWith('leading') === true), 'there is a leader'),
    hasLeader: (): boolean => members.some(({ topology }) => topology?.state().startsWith('leading') === true),
    kill: (member: MetaMember): void => stop(member),
    restart: (member: MetaMember): void => start(cluster, member),
    read: (member: MetaMember, isHistoryWanted = false): number => {
      cluster.asked += 1
      member.topology?.send({ type: 'meta.read', replyTo: 'test', request: cluster.asked, isHistoryWanted, origin })
      return cluster.asked
    },
    propose: (member: MetaMember, command: MetaCommand): number => {
      cluster.asked += 1
      member.topology?.send({ type: 'meta.propose', replyTo: 'test', request: cluster.asked, command, origin })
      return cluster.asked
    },
  }
}

const origin = { node: n(9), address: 'test' }

export const stateOf = ({ topology }: MetaMember): ClusterState => must(topology, 'the member runs').status().state

const start = (cluster: Cluster, member: MetaMember): void => {
  const { world, limits, failures } = cluster
  copyImage(member.disk.durable, member.disk.written)
  member.life += 1
  member.epochs = []
  chooseSnapshot(member.snapshots, recover(member.disk, GROUP), (error, choice) => {
    if (error !== null) throw error
    const topology = createTopology({
      group: GROUP, genesis: genesisOf(), clock: world.clock, log: silentLogger, limits,
      ports: {
        raft: (event) => raft.send(event),
        snapshots: member.snapshots,
        configurationAt: () => raft.status().configuration,
        snapshotsInUse: () => raft.snapshotsInUse(),
        answer: (_, message) => member.answers.push(message),
        sendOrder: (order) => answerOrder(cluster, member, order),
        onState: ({ epoch }) => member.epochs.push(epoch),
        quiet: () => { member.quiet += 1 },
      },
      onFailure: (failure) => failures.push(failure),
    })
    const raft: RaftMember = createRaftMember({
      group: GROUP, self: member.id, configuration: choice.snapshot?.configuration ?? initialConfiguration(newborn().meta.replicas),
      recovered: choice.recovered, snapshot: choice.snapshot, random: createRandom(cluster.members.indexOf(member) + member.life * 10),
      now: world.clock.now(), wallMs: world.clock.wall(), log: silentLogger, limits: { tailEntriesMax: 2 },
      ports: {
        mail: (to, message) => world.clock.defer(() => {
          cluster.members.find(({ id }) => id === to)?.raft?.send({ ...message, from: member.id })
        }),
        wal: (event) => world.clock.defer(() => {
          if (member.raft === raft) write(member, event)
        }),
        shard: (event) => topology.send(event),
        snapshots: member.snapshots,
        requestFlush: () => world.clock.defer(() => raft.send({ type: 'raft.flush', now: world.clock.now() })),
        requestEmit: () => world.clock.defer(() => raft.send({ type: 'raft.emit' })),
        crc32: (bytes) => crc32(bytes),
      },
      onFailure: (failure) => failures.push(failure),
    })
    member.raft = raft
    member.topology = topology
  })
}

const stop = (member: MetaMember): void => {
  member.raft?.stop()
  member.topology?.stop()
  member.raft = null
  member.topology = null
}

const write = ({ disk: { durable, written }, raft }: MetaMember, event: WalEvent): void => {
  for (const image of [durable, written]) {
    if (event.type === 'wal.append') applyAppend(image, event)
    if (event.type === 'wal.compact') applyCompact(image, event.mark.index, event.mark.term)
    if (event.type === 'wal.installSnapshot') applyInstall(image, event.mark.index, event.mark.term)
  }
  if (event.type === 'wal.append') {
    const { ticket, submittedTerm } = event
    raft?.send({ type: 'wal.appended', ticket, submittedTerm, lastIndex: imageLastIndex(durable) })
  }
  if (event.type === 'wal.installSnapshot') raft?.walNotice({ ...event, type: 'wal.snapshotMarked' })
}

const answerOrder = (cluster: Cluster, member: MetaMember, order: MoveOrder): void => {
  cluster.orders.push(order)
  if (cluster.areShardsStopped) return
  const report = takeOrder(must(cluster.models.get(order.group), 'the group exists'), order)
  cluster.world.clock.defer(() => member.topology?.send({ type: 'shard.configured', ...report }))
}

const pass = (cluster: Cluster, ms: number): void => {
  const { world, members, models } = cluster
  for (let left = ms; left > 0; left -= TICK_MS) {
    const now = world.clock.now()
    const wallMs = world.clock.wall()
    for (const { raft, topology } of members) {
      raft?.send({ type: 'tick', ticks: 1, now, wallMs })
      topology?.send({ type: 'tick', now, wallMs })
    }
    for (const model of models.values()) {
      commitAppended(model)
      catchUp(model)
    }
    world.pass(TICK_MS)
  }
}
