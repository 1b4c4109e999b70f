/**
 * What a node is given: its genesis, its ports and its settings. Nothing in a node reads the environment, the clock or the disk by itself.
 */

import { raftLimitDefaults } from '../actors/raft/limits.ts'
import { nodesInbox } from '../bus/subjects.ts'
import type { RaftInstruments } from '../actors/raft/actor.ts'
import type { RaftLimits } from '../actors/raft/limits.ts'
import type { RaftTiming } from '../actors/raft/timing.ts'
import type { ShardInstruments } from '../actors/shard/actor.ts'
import type { ShardLimits } from '../actors/shard/limits.ts'
import type { WrittenGroup } from '../actors/wal/actor.ts'
import type { WalConfig } from '../actors/wal/config.ts'
import type { TopologyLimits } from '../actors/topology/core.ts'
import type { ConnectionLimits } from '../actors/connection/limits.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Tick } from '../actors/kernel/ticker.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Bus } from '../bus/port.ts'
import type { NodeRecorder } from '../observe/recorder/recorder.ts'
import type { RequestRecorder } from '../observe/recorder/requests.ts'
import type { OperationTimes } from '../observe/recorder/wire.ts'
import type { DoorInstruments } from '../gateway/instruments.ts'
import type { RequestTracing } from '../gateway/tracing.ts'
import type { FileSystem } from '../storage/fileSystem.ts'
import type { NodeAddresses } from './addresses.ts'
import type { BootId } from './ids.ts'
import type { Journeys } from './journeys.ts'
import type { MemoryWatchOptions } from './memoryWatch.ts'
import type { JoinWish } from './ownMembership.ts'
import type { NodeVitals } from './report.ts'
import type { SnapshotInstruments } from './timedSnapshots.ts'

/** What a node sends to new replicas, in bytes a second, unless it is told otherwise. */
export const MOVE_BYTES_PER_SECOND_DEFAULT = raftLimitDefaults.moveBytesPerSecond

export interface NodeSettings {
  /** The public prefix, one token: `kv`. */
  readonly prefix: string
  /** Replies go only to subjects under this prefix (docs/TESTING.md T22): `_INBOX.`. */
  readonly inboxPrefix: string
  /** Where this node itself hears answers, without the final dot (bus/subjects.ts, `nodesInbox`). */
  readonly ownInboxPrefix: string
  /** Length of a tick in milliseconds; election and heartbeat times are counted in ticks. */
  readonly tickMs: number
  /** How long a node may be silent before its replicas are rebuilt elsewhere. */
  readonly lostAfterMs: number
  /** How often the meta group's leader asks every node how busy it is, and once a second while something moves. 0: never. */
  readonly figuresEveryMs: number
  /** Announce committed changes on `kv-changed.<key>`, at most once each. */
  readonly announceChanges: boolean
  /** Write a line per Raft message at trace level; off, messages cost nothing. */
  readonly traceMessages: boolean | (() => boolean)
  readonly raftTiming?: Partial<RaftTiming>
  readonly raftLimits?: Partial<RaftLimits>
  readonly shardLimits?: Partial<ShardLimits>
  readonly topologyLimits?: Partial<TopologyLimits>
  readonly connectionLimits?: Partial<ConnectionLimits>
  readonly wal?: Partial<WalConfig>
}

/**
 * Tick 100 ms, a heartbeat each, election after 5-10 ticks (500-1,000 ms): the heartbeats of all groups of a node share frames, and an
 * idle node wakes half as often as with ticks of 50 ms. A shard that nobody has asked for 5 s has a heartbeat every 200 ms. Why these
 * times: a killed leader is missed after at most 1 s, and pre-vote, vote and the first fsync take tens of milliseconds, so the next
 * acknowledgement comes well within 2 s even when one round splits. Shorter timeouts make a busy two-core machine (garbage
 * collection, a slow fsync, a stolen core) look like a dead leader.
 */
export const defaultSettings: NodeSettings = {
  prefix: 'kv',
  inboxPrefix: '_INBOX.',
  ownInboxPrefix: nodesInbox('_INBOX'),
  tickMs: 100,
  raftTiming: {
    heartbeatTicks: 1, quietHeartbeatTicks: 2, quietAfterTicks: 50, electionTicksMin: 5, electionTicksMax: 10, resendTicks: 3,
    snapshotRetryTicks: 10,
  },
  lostAfterMs: 30_000,
  figuresEveryMs: 5_000,
  announceChanges: false,
  traceMessages: false,
}

export interface VitalsPort {
  readonly vitals: () => NodeVitals
  /** How long a commit group took to be durable. */
  readonly noteSync: (tookMs: number) => void
  /** Called at every tick, which tells how late it comes. */
  readonly noteTick: (tick: Tick) => void
}

/** What the parts of a node tell as it happens, for metrics. */
export interface NodeInstruments {
  readonly shard: ShardInstruments
  readonly raft: RaftInstruments
  readonly groupWritten: (group: WrittenGroup) => void
  readonly snapshots: SnapshotInstruments
  readonly natsDoor: DoorInstruments
  readonly batchDoor: DoorInstruments
}

export interface NodePorts {
  readonly clock: Clock
  readonly random: Random
  readonly fileSystem: FileSystem
  /** The data path: frames between nodes. CheckQuorum counts what travels here. */
  readonly bus: Bus
  /**
   * The front doors: requests of clients and their replies. A connection is first in, first out, at the broker as in the socket: on one
   * with the frames, a flood of clients would be in front of the heartbeats, and cost leaders their quorum.
   */
  readonly doorsBus: Bus
  /** What nobody else can guess, and no call gave before; absent in the simulator. */
  readonly newToken?: () => string
  /** A connection for status, beacons and probes, so that a dead data path can not hide behind a healthy control path. */
  readonly controlBus: Bus
  readonly log: Logger
  /** Spans for sampled requests; absent in the simulator. */
  readonly tracing?: RequestTracing
  /** Hears the wires between the node's actors in place of what follows sampled requests there; in the simulator only (sim/wires.ts). */
  readonly journeys?: Journeys
  /** Remembers what the actors did; in the simulator only when a recording is wanted. */
  readonly recorder?: NodeRecorder
  /** Requests that it keeps; with a recorder only. */
  readonly requests?: Pick<RequestRecorder, 'kept'>
  /** What came in by the doors since the start; with a recorder only. */
  readonly operationTimes?: () => readonly OperationTimes[]
  /** What the process measures of itself; absent in the simulator. */
  readonly vitals?: VitalsPort
  /** Absent in the simulator: there is always enough. */
  readonly memory?: MemoryWatchOptions['gauge']
  /** Absent in the simulator. */
  readonly instruments?: NodeInstruments
}

export interface NodeOptions {
  readonly genesis: Genesis
  readonly boot: BootId
  readonly pid: number
  readonly startedAtMs: number
  /** Of ShardKV, for reports. */
  readonly version?: string
  /** What it tells the others and whoever asks; absent in the simulator. */
  readonly addresses?: NodeAddresses
  readonly ports: NodePorts
  readonly settings: NodeSettings
  /** Given: the node asks to be added when the map does not name it. */
  readonly join?: JoinWish
  /** Called once, when the node has stopped by itself: 0 drained, EXIT_FAILURE, EXIT_REFUSED. */
  readonly onExit: (code: number, reason: string) => void
}
