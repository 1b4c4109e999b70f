/** When, by the map, a group had other voters beside a replica: what the log of an old copy of a lonely time is judged by. */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { clusterId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { createMapWait, othersAt } from '../../topology/outgrown.ts'
import type { ClusterState, Move } from '../../actors/topology/clusterState.ts'
import type { HostedMember } from '../../topology/replicaHost.ts'
import type { ReplicaId } from '../../topology/ids.ts'

const n1 = replicaId(nodeId('n1'), 1)
const n2 = replicaId(nodeId('n2'), 2)
const n3 = replicaId(nodeId('n3'), 3)
const EPOCH = 40
const ORDERED_AT = 30

const born = adoptGenesis(must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members: [nodeId('n1')], shardCount: 1, replicationFactor: 1, createdAtMs: 1,
})[0], 'a genesis'))

const placed = (replicas: readonly ReplicaId[], move: Pick<Move, 'add' | 'remove' | 'step'> | null): ClusterState =>
  ({ ...born, epoch: EPOCH, shards: [{ replicas, move: move === null ? null : { id: 3, orderedAt: ORDERED_AT, ...move } }] })

test.each([
  ['alone', [n1], null, null],
  ['alone, with one that is being added', [n1], { add: n2, remove: null, step: 'adding' }, null],
  ['alone, with one that gets a vote', [n1], { add: n2, remove: null, step: 'promoting' }, EPOCH],
  ['no voter', [n2, n3], null, null],
  ['no voter yet', [n2, n3], { add: n1, remove: null, step: 'promoting' }, null],
  ['one of two', [n1, n2], null, EPOCH],
  ['one of two that become three', [n1, n2], { add: n3, remove: null, step: 'promoting' }, EPOCH],
  ['one of two, of which the other is replaced', [n1, n2], { add: n3, remove: n2, step: 'undoing' }, EPOCH],
  ['one of two, and goes', [n1, n2], { add: null, remove: n1, step: 'promoting' }, EPOCH],
  ['one of two, of which the other goes', [n1, n2], { add: null, remove: n2, step: 'promoting' }, ORDERED_AT - 1],
] as const)('the map tells of a replica that is %s whether, and when at the latest, others had a vote', (_, replicas, move, epoch) => {
  expect(othersAt(placed(replicas, move), shardId(0), n1)).toBe(epoch)
})

test('of a move that is being undone nobody can tell whether it was carried out, and when', () => {
  expect(othersAt(placed([n1, n2], { add: null, remove: n2, step: 'undoing' }), shardId(0), n1)).toBeNull()
  expect(othersAt(placed([n1], { add: n2, remove: null, step: 'undoing' }), shardId(0), n1)).toBeNull()
})

/** Of two members that are alone, on a node where the map of that epoch is in force. */
const createWait = () => {
  const told: string[] = []
  const raft = { isSole: () => true, send: ({ type }: { readonly type: string }) => told.push(type) }
  const member = { id: n1, raft } as unknown as HostedMember
  const clock = { ms: 500, now: () => clock.ms }
  const force = { epoch: EPOCH }
  return { told, clock, force, wait: createMapWait(clock, () => force.epoch, () => [member, member]) }
}

test('members are told of a newer map that others have, and no more when these have been heard for ten seconds', () => {
  const { told, clock, wait } = createWait()
  // Its log was long to open.
  clock.ms = 90_000
  wait.heard(EPOCH)
  expect(told).toEqual([])
  wait.heard(EPOCH + 1)
  expect(told).toEqual(['raft.mapMissed', 'raft.mapMissed'])
  clock.ms = 100_000
  wait.heard(EPOCH + 1)
  expect(told).toHaveLength(4)
  clock.ms = 100_001
  wait.heard(EPOCH + 1)
  expect(told).toHaveLength(4)
})

test('members are told so again when an older one has taken force meanwhile, or is told of, and no more when the newest has', () => {
  const { told, force, wait } = createWait()
  wait.noteMap()
  wait.heard(EPOCH + 2)
  expect(told).toHaveLength(2)
  force.epoch = EPOCH + 1
  wait.noteMap()
  expect(told).toHaveLength(4)
  wait.heard(EPOCH)
  expect(told).toHaveLength(6)
  force.epoch = EPOCH + 2
  wait.noteMap()
  wait.heard(EPOCH + 2)
  expect(told).toHaveLength(6)
})
