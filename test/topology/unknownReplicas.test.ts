/** Replicas that the map names and the log does not know, in a directory that may not be the one they were in; and what files say. */

import { expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { createTurn } from '../../actors/kernel/turn.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { clusterId, nodeId, replicaId } from '../../topology/ids.ts'
import { createReplicaHost } from '../../topology/replicaHost.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { RecoveredGroup, WalEvent } from '../../actors/wal/protocol.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { SnapshotStore, SnapshotsFound } from '../../storage/snapshotStore.ts'
import type { NamedReplica } from '../../topology/namedReplicas.ts'
import type { ReplicaHost } from '../../topology/replicaHost.ts'
import type { GroupId } from '../../topology/ids.ts'

const n1 = nodeId('n1')
const genesis = must(createGenesis({
  cluster: clusterId('0123456789abcdef'), members: [n1], shardCount: 2, replicationFactor: 1, createdAtMs: 1,
})[0], 'a genesis')

const named = (group: GroupId, generation: number): NamedReplica => {
  const id = replicaId(n1, generation)
  return { group, id, isAdded: generation > 1, isUndone: false, voters: [id] }
}
const held = (group: GroupId, generation: number): RecoveredGroup => ({
  group, hardState: { term: 4, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [], replica: { generation, isRemoved: false },
})

interface Given {
  readonly isMapLost?: boolean
  readonly named: readonly NamedReplica[]
  readonly log?: readonly RecoveredGroup[]
  readonly files?: SnapshotsFound
}

const open = (given: Given): { readonly host: ReplicaHost; readonly wal: readonly WalEvent[] } => {
  const { clock, pass } = createVirtualWorld()
  const wal: WalEvent[] = []
  const snapshots = {
    list: (_group: GroupId, done: (error: FileError | null, found: SnapshotsFound) => void) =>
      done(null, given.files ?? { good: [], damaged: [] }),
  } as unknown as SnapshotStore
  const ignore = (): void => {}
  const host = createReplicaHost({
    node: n1, genesis, named: () => given.named,
    nextGeneration: () => (given.isMapLost === true ? null : 10), unknownFrom: () => 10,
    clock, random: createRandom(1), log: silentLogger, turn: createTurn(clock), snapshots,
    entryBytesMax: 1_000, announceChanges: false, traceMessages: false, onFailure: (error) => { throw error },
    ports: {
      wal: (event) => wal.push(event), mail: ignore, answer: ignore, serving: ignore, drainSlot: ignore, quiet: ignore, changed: ignore,
      order: ignore, stateChanged: ignore, ended: ignore,
    },
  })
  host.open({ groups: new Map((given.log ?? []).map((group) => [group.group, group])), tornBytes: 0, findings: [] }, ignore)
  pass(10)
  return { host, wal }
}

const whyQuarantined = (host: ReplicaHost, group: GroupId): string | undefined => host.memberOf(group)?.raft.status().quarantined

test('a replica of the genesis begins where nothing says that it was here before: the cluster is being born', () => {
  const { host } = open({ isMapLost: true, named: [named(0, 1)] })
  expect([host.all().map(({ id }) => id), host.damaged()]).toEqual([['n1:1'], []])
})

/** A directory that joined before genesis files said so, and has lost its map. */
test('a replica of the genesis that the log does not know is quarantined where the map is lost and the log knows of later ones', () => {
  const given = { named: [named(0, 1)], log: [held(1, 6)] }
  const { host } = open({ ...given, isMapLost: true })
  expect([whyQuarantined(host, 0), host.damaged()]).toEqual([expect.stringContaining('n1:1'), [{ group: 0, id: 'n1:1' }]])
  expect(open(given).host.damaged()).toEqual([])
})

test('what the files alone say against a replica is kept in its log, and what the log says is not written again', () => {
  const lacking: RecoveredGroup = { ...held(0, 6), snapshot: { index: 5, term: 4 } }
  const { host, wal } = open({ named: [named(0, 6)], log: [lacking] })
  expect([whyQuarantined(host, 0), wal]).toEqual([
    expect.stringContaining('index 5'), [{ type: 'wal.quarantine', group: 0, ticket: 0, reason: expect.stringContaining('index 5') }],
  ])
  expect(open({ named: [named(0, 6)], log: [{ ...lacking, quarantined: 'no good snapshot' }] }).wal).toEqual([])
})

test('of a snapshot that could not be read the log keeps nothing: the next start may find it good', () => {
  const lacking: RecoveredGroup = { ...held(0, 6), snapshot: { index: 5, term: 4 } }
  const { host, wal } = open({ named: [named(0, 6)], log: [lacking], files: { good: [], damaged: ['5'], isUnread: true } })
  expect([whyQuarantined(host, 0), wal]).toEqual([expect.stringContaining('index 5'), []])
})
