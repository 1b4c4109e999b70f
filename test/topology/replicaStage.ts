/**
 * A replica host over a log and a store of snapshots that say what the test lets them say. `wal` has what was asked of the log, in order;
 * nothing is on disk before the test answers.
 */

import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { createTurn } from '../../actors/kernel/turn.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { META_GROUP, clusterId, nodeId, nodeOf, replicaId } from '../../topology/ids.ts'
import { createReplicaHost } from '../../topology/replicaHost.ts'
import { entriesOf } from '../support/raftScript.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'
import type { RecoveredGroup, RecoveryReport, ReplicaMark, WalEvent } from '../../actors/wal/protocol.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { SnapshotHeader, SnapshotStore, SnapshotsFound } from '../../storage/snapshotStore.ts'
import type { NamedReplica } from '../../topology/namedReplicas.ts'
import type { ReplicaHost } from '../../topology/replicaHost.ts'
import type { GroupId, ReplicaId, ShardId } from '../../topology/ids.ts'

export const n1 = nodeId('n1')
export const own = (generation: number): ReplicaId => replicaId(n1, generation)
const others = [replicaId(nodeId('n2'), 1), replicaId(nodeId('n3'), 1)]
export const genesis = must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members: [n1, ...others.map(nodeOf)], shardCount: 2, replicationFactor: 3, createdAtMs: 1,
})[0], 'a genesis')

export const named = (group: GroupId, generation: number): NamedReplica =>
  ({ group, id: own(generation), isAdded: generation > 1, isUndone: false, voters: [own(generation), ...others], othersAt: null })
export const withVote = (group: GroupId, generation: number): NamedReplica => ({ ...named(group, generation), isAdded: false })
export const undone = (group: GroupId, generation: number): NamedReplica => ({ ...withVote(group, generation), isUndone: true })

/** Of the map that the node starts with. */
export const NEXT_GENERATION = 10

/** What the log held of a group: two entries and a vote, by the replica that `mark` says. */
export const held = (group: GroupId, mark?: ReplicaMark): RecoveredGroup => ({
  group, hardState: { term: 4, vote: others[0] ?? '' }, snapshot: { index: 0, term: 0 }, entries: entriesOf(1, 3, 4),
  ...(mark === undefined ? {} : { replica: mark }),
})
export const tombstone = (group: GroupId, generation: number): RecoveredGroup => ({
  group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [], replica: { generation, isRemoved: true },
})

interface Given {
  readonly named?: readonly NamedReplica[]
  readonly log?: readonly RecoveredGroup[]
  readonly damagedNode?: string
  readonly isLogUnread?: true
  readonly isMapLost?: boolean
  /** Of the map that the node starts with. */
  readonly nextGeneration?: number
  readonly files?: SnapshotsFound
}

type Beginning = Extract<WalEvent, { readonly type: 'wal.adopt' | 'wal.retire' }>

export interface Stage {
  readonly host: ReplicaHost
  /** Beginnings and ends that were asked of the log: `adopt 0 n1:2`. */
  readonly wal: () => string[]
  /** What the log was told to remember against replicas. */
  readonly quarantines: Extract<WalEvent, { readonly type: 'wal.quarantine' }>[]
  /** The first of them that was not answered yet is on disk. */
  readonly written: () => void
  /** Groups whose files were to be removed, and are not yet. */
  readonly clearing: () => GroupId[]
  readonly cleared: (error?: FileError) => void
  /** A newer map names these. */
  readonly learn: (...replicas: readonly NamedReplica[]) => void
  /** A map of before replicas of this generation. */
  readonly learnOld: (unknownFrom: number, ...replicas: readonly NamedReplica[]) => void
  /** The meta group's leader was read. */
  readonly read: (state: ClusterState) => void
  /** The map in force is found to be the newest. */
  /** `isSpared`: the others of each group are a majority. */
  readonly confirm: (isSpared?: boolean) => void
  readonly ended: ShardId[]
  /** Groups that began to write a snapshot. */
  readonly snapshotted: readonly GroupId[]
  /** Whether its member says, to the leader that asks it, that its disk stands still. */
  readonly saysStalled: (group: GroupId) => boolean
  readonly failures: unknown[]
  /** The log was told that nothing of what is damaged is needed any more. */
  readonly isReplaced: () => boolean
  readonly isOpened: () => boolean
}

export const createStage = (given: Given): Stage => {
  const { clock, pass } = createVirtualWorld()
  const asked: Beginning[] = []
  const waiting: Beginning[] = []
  const clears: { readonly group: GroupId, readonly done: (error: FileError | null) => void }[] = []
  const ended: ShardId[] = []
  const snapshotted: GroupId[] = []
  const ignore = (): void => {}
  const mails: { readonly group: GroupId, readonly message: RaftMessage }[] = []
  const failures: unknown[] = []
  const quarantines: Stage['quarantines'] = []
  let replaced = 0
  let names = given.named ?? []
  let unknownFrom = NEXT_GENERATION
  let isOpened = false
  const snapshots = {
    list: (_group: GroupId, done: Parameters<SnapshotStore['list']>[1]) =>
      clock.defer(() => done(null, given.files ?? { good: [], damaged: [] })),
    load: () => {},
    write: ({ group }: SnapshotHeader) => {
      snapshotted.push(group)
      return ignore
    },
    clear: (group: GroupId, done: (error: FileError | null) => void) => clears.push({ group, done }),
  } as unknown as SnapshotStore
  const host = createReplicaHost({
    node: n1, genesis, named: () => names,
    nextGeneration: () => (given.isMapLost === true ? null : given.nextGeneration ?? NEXT_GENERATION),
    unknownFrom: () => unknownFrom,
    clock, random: createRandom(1), log: silentLogger, turn: createTurn(clock), snapshots,
    entryBytesMax: 1_000, announceChanges: false, traceMessages: false, onFailure: (error) => failures.push(error),
    ports: {
      mail: (group, _from, _to, message) => mails.push({ group, message }),
      answer: ignore, serving: ignore, drainSlot: ignore, quiet: ignore, changed: ignore, order: ignore, stateChanged: ignore,
      ended: (shard) => ended.push(shard),
      wal: (event) => {
        if (event.type === 'wal.damageReplaced') replaced += 1
        if (event.type === 'wal.quarantine') quarantines.push(event)
        if (event.type !== 'wal.adopt' && event.type !== 'wal.retire') return
        asked.push(event)
        waiting.push(event)
      },
    },
  })
  const report: RecoveryReport = {
    groups: new Map((given.log ?? []).map((group) => [group.group, group])), tornBytes: 0, findings: [],
    ...(given.damagedNode === undefined ? {} : { damagedNode: given.damagedNode }),
    ...(given.isLogUnread === undefined ? {} : { isUnread: given.isLogUnread }),
  }
  host.open(report, () => { isOpened = true })
  pass(10)
  const learn = (from: number, replicas: readonly NamedReplica[]): void => {
    unknownFrom = from
    names = replicas
    host.follow()
    pass(10)
  }
  return {
    host, ended, snapshotted, failures, quarantines,
    wal: () => asked.map(({ type, group, generation }) => `${type.slice('wal.'.length)} ${group} ${own(generation)}`),
    written: () => {
      const { type, group, ticket } = must(waiting.shift(), 'something was asked of the log')
      host.onWalNotice({ type: type === 'wal.adopt' ? 'wal.adopted' : 'wal.retired', group, ticket })
      pass(10)
    },
    clearing: () => clears.map(({ group }) => group),
    cleared: (error) => {
      must(clears.shift(), 'files were to be removed').done(error ?? null)
      pass(10)
    },
    learn: (...replicas) => learn(NEXT_GENERATION, replicas),
    learnOld: (from, ...replicas) => learn(from, replicas),
    read: (state) => {
      host.noteRead(state)
      pass(10)
    },
    confirm: (isSpared = true) => {
      host.noteNewest(() => isSpared)
      pass(10)
    },
    saysStalled: (group) => {
      const lastOf = <Type extends RaftMessage['type']>(type: Type) => must(mails.findLast((mail) =>
        mail.group === group && mail.message.type === type), `a ${type}`).message as Extract<RaftMessage, { type: Type }>
      const { raft } = must(host.memberOf(group), 'it is hosted')
      const from = must(others[0], 'there are others')
      host.onTick({ ticks: 1, now: clock.now(), wallMs: clock.wall() })
      raft.send({ type: 'raft.presentAccepted', from, incarnation: lastOf('raft.present').incarnation })
      raft.send({ type: 'raft.heartbeat', from, term: 9, commitIndex: 0, round: 1 })
      return lastOf('raft.heartbeatAcked').diskStalled
    },
    isReplaced: () => replaced > 0,
    isOpened: () => isOpened,
  }
}

export const replicasOf = ({ host }: Stage): ReplicaId[] => [0, 1, META_GROUP].flatMap((group) => host.memberOf(group)?.id ?? [])
export const logOf = ({ host }: Stage, group: GroupId) => {
  const { term, lastIndex, quarantined } = must(host.memberOf(group), 'it is hosted').raft.status()
  return { term, lastIndex, quarantined }
}
