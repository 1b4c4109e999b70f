/** What nodes would report of themselves, for tests of what is made of it. */

import type { NodeReport, ReplicaReport } from '../../topology/report.ts'

export const replica = (shard: number, fields: Partial<Record<keyof ReplicaReport, unknown>> = {}): ReplicaReport => ({
  shard, role: 'follower', state: 'following', term: 3, leader: 'n1', commitIndex: 10, appliedIndex: 10, keys: 1, revision: 1, waiting: 0,
  ...fields,
} as unknown as ReplicaReport)

export const report = (
  id: string, replicas: readonly ReplicaReport[], fields: Partial<Record<keyof NodeReport, unknown>> = {},
): NodeReport => ({
  cluster: '00000000000000aa', epoch: 1, shardCount: 2, members: ['n1', 'n2', 'n3'],
  broker: { url: 'nats://127.0.0.1:4222', version: '2.12.7', routing: 'broker' },
  node: { id, pid: 100, state: 'serving', bootId: `boot-${id}`, startedAtMs: 0, version: '1.2.3', wallMs: 0,
    diskFull: false, walBytes: 0, walBacklogBytes: 0, counters: {} },
  replicas, ...fields,
} as unknown as NodeReport)
