/**
 * The parts of a running node and the wires between them: who hands what to whom. Decides nothing.
 *
 *   client ─▶ gateway ─▶ connection ─▶ shard ─▶ raft ─▶ wal         (gateways and connections: topology/frontDoors.ts)
 *                            │           │        │
 *                            └───────────┴────────┴──▶ post ─▶ other nodes' shards and raft members
 *
 * A message for an actor of this node goes straight to it; only what is for another node becomes a parcel.
 */

import { createTurn } from '../actors/kernel/turn.ts'
import { createWal } from '../actors/wal/actor.ts'
import { byteBudget } from '../bus/budget.ts'
import { createPost } from '../bus/postOffice.ts'
import { createSnapshotFiles } from '../storage/snapshotFiles.ts'
import { createBeacon } from './beacon.ts'
import { createDiskWatch } from './diskWatch.ts'
import { createFrontDoors } from './frontDoors.ts'
import { createReplicaHost } from './replicaHost.ts'
import { nodeOf } from './ids.ts'
import type { Turn } from '../actors/kernel/turn.ts'
import type { OperationResult } from '../actors/shard/operation.ts'
import type { Origin, ShardMessage } from '../actors/shard/protocol.ts'
import type { Wal } from '../actors/wal/actor.ts'
import type { WalEvent, WalNotice } from '../actors/wal/protocol.ts'
import type { Parcel, Post } from '../bus/post.ts'
import type { Beacon, LeaderHint } from './beacon.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { DiskWatch } from './diskWatch.ts'
import type { FrontDoors } from './frontDoors.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { ReplicaHost } from './replicaHost.ts'
import type { ShardId } from './ids.ts'

type ShardRequest = Extract<ShardMessage, { type: 'shard.request' }>

/** What a caller is told to wait who asked a node without the shard. */
const RETRY_AFTER_MS = 100

export interface NodeParts {
  readonly turn: Turn
  readonly wal: Wal
  readonly diskWatch: DiskWatch
  readonly host: ReplicaHost
  readonly post: Post
  readonly doors: FrontDoors
  readonly beacon: Beacon
  readonly leaderOf: (shard: ShardId) => LeaderHint | null
  /** Parcels that named an actor this node does not have, or a replica it does not host. */
  readonly misdirected: () => number
}

export interface PartsHooks {
  readonly onWalNotice: (notice: WalNotice) => void
  readonly onFailure: (error: unknown) => void
  /** Delivers overdue ticks; called before anything from outside is looked at. */
  readonly catchUp: () => void
  readonly onLeadershipChanged: () => void
}

export const createNodeParts = (options: NodeOptions, map: ClusterMap, hooks: PartsHooks): NodeParts => {
  const { genesis, boot, ports, settings } = options
  const { clock, log, bus } = ports
  const self = genesis.node
  const turn = createTurn(clock)
  const diskWatch = createDiskWatch()
  const beacon = createBeacon({ node: self, boot, startedAtMs: options.startedAtMs })
  const budget = byteBudget(bus.status().maxPayloadBytes)
  let misdirected = 0

  const wal = openWal(options, hooks)
  const submit = (event: WalEvent): void => {
    diskWatch.submitted(event, clock.now())
    wal.send(event)
  }

  const deliver = ({ from, to, message }: Parcel): void => {
    const now = clock.now()
    if (message.type === 'raft') {
      const replica = host.of(groupOf(to))
      if (replica?.id !== message.to || nodeOf(message.from) !== from) misdirected += 1
      else replica.raft.send({ ...message.message, from: message.from })
    } else if (message.type === 'shard.request') {
      const origin = { node: from, address: message.replyTo }
      const shard = host.of(groupOf(to))
      if (shard === undefined) refuseUnhosted(origin, groupOf(to), message)
      else shard.actor.send({ ...message, origin, now })
    } else if (!doors.reply(to, { ...message, from, now })) misdirected += 1
  }
  /** Nothing is done by a node without the shard, so NOT_LEADER is certain; on the slot path somebody else may be doing it. */
  const refuseUnhosted = (origin: Origin, shard: number, { batch, policy, operations }: ShardRequest): void => {
    misdirected += 1
    if (policy === 'slot' || map.replicas[shard] === undefined) return
    const result = notHosted(leaderOf(shard as ShardId))
    answer(origin, { type: 'shard.reply', shard: shard as ShardId, batch, results: operations.map(() => result) })
  }
  const post = createPost({
    bus,
    clock,
    cluster: genesis.cluster,
    self,
    bootId: boot,
    isMember: (node) => map.nodes.includes(node),
    requestFlush: turn.member('post', () => post.flush()),
    onParcel: (parcel) => {
      hooks.catchUp()
      deliver(parcel)
    },
    log: log.child({ actor: 'post' }),
  })
  const answer = (to: Origin, message: Extract<ShardMessage, { type: 'shard.reply' }>): void => {
    if (to.node === self) deliver({ from: self, to: to.address, message })
    else post.send(to.node, to.address, message)
  }

  const host = createReplicaHost({
    node: self,
    map,
    clock,
    random: ports.random,
    log,
    turn,
    snapshots: createSnapshotFiles({ fileSystem: ports.fileSystem, clock }),
    entryBytesMax: budget.frameBytesMax,
    announceChanges: settings.announceChanges,
    raftTiming: { tickMs: settings.tickMs, ...settings.raftTiming },
    raftLimits: settings.raftLimits,
    shardLimits: settings.shardLimits,
    ports: {
      mail: (group, from, to, message) => post.send(nodeOf(to), `raft/${group}`, { type: 'raft', from, to, message }),
      wal: submit,
      answer,
      serving: (shard, isServing) => {
        doors.setServing(shard, isServing)
        hooks.onLeadershipChanged()
      },
      changed: (key, revision, code) => doors.announce(key, revision, code),
    },
    onFailure: hooks.onFailure,
  })

  const leaderOf = (shard: ShardId): LeaderHint | null => {
    const hint = beacon.leaderOf(shard, clock.now())
    const status = host.of(shard)?.raft.status()
    if (status === undefined || status.leader === '') return hint
    if (hint !== null && hint.term > status.term) return hint
    return { node: nodeOf(status.leader), term: status.term }
  }

  const doors = createFrontDoors({
    node: options,
    map,
    turn,
    budget,
    leaderOf,
    send: (shard, to, message) => {
      if (to === '' || to === self) deliver({ from: self, to: `shard/${shard}`, message })
      else post.send(to, `shard/${shard}`, message)
    },
    catchUp: hooks.catchUp,
    onFailure: hooks.onFailure,
  })

  return { turn, wal, diskWatch, host, post, doors, beacon, leaderOf, misdirected: () => misdirected }
}

const openWal = ({ ports, settings }: NodeOptions, hooks: PartsHooks): Wal => createWal({
  fileSystem: ports.fileSystem,
  clock: ports.clock,
  log: ports.log.child({ actor: 'wal' }),
  ...(settings.wal === undefined ? {} : { config: settings.wal }),
  onNotice: hooks.onWalNotice,
  onFailure: hooks.onFailure,
})

const notHosted = (leader: LeaderHint | null): OperationResult => ({
  status: 'NOT_LEADER',
  revision: 0,
  definite: true,
  retryAfterMs: RETRY_AFTER_MS,
  message: leader === null ? 'This node does not serve the shard: fetch the map again.' : `Node ${leader.node} leads the shard.`,
})

const groupOf = (address: string): number => Number(address.slice(address.indexOf('/') + 1))
