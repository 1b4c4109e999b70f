/** Metrics of replicas: who leads, how far each is, what waits in it. The label `shard` is a number, or `meta` for the meta group. */

import { META_GROUP } from '../../topology/ids.ts'
import { each, secondsOfMicros, wholeNumbers } from './family.ts'
import type { GroupSample, ShardSample } from '../../topology/nodeSample.ts'
import type { ReplicaReport } from '../../topology/report.ts'
import type { Family } from './family.ts'

type Scalars = Extract<Family, { readonly type: 'counter' | 'gauge' }>
type About<T> = Pick<Scalars, 'name' | 'help' | 'type'> & { readonly of: (item: T) => number | boolean }

const perGroup = ({ of, ...named }: About<GroupSample>): Family => ({
  ...named, read: ({ node }) => each(node?.groups, (group) => ({ labels: { shard: group.group }, value: Number(of(group)) })),
})
const perShard = ({ of, ...named }: About<ShardSample>): Family => ({
  ...named, read: ({ node }) => each(node?.shards, (sample) => ({ labels: { shard: sample.shard }, value: Number(of(sample)) })),
})
const perReplica = ({ of, ...named }: About<ReplicaReport>): Family => ({
  ...named,
  read: ({ node }) => each(node?.report.replicas, (replica) => ({ labels: { shard: replica.shard }, value: Number(of(replica)) })),
})

const groupName = (group: number): string => (group === META_GROUP ? 'meta' : String(group))

export const raftFamilies: readonly Family[] = [
  perGroup({ name: 'shardkv_raft_term', type: 'gauge', help: 'The Raft term of the replica here.', of: ({ term }) => term }),
  perGroup({ name: 'shardkv_raft_is_leader', type: 'gauge', help: '1 where the replica here leads.', of: ({ isLeader }) => isLeader }),
  perGroup({
    name: 'shardkv_raft_has_leader', type: 'gauge', help: '1 where the replica here knows who leads.', of: ({ hasLeader }) => hasLeader,
  }),
  {
    name: 'shardkv_raft_leader_changes_total', type: 'counter', help: 'Leaders that replicas here have got to know, one for each term.',
    read: ({ records }) => each(records.leaderChanges, ([group, value]) => ({ labels: { shard: groupName(group) }, value })),
  },
  perGroup({
    name: 'shardkv_raft_commit_index', type: 'gauge', help: 'The last entry that the replica here knows to be committed.',
    of: ({ commitIndex }) => commitIndex,
  }),
  perGroup({
    name: 'shardkv_raft_uncommitted_entries', type: 'gauge', help: 'Entries in the log here that are not committed: the commit lag.',
    of: ({ uncommitted }) => uncommitted,
  }),
  perGroup({
    name: 'shardkv_raft_unapplied_entries', type: 'gauge', help: 'Entries that are committed and not applied here: the apply lag.',
    of: ({ unapplied }) => unapplied,
  }),
  {
    name: 'shardkv_raft_follower_lag_entries', type: 'gauge', help: 'As leader: entries that a member does not have on its disk yet.',
    read: ({ node }) => (node?.groups ?? []).flatMap(({ group, lag }) =>
      each(lag, ([peer, value]) => ({ labels: { shard: group, peer }, value }))),
  },
  perGroup({
    name: 'shardkv_raft_quarantined', type: 'gauge', help: '1 where the replica here is quarantined: it is damaged and takes no part.',
    of: ({ isQuarantined }) => isQuarantined,
  }),
  {
    name: 'shardkv_raft_append_entries', type: 'histogram', bounds: wholeNumbers, help: 'Entries in an append message to a follower.',
    read: ({ records }) => [{ labels: {}, of: records.appendEntries }],
  },
  {
    name: 'shardkv_apply_duration_seconds', type: 'histogram', bounds: secondsOfMicros,
    help: 'To apply what one commit brought to a shard, and to answer who waited for it.',
    read: ({ records }) => [{ labels: {}, of: records.apply }],
  },
  {
    name: 'shardkv_apply_entries', type: 'histogram', bounds: wholeNumbers, help: 'Entries that one commit brought to a shard.',
    read: ({ records }) => [{ labels: {}, of: records.applyEntries }],
  },
  perReplica({ name: 'shardkv_shard_keys', type: 'gauge', help: 'Keys of the shard.', of: ({ keys }) => keys }),
  perReplica({
    name: 'shardkv_shard_revision', type: 'gauge', help: 'Mutations applied to the shard, ever.', of: ({ revision }) => revision,
  }),
  perReplica({
    name: 'shardkv_shard_serving', type: 'gauge', help: '1 where the replica here leads the shard and serves it.',
    of: ({ state }) => state === 'leading.serving',
  }),
  perReplica({
    name: 'shardkv_shard_waiting_operations', type: 'gauge', help: 'Operations taken by the shard and not answered.',
    of: ({ waiting }) => waiting,
  }),
  perShard({
    name: 'shardkv_shard_waiting_bytes', type: 'gauge', help: 'What these operations weigh.', of: ({ pendingBytes }) => pendingBytes,
  }),
  perShard({
    name: 'shardkv_shard_exactly_once_sessions', type: 'gauge', help: 'Exactly-once sessions in the state of the shard.',
    of: ({ sessions }) => sessions,
  }),
  perShard({
    name: 'shardkv_shard_snapshot_index', type: 'gauge', help: 'The last entry of the newest snapshot here.',
    of: ({ snapshotIndex }) => snapshotIndex,
  }),
  perShard({
    name: 'shardkv_shard_undecodable_total', type: 'counter', help: 'Committed entries that this version could not read.',
    of: ({ undecodable }) => undecodable,
  }),
  perShard({
    name: 'shardkv_shard_silenced_total', type: 'counter', help: 'Operations met with silence: the replica here could not be certain.',
    of: ({ counters }) => counters.silenced,
  }),
  perShard({
    name: 'shardkv_shard_overloaded_total', type: 'counter', help: 'Operations refused since the shard held too many.',
    of: ({ counters }) => counters.overloaded,
  }),
  perShard({
    name: 'shardkv_shard_announcements_dropped_total', type: 'counter', help: 'Announcements of changes above the limit of a turn.',
    of: ({ counters }) => counters.changesDropped,
  }),
]
