/** What a node's metrics say after it has done this and that, in both formats; and what an observation must not cost. */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { createHistogram } from '../../actors/kernel/histogram.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { moveSteps } from '../../actors/topology/clusterState.ts'
import { mapSubject } from '../../bus/subjects.ts'
import { createInstruments } from '../../observe/instruments.ts'
import { createExposition, families } from '../../observe/metrics/exposition.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { parseExposition } from '../support/exposition.ts'
import { SHARDS_OF_TEST, startNodeOfTest } from '../support/nodeOfTest.ts'
import type { Readings } from '../../observe/metrics/family.ts'

/** Nothing takes any time. */
const still = { now: () => 0, after: () => () => {} }

const exposed = (instruments = createInstruments(() => 7)) => {
  const readings = (): Readings => ({
    records: instruments.records, node: null,
    traces: { sampled: 0, limited: 0, exported: 5, failed: 0, dropped: { queue: 1, open: 2, children: 3, end: 0 }, waiting: 0 },
    process: {
      version: '1.2.3', cpuSeconds: 1.5, startSeconds: 1, loopDelayMicros: createHistogram(),
      memory: { rss: 1, heapUsed: 2, heapTotal: 3, external: 4 }, lostLogLines: 6,
    },
  })
  const render = createExposition(readings, still)
  return { instruments, readings, render, read: async (isOpen = false) => parseExposition((await render(isOpen)).text) }
}

describe('metrics of a node', () => {
  test('count what clients asked and were told, and read hits and misses apart', async () => {
    const { send, pass, scrape } = startNodeOfTest()
    send('kv.put.a', '1')
    send('kv.put.a', '2', { 'Kv-If-Revision': '77' })
    pass(50)
    send('kv.get.a')
    send('kv.get.absent')
    send('kv.nonsense.a')
    pass(50)
    const { value } = await scrape()
    expect(value('shardkv_requests_total', { door: 'nats', op: 'put', status: 'OK' })).toBe(1)
    expect(value('shardkv_requests_total', { door: 'nats', op: 'put', status: 'CONFLICT' })).toBe(1)
    expect(value('shardkv_requests_total', { door: 'nats', op: 'none', status: 'INVALID' })).toBe(1)
    expect(value('shardkv_operations_total', { op: 'get', status: 'NOT_FOUND' })).toBe(1)
    expect(value('shardkv_reads_total', { result: 'hit' })).toBe(1)
    expect(value('shardkv_reads_total', { result: 'miss' })).toBe(1)
    expect(value('shardkv_refused_total', { where: 'gateway', reason: 'INVALID' })).toBe(1)
    expect(value('shardkv_in_flight_requests', { door: 'nats' })).toBe(0)
  })

  test('time each phase of an operation, once an operation', async () => {
    const { send, pass, scrape } = startNodeOfTest()
    for (let i = 0; i < 5; i += 1) send('kv.put.a', String(i))
    pass(50)
    const { value, types } = await scrape()
    for (const phase of ['gather', 'raft', 'shard']) {
      expect(value('shardkv_phase_duration_seconds_count', { op: 'put', phase })).toBe(5)
      expect(value('shardkv_phase_duration_seconds_bucket', { op: 'put', phase, le: '+Inf' })).toBe(5)
    }
    expect(value('shardkv_request_duration_seconds_count', { door: 'nats', op: 'put' })).toBe(5)
    expect(value('shardkv_wal_group_records_count')).toBeGreaterThan(0)
    expect(value('shardkv_apply_duration_seconds_count')).toBeGreaterThan(0)
    expect(types.get('shardkv_phase_duration_seconds')).toBe('histogram')
  })

  test('say how its replicas are, by shard and for the meta group', async () => {
    const { send, pass, scrape } = startNodeOfTest()
    send('kv.put.a', '1')
    pass(50)
    const { value } = await scrape()
    for (const shard of ['0', '1', 'meta']) {
      expect(value('shardkv_raft_is_leader', { shard })).toBe(1)
      expect(value('shardkv_raft_has_leader', { shard })).toBe(1)
      expect(value('shardkv_raft_leader_changes_total', { shard })).toBe(1)
      expect(value('shardkv_raft_uncommitted_entries', { shard })).toBe(0)
    }
    expect(value('shardkv_shard_keys')).toBe(1)
    expect(value('shardkv_shard_serving')).toBe(2)
    expect(value('shardkv_node_state', { state: 'serving' })).toBe(1)
    expect(value('shardkv_bus_connected')).toBe(3)
    expect(value('shardkv_moves')).toBe(0)
  })

  test('are OpenMetrics for who asks for it, with the trace of a slow request as its example', async () => {
    const { instruments, render } = exposed()
    instruments.ports.natsDoor.told(OpCode.put, 'OK')
    instruments.ports.natsDoor.took(OpCode.put, 3, 1)
    instruments.ports.natsDoor.traced(OpCode.put, 3, 'f'.repeat(32))
    const { text, contentType } = await render(true)
    expect(contentType).toContain('application/openmetrics-text')
    expect(text.endsWith('# EOF\n')).toBe(true)
    expect(text).toContain('# TYPE shardkv_requests counter\n')
    expect(text).toContain('shardkv_requests_total{door="nats",op="put",status="OK"} 1\n')
    expect(parseExposition(text).samples.filter(({ exemplar }) => exemplar !== null)).toEqual([{
      name: 'shardkv_request_duration_seconds_bucket', labels: { le: '0.004096', door: 'nats', op: 'put' }, value: 1,
      exemplar: `{trace_id="${'f'.repeat(32)}"} 0.003 7`,
    }])
    expect((await render(false)).text).not.toContain('trace_id')
  })

  test('have buckets that hold exactly what lies below their bound, however far apart values are', async () => {
    const { instruments, read } = exposed()
    for (const ms of [0.001, 0.5, 0.6, 40, 90_000]) instruments.ports.groupWritten({ records: 3, tookMs: ms, syncMs: ms })
    const { value } = await read()
    const below = (le: string) => value('shardkv_wal_sync_duration_seconds_bucket', { le })
    expect([below('0.000016'), below('0.000512'), below('0.001024'), below('16.777216'), below('+Inf')]).toEqual([1, 2, 3, 4, 5])
    expect(value('shardkv_wal_sync_duration_seconds_sum')).toBeCloseTo(90.041_101, 6)
    expect(value('shardkv_wal_group_records_bucket', { le: '1' })).toBe(0)
    expect(value('shardkv_wal_group_records_bucket', { le: '3' })).toBe(5)
  })

  test('count a leader once a term, and again when the same one is elected anew', async () => {
    const { instruments, read } = exposed()
    const { leaderKnown } = instruments.ports.raft
    const known = [['n1:1', 4], ['', 4], ['n1:1', 4], ['n1:1', 6], ['n1:1', 6], ['n2:1', 7]] as const
    for (const [leader, term] of known) leaderKnown(3, leader as Parameters<typeof leaderKnown>[1], term)
    expect((await read()).value('shardkv_raft_leader_changes_total', { shard: '3' })).toBe(3)
  })

  test('say of spans what became of each, and of those that were dropped why', async () => {
    const { value } = await exposed().read()
    expect(['exported', 'failed', 'dropped'].map((outcome) => value('shardkv_spans_total', { outcome }))).toEqual([5, 0, 6])
    expect(['queue', 'open', 'children', 'end'].map((reason) => value('shardkv_spans_dropped_total', { reason }))).toEqual([1, 2, 3, 0])
  })

  test('say how many lines of the log could not be written', async () => {
    expect((await exposed().read()).value('shardkv_log_lines_lost_total')).toBe(6)
  })

  test('say how many shards there are by the map, whoever hosts them, and what waits for the broker', async () => {
    const { scrape } = startNodeOfTest()
    const { value } = await scrape()
    expect(value('shardkv_shards')).toBe(SHARDS_OF_TEST)
    for (const connection of ['data', 'doors', 'control']) {
      expect(value('shardkv_bus_waiting_bytes', { connection })).toBe(0)
      expect(value('shardkv_bus_waiting_limit_bytes', { connection })).toBeGreaterThan(0)
    }
  })

  test('say what waits, what was dropped, refused or moved, as the node\'s parts count it', async () => {
    const sample = startNodeOfTest().node.sample()
    const { report, doors, shards } = sample
    const counters = {
      droppedFull: 3, droppedDisconnected: 4, droppedTooLarge: 5, misdirected: 6, framesSent: 7, framesReceived: 8, messagesSent: 9,
      'gossip.sent': 10, 'gossip.unsent': 11, 'batch.opened': 12, 'batch.closed': 13, 'batch.batches': 14,
    }
    const peer = { node: nodeId('n2'), state: 'suspect', incarnation: 1 } as const
    const memory = {
      shortage: 'process',
      heap: { liveBytes: 26, usedBytes: 27, limitBytes: 28 }, process: { liveBytes: 29, usedBytes: 30, limitBytes: 31, residentBytes: 32 },
    } as const
    const render = createExposition(() => ({
      ...exposed().readings(), node: {
        ...sample, moves: new Map([[moveSteps[0], 2]]), isPaused: true,
        report: {
          ...report, node: { ...report.node, diskFull: true, walBacklogBytes: 15, counters, memory },
          gossip: { state: 'running', incarnation: 16, health: 2, peers: [peer] },
        },
        doors: { ...must(doors, 'doors'), natsWaiting: 17, batchWaiting: 18, batchSessions: 19 },
        shards: shards.slice(0, 1).map((shard) => ({
          ...shard, pendingBytes: 20, sessions: 21, undecodable: 22,
          counters: { ...shard.counters, silenced: 23, overloaded: 24, changesDropped: 25 },
        })),
      },
    }), still)
    const { value } = parseExposition((await render(false)).text)
    const expected: readonly (readonly [string, Readonly<Record<string, string>>, number])[] = [
      ['bus_messages_dropped_total', { reason: 'full' }, 3], ['bus_messages_dropped_total', { reason: 'disconnected' }, 4],
      ['bus_messages_dropped_total', { reason: 'tooLarge' }, 5], ['bus_misdirected_total', {}, 6],
      ['bus_frames_total', { direction: 'sent' }, 7], ['bus_frames_total', { direction: 'received' }, 8],
      ['bus_messages_sent_total', {}, 9], ['gossip_messages_total', { outcome: 'sent' }, 10],
      ['gossip_messages_total', { outcome: 'unsent' }, 11], ['connections_opened_total', {}, 12], ['connections_closed_total', {}, 13],
      ['batches_total', {}, 14], ['wal_backlog_bytes', {}, 15], ['gossip_incarnation', {}, 16], ['gossip_health', {}, 2],
      ['gossip_peers', { state: 'suspect' }, 1], ['gossip_peers', { state: 'alive' }, 0],
      ['in_flight_requests', { door: 'nats' }, 17], ['in_flight_requests', { door: 'batch' }, 18], ['connections', {}, 19],
      ['shard_waiting_bytes', {}, 20], ['shard_exactly_once_sessions', {}, 21], ['shard_undecodable_total', {}, 22],
      ['shard_silenced_total', {}, 23], ['shard_overloaded_total', {}, 24], ['shard_announcements_dropped_total', {}, 25],
      ['moves', { step: moveSteps[0] }, 2], ['moves', {}, 2], ['moves_paused', {}, 1], ['disk_full', {}, 1],
      ['heap_live_bytes', {}, 26], ['heap_limit_bytes', {}, 28], ['memory_live_bytes', {}, 29], ['memory_limit_bytes', {}, 31],
      ['memory_short', { of: 'heap' }, 0], ['memory_short', { of: 'process' }, 1],
    ]
    expect(expected.map(([name, labels]) => [name, labels, value(`shardkv_${name}`, labels)])).toEqual(expected)
  })

  test('count messages that could not be read, from the first on, and not those of strangers', async () => {
    const { client, pass, scrape } = startNodeOfTest()
    const undecodable = async (where: string) => (await scrape()).value('shardkv_bus_undecodable_total', { where })
    expect([await undecodable('post'), await undecodable('beacon'), await undecodable('gossip')]).toEqual([0, 0, 0])
    client.publish(mapSubject(clusterId('0123456789abcdef'), nodeId('n2')), new TextEncoder().encode('no beacon'))
    pass(50)
    expect([await undecodable('post'), await undecodable('beacon')]).toEqual([0, 1])
  })

  test('have names and help that follow the rules of Prometheus', () => {
    const names = families.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, type, help } of families) {
      expect(name).toMatch(/^(shardkv|process|nodejs)_[a-z0-9_]+$/)
      expect(name.endsWith('_total')).toBe(type === 'counter')
      expect(help.endsWith('.')).toBe(true)
    }
  })

  test('never name a key, a client or a value', async () => {
    const { send, pass, scrape } = startNodeOfTest()
    send('kv.put.secretkey', 'secretvalue')
    send('kv.get.secretkey')
    pass(50)
    const { text } = await scrape(true)
    expect(text).not.toMatch(/secret/)
  })
})
