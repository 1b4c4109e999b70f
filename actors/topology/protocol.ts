/**
 * What can be said to and by the topology actor, and what the meta group's log holds.
 *
 * A `MetaCommand` is the payload of an entry of the meta group. It carries the epoch it was made for: at any other epoch it is refused
 * and changes nothing, so two admins can not undo each other, and a command that was proposed twice takes effect once. Whoever never
 * learned what became of a command repeats it with the same `request`: the history remembers the last HISTORY_EVENTS_MAX of them, and
 * answers as it did the first time. `at` and `by` are for the history alone: nothing is decided by them.
 */

import type { NodeId, ReplicaId, ShardId } from '../../topology/ids.ts'
import type { LevelRange } from '../../topology/level.ts'
import type { Configuration, Index, OrderOutcome, Term } from '../raft/protocol.ts'
import type { Address, Origin, ShardLocalEvent, SnapshotChunks } from '../shard/protocol.ts'
import type { ClusterState, GroupKey, MoveId } from './clusterState.ts'
import type { NodeFigures } from './loads.ts'

interface CommandBase {
  readonly expectedEpoch: number
  /** Wall clock of whoever asks, in milliseconds. */
  readonly at: number
  /** Who asks, in at most BY_CHARACTERS_MAX printable characters. */
  readonly by: string
  /** Chosen by whoever asks, to repeat it safely; '' for none. */
  readonly request: string
}

/** The order of preference of one shard: its own replicas, in another order. */
export interface Preference {
  readonly shard: ShardId
  readonly replicas: readonly ReplicaId[]
}

type CommandBody =
  /** A new node, or one that had left. `levels`: what it knows; left out while the level is the first, and members may not read it. */
  | { readonly kind: 'addNode'; readonly node: NodeId; readonly weight: number; readonly zone: string; readonly levels?: LevelRange }
  /** Its replicas move away. `isForced`: even where that leaves fewer replicas than the replication factor asks for. */
  | { readonly kind: 'drainNode'; readonly node: NodeId; readonly isForced: boolean }
  /** Ends a drain. */
  | { readonly kind: 'activateNode'; readonly node: NodeId }
  /** Only a node that carries nothing. */
  | { readonly kind: 'removeNode'; readonly node: NodeId }
  | { readonly kind: 'setWeight'; readonly node: NodeId; readonly weight: number }
  | { readonly kind: 'setZone'; readonly node: NodeId; readonly zone: string }
  | { readonly kind: 'setReplicationFactor'; readonly replicationFactor: number }
  /** The next layout level, and who has told that it knows it: everybody that is in the cluster, or it is refused. */
  | { readonly kind: 'raiseLevel'; readonly level: number; readonly knownBy: readonly NodeId[] }
  /** Whether load moves anything. */
  | { readonly kind: 'setBalance'; readonly isOn: boolean }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** `isPlanned`: by the planner, which rests while the cluster is paused; a person's own moves are taken only then. */
  | { readonly kind: 'beginMove'; readonly group: GroupKey; readonly add: NodeId | null; readonly remove: ReplicaId | null
      readonly isPlanned: boolean }
  | { readonly kind: 'promote'; readonly move: MoveId }
  | { readonly kind: 'finish'; readonly move: MoveId; readonly result: 'moved' | 'undone' }
  | { readonly kind: 'cancel'; readonly move: MoveId }
  | { readonly kind: 'prefer'; readonly preferences: readonly Preference[] }

export type MetaCommand = CommandBase & CommandBody
export type CommandKind = MetaCommand['kind']
export type CommandOf<Kind extends CommandKind> = Extract<MetaCommand, { readonly kind: Kind }>
/** The layout levels that a node's build knows. */
export interface NodeLevels {
  readonly node: NodeId
  readonly levels: LevelRange
}

/** What is asked, before somebody asks it. */
export type Wish = CommandBody

export type RefusalReason =
  | 'staleEpoch' | 'keyReused' | 'invalid' | 'unknownNode' | 'nodeLeft' | 'nodeDraining' | 'nodeExists' | 'nodeCarriesReplicas' | 'lastNode'
  | 'tooFewNodes' | 'zonesTooFew' | 'noRedundancy' | 'tooManyNodes' | 'weightOutOfRange' | 'zoneInvalid' | 'replicationFactorInvalid'
  | 'unknownGroup' | 'unknownReplica' | 'alreadyThere' | 'wouldLoseQuorum' | 'tooFewReplicas'
  | 'levelUnknown' | 'moveUnknown' | 'moveInProgress' | 'paused' | 'notPaused' | 'notPossible'

/** Nothing was changed. `message` says why, and what would be possible instead. */
export interface Refused {
  readonly kind: 'refused'
  readonly reason: RefusalReason
  readonly epoch: number
  readonly message: string
}

export type Outcome =
  /** `epoch` is the one the command made; `move` the move it is about, 0 when none. */
  | { readonly kind: 'applied'; readonly epoch: number; readonly move: MoveId }
  /** It was so already. */
  | { readonly kind: 'unchanged'; readonly epoch: number }
  | Refused

export const BY_CHARACTERS_MAX = 64
export const REQUEST_CHARACTERS_MAX = 64

export const KEYED_PREFIX = 'key:'
/** The request id of a change that a person gave a key: of both the digest, without a `:` (gateway/admin/requestId.ts). */
export const keyedRequest = (key: string, change: string): string => `${KEYED_PREFIX}${key}:${change}`

/** What a shard's leader (or the meta group's own) is asked to bring about. `epoch` fences: see driver.ts. */
export interface MoveOrder {
  readonly group: GroupKey
  readonly move: MoveId
  readonly epoch: number
  readonly voters: readonly ReplicaId[]
  readonly learners: readonly ReplicaId[]
}

/** What a shard's leader says to an order. The driver believes the configuration; the outcome only tells why it is not there yet. */
export interface MoveReport {
  readonly group: GroupKey
  readonly move: MoveId
  /** The order's. */
  readonly epoch: number
  readonly outcome: OrderOutcome
  /** The newest that is committed. */
  readonly configuration: Configuration
  /** As far as every member's log is known to equal the leader's, the leader's own among them. */
  readonly matches: readonly { readonly replica: ReplicaId; readonly index: Index }[]
}

/** What a member of the meta group is asked over the bus. `request` numbers the asker's questions. */
export type MetaAsk =
  /** Answered with a state no older than the question. Its history is long and wanted by few. */
  | { readonly type: 'meta.read'; readonly replyTo: Address; readonly request: number; readonly isHistoryWanted: boolean }
  | { readonly type: 'meta.propose'; readonly replyTo: Address; readonly request: number; readonly command: MetaCommand }

export type MetaAnswer =
  /** `history` is empty unless it was asked for. */
  | { readonly type: 'meta.state'; readonly request: number; readonly state: ClusterState }
  | { readonly type: 'meta.outcome'; readonly request: number; readonly outcome: Outcome }
  /** `leader` as this member knows it. Definite but for `outcomeUnknown`: ask again, with the same command. */
  | { readonly type: 'meta.refused'; readonly request: number; readonly leader: NodeId | ''
      readonly reason: 'notLeader' | 'overloaded' | 'outcomeUnknown' }

/**
 * Quarantined, or gone from its node's log before the map said so: it never votes again under its id, and is replaced under another. What
 * a node says of its own replicas informs; nothing but the committed move acts on it.
 */
export interface DamagedReplica {
  readonly group: GroupKey
  readonly replica: ReplicaId
}

/** What its Raft member tells it is what a shard is told (`ShardLocalEvent`); what only a shard can be told is ignored. */
export type TopologyEvent =
  | ShardLocalEvent
  | (MetaAsk & { readonly origin: Origin })
  | ({ readonly type: 'shard.configured' } & MoveReport)
  /** What the nodes that serve, and have for a while, tell of themselves: all of them, every time it changes. */
  | { readonly type: 'topology.levels'; readonly told: readonly NodeLevels[] }
  /** The nodes that have been silent for longer than the cluster's patience: all of them, every time it changes. */
  | { readonly type: 'topology.lost'; readonly nodes: readonly NodeId[] }
  /** The replicas that say of themselves that they count for nothing any more: all of them, every time it changes. */
  | { readonly type: 'topology.damaged'; readonly replicas: readonly DamagedReplica[] }
  /** What a node says of its load and its copies. */
  | { readonly type: 'topology.figures'; readonly figures: NodeFigures }

export type TopologyEffect =
  | { readonly type: 'raft.propose'; readonly proposal: number; readonly payload: Uint8Array }
  | { readonly type: 'raft.read'; readonly read: number; readonly lease: boolean }
  | { readonly type: 'topology.answer'; readonly to: Origin; readonly message: MetaAnswer }
  | { readonly type: 'topology.order'; readonly order: MoveOrder }
  /** A new state is applied, on every member: the node acts on it. */
  | { readonly type: 'topology.applied'; readonly state: ClusterState }
  | { readonly type: 'topology.writeSnapshot'; readonly index: Index; readonly term: Term; readonly chunks: SnapshotChunks }
  /** Nothing of this leadership waits: it may be handed over. */
  | { readonly type: 'topology.quiet' }
