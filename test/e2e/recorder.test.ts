/**
 * What people see of a real cluster: a leader that dies and the election after it, live and in order, and the way of one write, which is on
 * the disks of a majority before it is answered. On a broker that asks for passwords and allows what docs/SUBJECTS.md says, no more.
 */

import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { traceQuestionSubject, traceWildcard } from '../../bus/subjects.ts'
import { recordOf } from '../../observe/recorder/record.ts'
import { headOf } from '../../observe/recorder/recording.ts'
import { encodeJson } from '../../observe/recorder/wire.ts'
import { CLUSTER, isServing } from '../../chaos/ground/cluster.ts'
import { portOf } from '../support/adminPort.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { settledKv } from '../support/kv.ts'
import { until } from '../support/until.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { ActorRecord } from '../../observe/recorder/record.ts'

const TEST_MS_MAX = 240_000
const WAIT_MS_MAX = 90_000

const cluster = clusterOfTest()

interface Feed {
  readonly records: ActorRecord[]
  readonly beats: () => number
  readonly close: () => void
}

/** What an event stream says, as it says it. */
const openFeed = (port: number, query: string): Feed => {
  const records: ActorRecord[] = []
  let beats = 0
  let rest = ''
  const request = httpRequest({ host: '127.0.0.1', port, path: `/v1/feed?${query}` }, (response) => {
    response.on('data', (chunk: Buffer) => {
      const events = `${rest}${chunk.toString()}`.split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const [, name, data = ''] = /^event: (\w+)\ndata: ([^]*)$/.exec(event) ?? []
        if (name === 'beat') beats += 1
        if (name === 'records') for (const one of JSON.parse(data) as unknown[]) records.push(must(recordOf(one), 'a record'))
      }
    })
    response.on('error', () => {})
  })
  request.on('error', () => {})
  request.end()
  return { records, beats: () => beats, close: () => { request.destroy() } }
}

const json = async (port: number, path: string, method = 'GET'): Promise<unknown> =>
  (await fetch(`http://127.0.0.1:${port}${path}`, { method })).json()

const leaderOfShard0 = async (running: TestCluster) => {
  const reports = await running.until('every shard is served', isServing(running))
  return must(reports.flatMap(({ node, replicas }) =>
    (replicas.some(({ shard, role }) => shard === 0 && role === 'leader') ? [node.id] : []))[0], 'somebody leads')
}

describe('a real cluster', () => {
  test('shows the death of a leader and the election that follows, live and in order', async () => {
    const { running } = await cluster.open({ shards: 2, hasPermissions: true })
    const leader = await leaderOfShard0(running)
    const watching = must(running.members.find((node) => node !== leader), 'there are others')
    const feed = openFeed(portOf(running, watching), 'kind=state,note&shard=0')
    cluster.onEnd(feed.close)
    await until(() => feed.beats() > 0, 'the feed is open', WAIT_MS_MAX)
    await running.kill(leader)
    const isElected = ({ actor, event }: ActorRecord): boolean => actor === 'raft/0' && event === 'leader.serving'
    await until(() => feed.records.some(isElected), 'a successor serves', WAIT_MS_MAX)
    const winner = must(feed.records.find(isElected), 'a successor')
    expect(winner.node).not.toBe(leader)
    const states = feed.records.filter(({ node, actor, kind, seq }) =>
      node === winner.node && actor === 'raft/0' && kind === 'state' && seq <= winner.seq).map(({ event }) => event)
    expect(states.slice(-4)).toEqual(['preCandidate', 'candidate', 'leader.settling', 'leader.serving'])
    const loser = must(running.members.find((node) => node !== leader && node !== winner.node), 'a third node')
    await until(() => feed.records.some(({ node, event }) => node === loser && event === `follows ${winner.node}`),
      'the other one follows', WAIT_MS_MAX)
  }, TEST_MS_MAX)

  test('shows the way of a write, which is on the disks of a majority before it is answered', async () => {
    const { running, bus } = await cluster.open({ shards: 2, hasPermissions: true })
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    const headers = new Map([['traceparent', `00-${trace}-00f067aa0ba902b7-01`]])
    const answer = await new Promise<string | undefined>((resolve) => {
      bus.request('kv.put.user42', new TextEncoder().encode('a secret value'), { timeoutMs: WAIT_MS_MAX, headers },
        (_failure, inbound) => resolve(inbound?.headers?.get('Kv-Status')))
    })
    expect(answer).toBe('OK')
    const port = portOf(running, must(running.members[2], 'n3'))
    let records: readonly ActorRecord[] = []
    const isWhole = async (): Promise<boolean> => {
      records = (await json(port, `/v1/requests/${trace}`) as { records: ActorRecord[] }).records
      return records.filter(({ event }) => event === 'fsync').length === 3
    }
    const giveUpAt = performance.now() + WAIT_MS_MAX
    while (!await isWhole()) expect(performance.now()).toBeLessThan(giveUpAt)
    const at = (isIt: (record: ActorRecord) => boolean): number => must(records.find(isIt), 'a record').at
    const replied = at(({ event }) => event === 'reply')
    // By the leader's clock alone: its own sync, and the first follower's that it has heard of.
    const durable = records.filter(({ event, node }) => node === leaderIn(records) && (event === 'fsync' || event === 'replicate'))
      .map((record) => record.at).toSorted((a, b) => a - b)
    expect(durable[1]).toBeLessThanOrEqual(replied)
    const order = ['arrive', 'propose', 'commit', 'apply', 'reply'].map((phase) => at(({ event, node, seq }) =>
      event === phase && (phase !== 'commit' && phase !== 'apply' ? true : node === leaderIn(records) && seq > 0)))
    expect(order).toEqual(order.toSorted((a, b) => a - b))
    // A follower that is slow to answer is sent it again.
    const received = records.filter(({ event, kind }) => event === 'raft.append' && kind === 'receive').map((record) => record.node)
    expect(new Set(received).size).toBe(2)
    expect(await json(port, '/v1/requests?key=user42')).toMatchObject({ requests: [{ trace, op: 'put', status: 'OK', key: 'user42' }] })
    const whole = await (await fetch(`http://127.0.0.1:${port}/v1/recording`)).text()
    expect(whole).toContain(trace)
    expect(whole).not.toContain('secret')
    const { code, out } = await running.cli('trace', trace, '--admin', `http://127.0.0.1:${port}`).ended
    expect([code, out]).toEqual([0, expect.stringMatching(/put user42 {2}shard \d {2}OK[^]*■ on disk[^]*● OK after/)])
  }, TEST_MS_MAX)

  test('finds a request that failed by the id in the log and in the metrics, though nobody had sampled it', async () => {
    const { running, bus } = await cluster.open({ shards: 2, environment: () => ({ SHARDKV_SLOW_MS: '1' }) })
    await settledKv(bus, 'kv.put.counter', 'no number', { 'Kv-Request-Id': 'put' })
    const lines = (): readonly Readonly<Record<string, unknown>>[] => running.members.flatMap((node) => running.log(node).split('\n')
      .filter((line) => line.includes('"cmd":"incr"') && line.includes('slow at the door'))
      .map((line) => JSON.parse(line) as Record<string, unknown>))
    // One that takes less than a millisecond is no line.
    for (let i = 0; lines().length === 0 && i < 200; i += 1) {
      expect((await settledKv(bus, 'kv.incr.counter', '1', { 'Kv-Request-Id': `incr-${i}` })).status).toBe('INVALID')
      await until(() => lines().length > 0, 'a line', 500).catch(() => {})
    }
    const { trace_id: trace, node, status } = must(lines()[0], 'a line of the log')
    expect([status, trace]).toEqual(['INVALID', expect.stringMatching(/^[0-9a-f]{32}$/)])
    const at = portOf(running, must(running.members.find((each) => each === node), 'its node'))
    const { code, out } = await running.cli('trace', String(trace), '--admin', `http://127.0.0.1:${at}`).ended
    expect([code, out]).toEqual([0, expect.stringMatching(/^incr counter {2}shard \d {2}INVALID in /)])
    const accept = 'application/openmetrics-text'
    const exemplars = (await (await fetch(`http://127.0.0.1:${at}/metrics`, { headers: { accept } })).text()).matchAll(/trace_id="(\w+)"/g)
    const listed = async (which: string): Promise<readonly string[]> =>
      (await json(at, `/v1/requests?${which}limit=500`) as { requests: { trace: string }[] }).requests.map((one) => one.trace)
    const [kept, failed] = [await listed(''), await listed('failed=1&')]
    const named = [...exemplars].map(([, id]) => String(id))
    expect([named.length > 0, named.filter((id) => !kept.includes(id)), failed.includes(String(trace))]).toEqual([true, [], true])
  }, TEST_MS_MAX)

  test('is saved by "shardkv record" with what every node remembers, messages apart, and told by "shardkv replay"', async () => {
    const { running, bus } = await cluster.open({ shards: 2 })
    for (let i = 0; i < 20; i += 1) await settledKv(bus, `kv.put.key-${i}`, 'a secret value', { 'Kv-Request-Id': `r-${i}` })
    const file = join(running.root, 'incident.ndjson')
    const at = `http://127.0.0.1:${portOf(running, must(running.members[1], 'n2'))}`
    const { code, err } = await running.cli('record', file, '--admin', at).ended
    expect([code, err]).toEqual([0, ''])
    const [head = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(headOf(JSON.parse(head))).toMatchObject({ nodes: ['n1', 'n2', 'n3'], missing: [] })
    const records = lines.map((line) => must(recordOf(JSON.parse(line)), line))
    expect(records.every(({ at: then }, i) => then >= (records[i - 1]?.at ?? 0))).toBe(true)
    for (const node of running.members) {
      const own = records.filter((record) => record.node === node)
      expect(own.map(({ seq }) => seq)).toEqual(Array.from({ length: own.length }, (_, i) => i + 1))
      const has = (kind: string, actor: string): boolean => own.some((record) => record.kind === kind && record.actor === actor)
      expect([has('state', 'raft/0'), has('state', 'shard/1'), has('state', 'node'), has('batch', 'wal')]).toEqual([true, true, true, true])
      expect(own.filter(({ kind, trace }) => (kind === 'send' || kind === 'receive') && trace === undefined)).toEqual([])
    }
    expect(readFileSync(file, 'utf8')).not.toContain('secret')
    const told = await running.cli('replay', file, '--shard', '0').ended
    expect([told.code, told.out]).toEqual([0, expect.stringMatching(/ n\d +raft\/0 +serves as leader of shard 0/)])
  }, TEST_MS_MAX)

  test('does not let a client hear the feed, or ask for it', async () => {
    const { running, bus } = await cluster.open({ shards: 2, hasPermissions: true })
    const denied: string[] = []
    bus.onEvent((event) => { if (event.type === 'bus.permissionDenied') denied.push(event.operation) })
    bus.subscribe(traceWildcard(CLUSTER), () => { throw new Error('a client hears the feed') })
    const [n1, n2] = running.members
    const question = traceQuestionSubject(CLUSTER, must(n1, 'n1'), must(n2, 'n2'))
    const failure = await new Promise((resolve) => {
      bus.request(question, encodeJson({ kind: 'actors' }), { timeoutMs: 2_000 }, (reason) => resolve(reason))
    })
    expect(failure).not.toBeNull()
    await until(() => denied.includes('subscribe') && denied.includes('publish'), 'the broker says no to both', WAIT_MS_MAX)
  }, TEST_MS_MAX)
})

/** Whoever proposed. */
const leaderIn = (records: readonly ActorRecord[]): string => must(records.find(({ event }) => event === 'propose'), 'a proposal').node
