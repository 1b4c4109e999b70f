/** The doctor: what it says about evidence of every kind of trouble, and what its exit code is. */

import { describe, expect, test } from '@jest/globals'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { diagnose } from '../../cli/commands/doctor.ts'
import { fakeCluster, fakeTerminal } from './fakes.ts'
import { replica, report } from './reports.ts'
import type { Access, Evidence } from '../../cli/doctor/evidence.ts'
import type { Finding } from '../../cli/doctor/finding.ts'
import type { TimedReport } from '../../cli/status/collect.ts'
import type { MemoryShortage } from '../../actors/shard/protocol.ts'
import type { MemoryUse } from '../../observe/memoryRoom.ts'
import type { MemoryReport, NodeReport, NodeVitals, ReplicaReport } from '../../topology/report.ts'

const GIB = 1_024 ** 3
const healthyVitals: NodeVitals = {
  cpuMs: 1, rssBytes: 1, loopDelayMs: { p99: 3, max: 20 }, syncMicros: [80, 100], disk: { freeBytes: 50 * GIB, totalBytes: 100 * GIB },
}
const access: Access = {
  read: 'NOT_FOUND', help: 'OK', mayHearChanges: true, mayAskServices: true, maySpeakAsNode: false, mayHearNodes: false,
  mayHearAnswers: false,
}

type NodeFields = Partial<Record<keyof NodeReport['node'], unknown>>

interface Case {
  readonly vitals?: Partial<NodeVitals>
  readonly node?: NodeFields
  readonly replica?: Partial<Record<keyof ReplicaReport, unknown>>
  readonly report?: Partial<Record<keyof NodeReport, unknown>>
}

/** Node n1 leads both shards and is as the case says; n2 and n3 are well. */
const reportsOf = (one: Case): readonly NodeReport[] => ['n1', 'n2', 'n3'].map((id) => {
  const isOne = id === 'n1'
  const fields = isOne ? { role: 'leader', matchIndex: { 'n1:1': 10, 'n2:1': 10, 'n3:1': 10 }, ...one.replica } : {}
  const base = report(id, [replica(0, fields), replica(1, isOne ? { role: 'leader' } : {})], isOne ? one.report ?? {} : {})
  const vitals = { ...healthyVitals, ...(isOne ? one.vitals : {}) }
  return { ...base, node: { ...base.node, vitals, ...(isOne ? one.node : {}) } } as NodeReport
})

const timed = (reports: readonly NodeReport[]): readonly TimedReport[] => reports.map((one) => ({ report: one, askedMs: -2, heardMs: 2 }))

const evidenceOf = (one: Case = {}, over: Partial<Evidence> = {}): Evidence => ({
  prefix: 'kv', broker: { url: 'nats://b:4222', version: '2.12.15' }, roundTripMs: 0.3, hasUser: true, access,
  first: timed(reportsOf({})), second: timed(reportsOf(one)), ...over,
})

const memoryOf = (shortage: MemoryShortage | null, percent: number): MemoryReport => {
  const use = (share: number): MemoryUse => ({ liveBytes: share * GIB, usedBytes: share * GIB, limitBytes: 100 * GIB })
  return { shortage, heap: use(percent), process: { ...use(10), residentBytes: 10 * GIB } }
}

const brokerOf = (routing: string): object => ({ url: '', version: '', routing })
const withAccess = (over: Partial<Access>, rest: Partial<Evidence> = {}): Evidence =>
  evidenceOf({}, { access: { ...access, ...over }, ...rest })

const worst = (evidence: Evidence): readonly Finding[] => diagnose(evidence).filter(({ level }) => level !== 'ok')

test('a healthy cluster has a dozen findings, and all are well', () => {
  expect(worst(evidenceOf())).toEqual([])
  expect(diagnose(evidenceOf()).map(({ check }) => check)).toEqual([
    'broker', 'round trip', 'nodes', 'routing', 'access', 'permissions', 'leaders', 'replicas', 'replication', 'clocks', 'disk space',
    'sync time', 'event loop',
  ])
})

describe('finds, and says what to do about', () => {
  const cases: readonly (readonly [string, Evidence, Finding['level'], string, RegExp])[] = [
    ['an old broker', evidenceOf({}, { broker: { url: '', version: '2.10.0' } }), 'problem', 'broker', /2\.10\.0/],
    ['a distant broker', evidenceOf({}, { roundTripMs: 80 }), 'note', 'round trip', /80\.0 ms/],
    ['a node that is silent', evidenceOf({}, { second: timed(reportsOf({}).slice(0, 2)) }), 'problem', 'nodes', /n3 of 3 does not answer/],
    ['a node that serves another prefix', evidenceOf({ report: { otherPrefixes: [{ node: 'n3', prefix: 'other' }] } },
      { second: timed(reportsOf({ report: { otherPrefixes: [{ node: 'n3', prefix: 'other' }] } }).slice(0, 2)) }), 'problem', 'nodes',
    /n3 serves the prefix other: clients of kv do not reach it/],
    ['a node that does not serve', evidenceOf({ node: { state: 'recovering' } }), 'problem', 'nodes', /n1 is recovering/],
    ['nodes of two versions', evidenceOf({ node: { version: '2.0.0' } }), 'note', 'nodes', /2\.0\.0 and 1\.2\.3/],
    ['two clusters on one prefix', evidenceOf({ report: { cluster: '00000000000000bb' } }), 'problem', 'nodes', /2 clusters answer/],
    ['a broker without a mapping', evidenceOf({ report: { broker: brokerOf('gateway') } }), 'note', 'routing', /forward/],
    ['a wrong mapping', evidenceOf({ report: { broker: brokerOf('mismatch') } }), 'problem', 'routing', /wrong shards/],
    ['a read that nobody answers', withAccess({ read: 'noResponders' }), 'problem', 'access', /"noResponders"/],
    ['a user that may not listen', withAccess({ mayHearChanges: false, mayAskServices: false }), 'note', 'access',
      /may not hear kv-changed\.> and not ask \$SRV\.>/],
    ['a client that may be a node', withAccess({ maySpeakAsNode: true, mayHearNodes: true }), 'problem', 'permissions',
      /speak and listen/],
    ['a client that may hear what nodes answer each other', withAccess({ mayHearAnswers: true }), 'note', 'permissions',
      /but not from where nodes hear/],
    ['a broker open to all', withAccess({ maySpeakAsNode: true }, { hasUser: false }), 'note', 'permissions', /nobody/],
    ['a shard without a leader', evidenceOf({ replica: { role: 'follower' } }), 'problem', 'leaders', /none for shard 0/],
    ['a quarantined replica', evidenceOf({ replica: { quarantined: 'a bad record' } }), 'problem', 'replicas',
      /shard 0 on n1: a bad record/],
    ['a replica that stays behind', evidenceOf({ replica: { commitIndex: 90, matchIndex: { 'n1:1': 90, 'n2:1': 90, 'n3:1': 4 } } }),
      'problem', 'replication', /shard 0 on n3, 86 entries/],
    ['a full disk', evidenceOf({ node: { diskFull: true } }), 'problem', 'disk space', /full on n1/],
    ['a disk with little room', evidenceOf({ vitals: { disk: { freeBytes: 2 * GIB, totalBytes: 100 * GIB } } }), 'problem',
      'disk space', /nearly full on n1/],
    ['a heap that is short', evidenceOf({ node: { memory: memoryOf('heap', 80) } }), 'problem', 'memory', /short on n1 \(its heap\)/],
    ['a process that is short', evidenceOf({ node: { memory: memoryOf('process', 20) } }), 'problem', 'memory',
      /short on n1 \(the process\)/],
    ['memory that will be short', evidenceOf({ node: { memory: memoryOf(null, 65) } }), 'note', 'memory', /n1 heap 65 % of .*above 70 %/],
    ['a slow disk', evidenceOf({ vitals: { syncMs: { count: 9, p50: 30, p99: 60 } } }), 'note', 'sync time', /n1 p50 30 ms, p99 60 ms/],
    ['a disk that stalls', evidenceOf({ vitals: { syncMs: { count: 9, p50: 30, p99: 700 } } }), 'problem', 'sync time', /election timeout/],
    ['a busy event loop', evidenceOf({ vitals: { loopDelayMs: { p99: 200, max: 400 } } }), 'note', 'event loop', /p99 200 ms/],
    ['a log that could not be written', evidenceOf({ vitals: { lostLogLines: 12 } }), 'note', 'log', /n1 lost 12 lines$/],
    ['an event loop that stalls', evidenceOf({ vitals: { loopDelayMs: { p99: 900, max: 900 } } }), 'problem', 'event loop', /election/],
  ]
  test.each(cases)('%s', (_name, evidence, level, check, found) => {
    expect(worst(evidence)).toContainEqual({ check, level, found: expect.stringMatching(found), cure: expect.stringMatching(/.{10}/) })
  })

  test('nothing wrong with a node\'s user, who has to hear what nodes answer', () => {
    const findings = diagnose(withAccess({ mayHearAnswers: true, read: 'denied' }))
    expect(findings.find(({ check }) => check === 'permissions')).toMatchObject({ level: 'ok' })
  })

  test('no stall of a disk that is over: recent syncs count, and where there are none nothing is blamed', () => {
    const stalledOnce = { syncMicros: [80, 100, 162, 100] }
    const seen = (syncMs: NodeVitals['syncMs']): readonly unknown[] =>
      diagnose(evidenceOf({ vitals: { ...stalledOnce, ...(syncMs === undefined ? {} : { syncMs }) } }))
        .filter(({ check }) => check === 'sync time').map(({ level, found }) => [level, found.split(';')[0]])
    expect(seen({ count: 40, p50: 1.5, p99: 3 })).toEqual([['ok', 'n1 p50 1.5 ms, p99 3.0 ms']])
    for (const none of [{ count: 0, p50: 0, p99: 0 }, undefined]) {
      expect(seen(none)).toEqual([['ok', expect.stringMatching(/^n1 p50 [\d.]+ ms, p99 \d+ ms since its start, none lately$/)]])
    }
  })

  test('answers that the broker takes in part alone: what nobody tells is no damage', () => {
    const second = reportsOf({}).map((one) => ({ ...one, shardCount: 9, shortened: { replicas: 7 } }))
    const findings = worst(evidenceOf({}, { second: timed(second) }))
    expect(findings).toEqual([
      { check: 'answers', level: 'note', found: expect.stringContaining('n1, n2, n3'), cure: expect.stringContaining('max_payload') },
    ])
  })

  test('shards of one replica, where all nodes have said what they have', () => {
    const lone = reportsOf({ replica: { matchIndex: { 'n1:1': 10 } } })
      .map((one, at) => ({ ...one, replicas: at === 0 ? one.replicas : [] }))
    const seen = (second: readonly NodeReport[]): readonly Finding[] =>
      worst(evidenceOf({}, { first: timed(second), second: timed(second) })).filter(({ check }) => check === 'copies')
    expect(seen(lone)).toEqual([
      { check: 'copies', level: 'note', found: expect.stringMatching(/^every shard has one replica: a lost/), cure: expect.anything() },
    ])
    const two = lone.map((one, at) => (at === 1 ? { ...one, replicas: [replica(1)] } : one))
    expect(seen(two)[0]?.found).toContain('1 of 2 shards have one replica')
    // Whose nodes are silent, or tell in part, may have more.
    expect(seen(lone.slice(0, 2))).toEqual([])
    expect(seen(lone.map((one) => ({ ...one, shortened: { replicas: 1 } })))).toEqual([])
    expect(seen(lone.slice(0, 1).map((one) => ({ ...one, members: [one.node.id] })))).toEqual([])
  })

  const skews = [[300, 'ok'], [502, 'ok'], [900, 'note'], [-900, 'note'], [5_001, 'ok'], [6_000, 'problem']] as const
  test.each<readonly [number, Finding['level']]>(skews)(
    'a clock that is %d ms off: %s, when the answer took as long as it may have', (wallMs, level) => {
      const first = timed(reportsOf({ node: { wallMs } }))
      const late = first.map((one) => ({ ...one, askedMs: -5_000, heardMs: 5_000 }))
      const seen = diagnose(evidenceOf({}, { first: wallMs === 5_001 ? late : first }))
      expect(seen.find(({ check }) => check === 'clocks')?.level).toBe(level)
    })

  test('leaders on one node only, when there are many shards', () => {
    const many = reportsOf({}).map((one) => ({
      ...one, shardCount: 9,
      replicas: Array.from({ length: 9 }, (_, shard) => replica(shard, one.node.id === 'n1' ? { role: 'leader' } : {})),
    }))
    expect(worst(evidenceOf({}, { first: timed(many), second: timed(many) }))).toEqual([
      { check: 'leaders', level: 'note', found: expect.stringContaining('n1 9'), cure: expect.anything() },
    ])
  })

  test('a cluster that is not there', () => {
    expect(worst(evidenceOf({}, { first: [], second: [], access: null }))).toEqual([
      { check: 'nodes', level: 'problem', found: 'none answers on kv.status', cure: expect.stringContaining('shardkv start') },
    ])
  })
})

describe('the command', () => {
  const now = Date.now()
  const clock = { ...createSystemClock(), wall: () => now }
  const reports = reportsOf({ node: { wallMs: now } }).map((one) => ({ ...one, node: { ...one.node, wallMs: now } }))
  const well = fakeCluster(({ subject }) => ({ status: subject === 'kv.help' ? 'OK' : 'NOT_FOUND' }), reports)

  test('is exit code 0 when all is well, with notes or without', async () => {
    const { code, out, err } = await fakeTerminal(well, { clock }).run('doctor', '-w', 'json')
    expect([code, err]).toEqual([0, ''])
    const findings: unknown = expect.arrayContaining([expect.objectContaining({ check: 'broker' })])
    expect(JSON.parse(out)).toMatchObject({ healthy: true, findings })
  })

  test('is exit code 1 when something is wrong, and says so below the findings', async () => {
    const { code, out, err } = await fakeTerminal(fakeCluster(() => 'noResponders', reports), { clock }).run('doctor')
    expect([code, err]).toEqual([1, 'shardkv: one thing is wrong\n'])
    expect(out).toMatch(/^problem {2}access {7}kv\.help is answered with "noResponders".*\n {22}-> /m)
  })
})
