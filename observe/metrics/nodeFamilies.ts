/** Metrics of the process, its log, its snapshots, its connections and its view of the cluster. */

import { peerStates } from '../../actors/gossip/protocol.ts'
import { moveSteps } from '../../actors/topology/clusterState.ts'
import { nodeStates } from '../../topology/report.ts'
import { bytes, each, one, secondsOfMicros, wholeNumbers } from './family.ts'
import { snapshotRefusals } from '../../topology/timedSnapshots.ts'
import type { Family, Readings } from './family.ts'

const counter = ({ node }: Readings, name: string): number => node?.report.node.counters[name] ?? 0
const radios = ['post', 'beacon', 'gossip'] as const
/** Of the reasons for which a radio refuses: those that say something of the bytes, and not of their sender. */
const undecodable = ['malformed', 'version', 'kind', 'flags', 'truncated'] as const
const dropReasons = { full: 'droppedFull', disconnected: 'droppedDisconnected', tooLarge: 'droppedTooLarge' } as const

const processFamilies: readonly Family[] = [
  {
    name: 'shardkv_build_info', type: 'gauge', help: '1, with the version of ShardKV and of Node.',
    read: ({ process: { version } }) => one(1, { version, node_version: process.version }),
  },
  {
    name: 'process_start_time_seconds', type: 'gauge', help: 'When the process started, since 1970.',
    read: ({ process: { startSeconds } }) => one(startSeconds),
  },
  {
    name: 'process_cpu_seconds_total', type: 'counter', help: 'User and system time of the process.',
    read: ({ process: { cpuSeconds } }) => one(cpuSeconds),
  },
  {
    name: 'process_resident_memory_bytes', type: 'gauge', help: 'Memory of the process that is in RAM.',
    read: ({ process: { memory } }) => one(memory.rss),
  },
  {
    name: 'nodejs_heap_size_used_bytes', type: 'gauge', help: 'JavaScript heap in use.',
    read: ({ process: { memory } }) => one(memory.heapUsed),
  },
  {
    name: 'nodejs_heap_size_total_bytes', type: 'gauge', help: 'JavaScript heap that is reserved.',
    read: ({ process: { memory } }) => one(memory.heapTotal),
  },
  {
    name: 'nodejs_external_memory_bytes', type: 'gauge', help: 'Buffers outside of the heap.',
    read: ({ process: { memory } }) => one(memory.external),
  },
  {
    name: 'shardkv_event_loop_delay_seconds', type: 'histogram', bounds: secondsOfMicros, help: 'How much later than due a tick came.',
    read: ({ process: { loopDelayMicros } }) => [{ labels: {}, of: loopDelayMicros }],
  },
  {
    name: 'shardkv_log_lines_lost_total', type: 'counter', help: 'Lines of the node\'s log that could not be written.',
    read: ({ process: { lostLogLines } }) => one(lostLogLines),
  },
]

const storageFamilies: readonly Family[] = [
  {
    name: 'shardkv_wal_group_records', type: 'histogram', bounds: wholeNumbers,
    help: 'Records that one write and one sync of the log served.',
    read: ({ records }) => [{ labels: {}, of: records.walRecords }],
  },
  {
    name: 'shardkv_wal_group_duration_seconds', type: 'histogram', bounds: secondsOfMicros, help: 'To write and sync one group of the log.',
    read: ({ records }) => [{ labels: {}, of: records.walMicros }],
  },
  {
    name: 'shardkv_wal_sync_duration_seconds', type: 'histogram', bounds: secondsOfMicros,
    help: 'The fdatasync of one group of the log; on Linux with its write.',
    read: ({ records }) => [{ labels: {}, of: records.syncMicros }],
  },
  {
    name: 'shardkv_wal_bytes', type: 'gauge', help: 'Bytes of all segments of the log.',
    read: ({ node }) => one(node?.report.node.walBytes),
  },
  {
    name: 'shardkv_wal_backlog_bytes', type: 'gauge', help: 'Bytes given to the log and not durable yet.',
    read: ({ node }) => one(node?.report.node.walBacklogBytes),
  },
  {
    name: 'shardkv_snapshot_duration_seconds', type: 'histogram', bounds: { ...secondsOfMicros, exponents: [10, 30] },
    help: 'To write, sync and verify a snapshot.',
    read: ({ records }) => [{ labels: {}, of: records.snapshotMicros }],
  },
  {
    name: 'shardkv_snapshot_bytes', type: 'histogram', bounds: bytes, help: 'Size of a written snapshot.',
    read: ({ records }) => [{ labels: {}, of: records.snapshotBytes }],
  },
  {
    name: 'shardkv_snapshots_failed_total', type: 'counter', help: 'Snapshots that could not be written.',
    read: ({ records }) => one(records.snapshots.failed),
  },
  {
    name: 'shardkv_snapshots_received_total', type: 'counter', help: 'Snapshots that came from a leader.',
    read: ({ records }) => one(records.snapshots.received),
  },
  {
    name: 'shardkv_snapshots_received_bytes_total', type: 'counter', help: 'What they weighed.',
    read: ({ records }) => one(records.snapshots.receivedBytes),
  },
  {
    name: 'shardkv_snapshots_refused_total', type: 'counter',
    help: 'Snapshots that came from a leader and could not be used; it sends them again.',
    read: ({ records }) => each(snapshotRefusals, (reason) => ({ labels: { reason }, value: records.snapshots.refused[reason] })),
  },
  {
    name: 'shardkv_disk_full', type: 'gauge', help: '1 while the log refuses writes for want of space.',
    read: ({ node }) => one(node?.report.node.diskFull),
  },
  {
    name: 'shardkv_disk_free_bytes', type: 'gauge', help: 'Free space where the data is.',
    read: ({ node }) => one(node?.report.node.vitals?.disk?.freeBytes),
  },
  {
    name: 'shardkv_disk_total_bytes', type: 'gauge', help: 'Size of the file system where the data is.',
    read: ({ node }) => one(node?.report.node.vitals?.disk?.totalBytes),
  },
]

const memoryFamilies: readonly Family[] = [
  {
    name: 'shardkv_heap_live_bytes', type: 'gauge', help: 'What lived in the old generation after its last major collection.',
    read: ({ node }) => one(node?.report.node.memory?.heap.liveBytes),
  },
  {
    name: 'shardkv_heap_limit_bytes', type: 'gauge', help: 'The most that the old generation may have: --max-old-space-size.',
    read: ({ node }) => one(node?.report.node.memory?.heap.limitBytes),
  },
  {
    name: 'shardkv_memory_live_bytes', type: 'gauge', help: 'What lived in the heap and in buffers after the last major collection.',
    read: ({ node }) => one(node?.report.node.memory?.process.liveBytes),
  },
  {
    name: 'shardkv_memory_limit_bytes', type: 'gauge',
    help: 'The most that the process may have, by its container, machine and neighbours.',
    read: ({ node }) => one(node?.report.node.memory?.process.limitBytes),
  },
  {
    name: 'shardkv_memory_short', type: 'gauge', help: '1 while what grows is refused for want of memory: of the heap, or of the process.',
    read: ({ node }) => {
      const memory = node?.report.node.memory
      return memory === undefined ? [] : each(['heap', 'process'], (of) => ({ labels: { of }, value: Number(memory.shortage === of) }))
    },
  },
]

const busFamilies: readonly Family[] = [
  {
    name: 'shardkv_bus_connected', type: 'gauge', help: '1 while a connection to the broker is up: data, doors or control.',
    read: ({ node }) =>
      each(Object.entries(node?.connections ?? {}), ([connection, value]) => ({ labels: { connection }, value: Number(value) })),
  },
  {
    name: 'shardkv_bus_frames_total', type: 'counter', help: 'Frames to and from other nodes.',
    read: (from) => [
      ...one(counter(from, 'framesSent'), { direction: 'sent' }), ...one(counter(from, 'framesReceived'), { direction: 'received' }),
    ],
  },
  {
    name: 'shardkv_bus_messages_sent_total', type: 'counter', help: 'Messages in the frames that were sent.',
    read: (from) => one(counter(from, 'messagesSent')),
  },
  {
    name: 'shardkv_bus_messages_dropped_total', type: 'counter',
    help: 'Messages to other nodes that were dropped; Raft sends what matters again.',
    read: (from) => each(Object.entries(dropReasons), ([reason, name]) => ({ labels: { reason }, value: counter(from, name) })),
  },
  {
    name: 'shardkv_bus_waiting_bytes', type: 'gauge', help: 'Bytes that were published and that the broker has not confirmed.',
    read: ({ node }) => each(node?.outstanding, ({ connection, bytes: value }) => ({ labels: { connection }, value })),
  },
  {
    name: 'shardkv_bus_waiting_limit_bytes', type: 'gauge', help: 'So many may: above it messages are dropped.',
    read: ({ node }) => each(node?.outstanding, ({ connection, bytesMax: value }) => ({ labels: { connection }, value })),
  },
  {
    name: 'shardkv_bus_undecodable_total', type: 'counter',
    help: 'Messages from other nodes that could not be read here, by the radio that heard them.',
    read: (from) => (from.node === null ? [] : each(radios, (where) => ({
      labels: { where }, value: undecodable.reduce((sum, reason) => sum + counter(from, `${where}.refused.${reason}`), 0),
    }))),
  },
  {
    name: 'shardkv_bus_misdirected_total', type: 'counter', help: 'Messages for an actor or a replica that is not here.',
    read: (from) => one(counter(from, 'misdirected')),
  },
]

const clusterFamilies: readonly Family[] = [
  {
    name: 'shardkv_node_state', type: 'gauge', help: '1 for the state that the node is in.',
    read: ({ node }) =>
      (node === null ? [] : each(nodeStates, (state) => ({ labels: { state }, value: Number(state === node.report.node.state) }))),
  },
  {
    name: 'shardkv_shards', type: 'gauge', help: 'Shards that the cluster map says there are, whoever hosts them.',
    read: ({ node }) => one(node?.report.shardCount),
  },
  {
    name: 'shardkv_map_epoch', type: 'gauge', help: 'The epoch of the cluster map in force here.',
    read: ({ node }) => one(node?.report.epoch),
  },
  {
    name: 'shardkv_moves', type: 'gauge', help: 'Moves of replicas that are under way in the cluster, by step.',
    read: ({ node }) => (node === null ? [] : each(moveSteps, (step) => ({ labels: { step }, value: node.moves.get(step) ?? 0 }))),
  },
  {
    name: 'shardkv_moves_paused', type: 'gauge', help: '1 while no move begins by itself.',
    read: ({ node }) => one(node?.isPaused),
  },
  {
    name: 'shardkv_gossip_peers', type: 'gauge', help: 'Other nodes, by what the failure detector believes of them.',
    read: ({ node }) => (node?.report.gossip === undefined ? [] : each(peerStates, (state) => ({
      labels: { state }, value: node.report.gossip?.peers.filter((peer) => peer.state === state).length ?? 0,
    }))),
  },
  {
    name: 'shardkv_gossip_health', type: 'gauge', help: 'How much the failure detector doubts this node itself: 0 is well, 7 the worst.',
    read: ({ node }) => one(node?.report.gossip?.health),
  },
  {
    name: 'shardkv_gossip_incarnation', type: 'gauge', help: 'How often this node has had to say that it lives.',
    read: ({ node }) => one(node?.report.gossip?.incarnation),
  },
  {
    name: 'shardkv_gossip_messages_total', type: 'counter', help: 'Messages of the failure detector, by whether the broker took them.',
    read: (from) => [
      ...one(counter(from, 'gossip.sent'), { outcome: 'sent' }), ...one(counter(from, 'gossip.unsent'), { outcome: 'unsent' }),
    ],
  },
]

export const nodeFamilies: readonly Family[] = [
  ...processFamilies, ...memoryFamilies, ...clusterFamilies, ...busFamilies, ...storageFamilies,
]
