/** What a node says of itself on `kv.status`, and as a micro service, when its shards have answered something. */

import { describe, expect, test } from '@jest/globals'
import { createShardMeter } from '../../actors/shard/meter.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createGenesis, mapOfGenesis } from '../../topology/clusterMap.ts'
import { bootId, clusterId, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { createMicroService } from '../../topology/microService.ts'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { ailingIn, reportNode } from '../../topology/nodeReport.ts'
import { connectionsOf, readinessOf } from '../../topology/readiness.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { NodeOptions } from '../../topology/nodeOptions.ts'
import type { HostedMeta } from '../../topology/hostedMeta.ts'
import type { RaftStatus } from '../../actors/raft/status.ts'
import type { HostedReplica } from '../../topology/hostedReplica.ts'
import type { ReadinessFacts } from '../../topology/readiness.ts'
import type { NodeVitals } from '../../topology/report.ts'

const self = nodeId('n1')
const ok: OperationResult = { status: 'OK', revision: 1 }
const vitals: NodeVitals = { cpuMs: 1, rssBytes: 2, loopDelayMs: { p99: 3, max: 4 }, syncMicros: [5, 6], disk: null }

interface Stats {
  readonly version: string
  readonly endpoints: readonly { readonly name: string; readonly num_requests: number }[]
}

const open = (over: Partial<NodeOptions> = {}) => {
  const world = createVirtualWorld()
  const { clock, broker } = world
  const genesis = must(createGenesis({
    cluster: clusterId('0123456789abcdef'), members: [self], shardCount: 2, replicationFactor: 1, createdAtMs: 1,
  })[0], 'the record of n1')
  const options: NodeOptions = {
    genesis, boot: bootId('00000000000000aa'), pid: 1, startedAtMs: 1, settings: defaultSettings, onExit: () => {},
    ports: {
      clock, random: createRandom(1), fileSystem: createMemoryFileSystem({ schedule: (fn) => clock.defer(fn) }), log: silentLogger,
      bus: broker.connect({ name: 'n1' }), doorsBus: broker.connect({ name: 'n1/doors' }),
      controlBus: broker.connect({ name: 'n1/control' }),
      vitals: { vitals: () => vitals, noteSync: () => {}, noteTick: () => {} },
    },
    version: '1.2.3',
    ...over,
  }
  return { ...world, options, map: mapOfGenesis(genesis) }
}

const resting = { replicas: [replicaId(self, 1)], move: null }
const placements = { shards: [resting, resting], meta: resting }

const replicaOf = (shard: number, fill: (meter: ReturnType<typeof createShardMeter>) => void = () => {}): HostedReplica => {
  const meter = createShardMeter()
  fill(meter)
  return {
    shard: shardId(shard), id: replicaId(self, 1), isHurt: false,
    raft: {
      role: () => 'leader',
      isSnapshotLost: () => false,
      status: () => ({
        role: 'leader', term: 3, leader: replicaId(self, 1), commitIndex: 9, matchIndex: new Map([[replicaId(self, 1), 9]]),
      }),
    },
    actor: { meter, state: () => 'leading.serving', status: () => ({ appliedIndex: 9, keys: 1, revision: 4, pendingOperations: 5 }) },
  } as unknown as HostedReplica
}

const busy = replicaOf(0, (meter) => {
  meter.answered([{ code: OpCode.get, key: 'a' }, { code: OpCode.get, key: 'b' }], [ok, ok], 1)
  meter.answered([{ code: OpCode.put, key: 'a' }], [ok], 2)
})

describe('the report', () => {
  test('says what each shard has answered and how long that took, and is short about the idle', () => {
    const { options, map, clock } = open()
    const { node, replicas } = reportNode({
      options, map, level: 1, state: 'serving', routing: 'broker', replicas: [busy, replicaOf(1)], walBytes: 10, walBacklogBytes: 11,
      diskFull: false, counters: {}, meta: undefined, placements,
    })
    expect(replicas[0]).toMatchObject({
      waiting: 5, matchIndex: { n1: 9 },
      load: { reads: 2, writes: 1, readMicros: [expect.anything(), 2], writeMicros: [expect.anything(), 1] },
    })
    expect(replicas[1]).not.toHaveProperty('load')
    expect(node).toMatchObject({ version: '1.2.3', wallMs: clock.wall(), walBacklogBytes: 11, vitals })
    expect(node).not.toHaveProperty('addresses')
  })

  test('calls a replica suspect whose newest snapshot has gone bad under it, until another is written', () => {
    const { options, map } = open()
    let isLost = true
    const hurt: HostedReplica = { ...busy, raft: { ...busy.raft, isSnapshotLost: () => isLost } }
    const input = { replicas: [hurt], meta: hurt as unknown as HostedMeta, placements }
    const health = () => reportNode({
      options, map, level: 1, state: 'serving', routing: 'broker', walBytes: 0, walBacklogBytes: 0, diskFull: false, counters: {}, ...input,
    })
    expect(ailingIn(input)).toEqual({ metaHealth: 'suspect', replicas: [{ shard: 0, health: 'suspect' }] })
    expect([health().replicas[0]?.health, health().metaHealth]).toEqual(['suspect', 'suspect'])
    isLost = false
    expect(ailingIn(input)).toEqual({ replicas: [] })
    expect([health().replicas[0]?.health, health().metaHealth]).toEqual([undefined, undefined])
  })

  test('names a quarantined replica, with why, as readiness does', () => {
    const { options, map } = open()
    const status = (): RaftStatus => ({ ...busy.raft.status(), quarantined: 'its log is damaged' })
    const raft = { ...busy.raft, role: () => 'halted' as const, status }
    const input = { replicas: [replicaOf(1), { ...busy, raft }], meta: undefined, placements }
    const report = reportNode({
      options, map, level: 1, state: 'serving', routing: 'broker', walBytes: 0, walBacklogBytes: 0, diskFull: false, counters: {}, ...input,
    })
    const warnings = (facts: ReadinessFacts) => readinessOf(facts, connectionsOf(options.ports), null).warnings
    const expected = ['shard 0 is quarantined: its log is damaged']
    expect([warnings(report), warnings({ ...report, ...ailingIn(input) })]).toEqual([expected, expected])
  })

  test('says where the process can be reached, when that was told', () => {
    const addresses = { host: 'web1', http: 'http://10.0.0.3:8481', hasAdmin: false }
    const { options, map } = open({ addresses })
    expect(reportNode({
      options, map, level: 1, state: 'serving', routing: 'broker', replicas: [], walBytes: 0, walBacklogBytes: 0, diskFull: false,
      counters: {}, meta: undefined, placements,
    }).node.addresses).toEqual(addresses)
  })
})

test('a node whose front doors have lost their connection is not ready, and says so', () => {
  const { options, map, broker, pass } = open()
  const answer = () => readinessOf(reportNode({
    options, map, level: 1, state: 'serving', routing: 'broker', replicas: [], walBytes: 0, walBacklogBytes: 0, diskFull: false,
    counters: {}, meta: undefined, placements,
  }), connectionsOf(options.ports), { behind: [], leaderless: [] })
  expect(answer()).toMatchObject({ ready: true })
  broker.disconnect('n1/doors')
  pass(1)
  expect(answer()).toMatchObject({ ready: false, waitingFor: ['the connection of the front doors to the broker'] })
})

describe('the micro service', () => {
  test('adds up the shards, and has a version even when nobody told it', () => {
    const { options, map, broker, pass } = open()
    const { version: _unknown, ...node } = options
    const meters = [busy, busy].map(({ actor }) => actor.meter)
    const micro = createMicroService({ node, map, meters: () => meters, doorCounters: () => ({ 'batch.batches': 7 }) })
    micro.open()
    const client = broker.connect({ name: 'client' })
    const heard: Stats[] = []
    client.subscribe('_INBOX.me', ({ data }) => heard.push(JSON.parse(new TextDecoder().decode(data))))
    client.publish('$SRV.STATS', new Uint8Array(0), { reply: '_INBOX.me' })
    pass(5)
    micro.close()
    expect(heard.map(({ version }) => version)).toEqual(['0.0.0'])
    expect(heard[0]?.endpoints.map(({ name, num_requests }) => [name, num_requests]))
      .toEqual([['get', 4], ['put', 2], ['del', 0], ['incr', 0], ['touch', 0], ['batch', 7]])
  })
})
