/** `shardkv status`: many nodes' reports as one picture, in time. */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { mergeReports } from '../../cli/status/merge.ts'
import { statusTable } from '../../cli/status/table.ts'
import { fakeCluster, fakeTerminal } from './fakes.ts'
import { replica, report } from './reports.ts'
import { createSimulatedWait } from './waits.ts'
import type { NodeReport } from '../../topology/report.ts'

describe('merging', () => {
  test('a shard is described by the leader of the highest term, and a deposed one is not shown as a second leader', () => {
    const status = mergeReports([
      report('n1', [replica(0, { role: 'leader', term: 3, commitIndex: 9 }), replica(1)]),
      report('n2', [replica(0, { role: 'leader', term: 4, commitIndex: 12, appliedIndex: 11,
        matchIndex: { 'n1:1': 9, 'n2:1': 12 } }), replica(1)]),
    ])
    expect(status?.shards[0]).toEqual({
      id: 0, leader: 'n2', term: 4, commitIndex: 12, appliedIndex: 11,
      replicas: [{ node: 'n1', role: 'deposed', matchIndex: 9 }, { node: 'n2', role: 'leader', matchIndex: 12 }],
    })
  })

  test('members that stayed silent are unreachable, and so are their replicas', () => {
    const status = mergeReports([report('n2', [replica(0, { role: 'leader', matchIndex: { 'n2:1': 5, 'n3:1': 2 } })])])
    expect(status?.nodes.map(({ id, state, pid }) => [id, state, pid])).toEqual([
      ['n1', 'unreachable', null], ['n2', 'serving', 100], ['n3', 'unreachable', null],
    ])
    expect(status?.shards[0]?.replicas).toContainEqual({ node: 'n3', role: 'unreachable', matchIndex: 2 })
  })

  test('a shard without a leader says so', () => {
    const status = mergeReports([report('n1', [replica(0)])])
    expect(status?.shards.map(({ leader }) => leader)).toEqual([null, null])
  })

  test('one node with a wrong mapping makes the whole routing wrong', () => {
    const wrong = report('n2', [], { broker: { url: '', version: '', routing: 'mismatch' } })
    expect(mergeReports([report('n1', []), wrong])?.broker.routing).toBe('mismatch')
  })

  test('a lone stranger on the prefix does not hide the cluster', () => {
    const stranger = report('x1', [], { cluster: '00000000000000bb' })
    expect(mergeReports([stranger, report('n1', []), report('n2', [])])?.cluster).toBe('00000000000000aa')
  })

  test('nodes are sorted as a person counts', () => {
    const members = ['n10', 'n2', 'n1']
    expect(mergeReports([report('n1', [], { members })])?.nodes.map(({ id }) => id)).toEqual(['n1', 'n2', 'n10'])
  })
})

describe('answers that leave replicas out', () => {
  const shortened = (id: string, replicas: Parameters<typeof report>[1], count: number): NodeReport =>
    report(id, replicas, { shortened: { replicas: count } })

  test('a shard whose leader has no room for it is led by whom a follower names, and is not shown as damaged', () => {
    const status = mergeReports([
      shortened('n1', [replica(1, { role: 'leader', matchIndex: { 'n1:1': 5, 'n3:1': 4 } })], 1),
      report('n2', [replica(0, { leader: 'n1' })]),
      shortened('n3', [], 2),
    ])
    expect(status?.shortened).toEqual(['n1', 'n3'])
    expect(status?.shards.map(({ leader, replicas }) => [leader, replicas.map(({ node, role }) => `${node} ${role}`)])).toEqual([
      ['n1', ['n2 follower']], ['n1', ['n1 leader', 'n3 untold']],
    ])
  })

  test('a follower is not believed of a leader that tells its replica itself', () => {
    const status = mergeReports([shortened('n1', [replica(0, { leader: '' })], 1), report('n2', [replica(0, { leader: 'n1' })])])
    expect(status?.shards[0]?.leader).toBeNull()
  })

  test('are told of, with the cure, and a shard that nobody tells is not said to have no leader', () => {
    const status = must(mergeReports([shortened('n1', [replica(0, { role: 'leader' })], 1)]), 'a status')
    const lines = statusTable(status, false).split('\n')
    expect(lines).toContainEqual(expect.stringMatching(/^shortened: .* of n1, .*raise its max_payload$/))
    expect(lines.find((line) => line.startsWith('    1 '))).toMatch(/^ +1 +\? /)
    const whole = must(mergeReports([report('n1', [replica(0, { role: 'leader' })])]), 'a status')
    expect(statusTable(whole, false)).toMatch(/^ +1 +none /m)
    expect(statusTable(whole, false)).not.toContain('shortened')
  })

  test('that leave loads out alone, take nothing from the status', () => {
    expect(mergeReports([shortened('n1', [], 0)])?.shortened).toEqual([])
  })
})

describe('the layout level', () => {
  const version = (id: string, level: number | undefined, max: number | undefined): NodeReport => {
    const { node, ...rest } = report(id, [])
    return {
      ...rest, ...(level === undefined ? {} : { level }), node: { ...node, ...(max === undefined ? {} : { levels: { min: 1, max } }) },
    }
  }
  const head = (...reports: readonly NodeReport[]): string => {
    const status = mergeReports(reports)
    return status === undefined ? '' : statusTable(status, false).split('\n')[0] ?? ''
  }

  test('is shown, and whom the next one waits for: the silent, and those of a version that does not know it', () => {
    expect(head(version('n1', 1, 1), version('n2', 1, 1))).toContain('epoch 1, layout level 1, 2 shards')
    expect(head(version('n1', 1, 2), version('n2', 1, 1))).toContain('layout level 1 (2 waits for n2 n3), ')
    expect(head(version('n1', 2, 2), version('n2', 2, 2), version('n3', 2, 2))).toContain('layout level 2, ')
    expect(head(version('n1', 1, 2), version('n2', undefined, undefined), version('n3', 1, 2))).toContain('(2 waits for n2)')
  })

  test('is not made up where nodes of before there were levels say none', () => {
    expect(head(version('n1', undefined, undefined))).toContain('epoch 1, 2 shards')
  })
})

describe('what nodes believe of each other', () => {
  const gossip = (...peers: readonly (readonly [string, string])[]) => ({
    gossip: { state: 'running', incarnation: 1, health: 0, peers: peers.map(([node, state]) => ({ node, state, incarnation: 1 })) },
  })
  const rowsOf = (reports: readonly NodeReport[]): readonly string[] => {
    const status = mergeReports(reports)
    return status === undefined ? [] : statusTable(status, false).split('\n').filter((line) => /^n\d/.test(line))
  }

  test('is a column that a person reads, and JSON that a program reads', () => {
    const reports = [
      report('n1', [], gossip(['n2', 'alive'], ['n3', 'alive'])), report('n2', [], gossip(['n1', 'suspect'], ['n3', 'dead'])),
      report('n3', [], gossip(['n1', 'left'], ['n2', 'alive'])),
    ]
    expect(rowsOf(reports).map((row) => row.split(/ {2,}/)[4])).toEqual(['2 alive', '0 alive, suspect: n1, dead: n3', '1 alive, left: n1'])
    expect(mergeReports(reports)?.nodes[1]?.sees).toEqual({ alive: [], suspect: ['n1'], dead: ['n3'], left: [] })
  })

  test('names a few and counts the rest', () => {
    const peers = Array.from({ length: 9 }, (_, i) => [`n${i + 2}`, 'dead'] as const)
    expect(rowsOf([report('n1', [], gossip(...peers))])[0]).toContain('0 alive, dead: n2 n3 n4 n5 and 5 more')
  })

  test.each([['nothing', {}], ['no list', { gossip: { peers: 7 } }], ['null', { gossip: null }]])(
    'is a dash for a node that says %s', (_, fields) => {
      expect(mergeReports([report('n1', [], fields)])?.nodes[0]?.sees).toBeNull()
      expect(rowsOf([report('n1', [], fields)])[0]?.split(/ {2,}/)[4]).toBe('-')
    })

  test('leaves out peers that are none', () => {
    const fields = { gossip: { peers: [null, 7, { node: 3 }, { node: 'n2', state: 'asleep' }, { node: 'n3', state: 'alive' }] } }
    expect(mergeReports([report('n1', [], fields)])?.nodes[0]?.sees).toEqual({ alive: ['n3'], suspect: [], dead: [], left: [] })
  })
})

test('where each node can be reached is a column, of those that say so in a way that a terminal may show', () => {
  const at = (id: string, addresses: unknown): NodeReport => {
    const { node, ...rest } = report(id, [])
    return { ...rest, node: { ...node, addresses } } as NodeReport
  }
  const reports = [
    at('n1', { host: 'web1', http: 'http://10.0.0.1:8481', hasAdmin: true }),
    at('n2', { host: 'web2', http: 'http://\u001b[2J', hasAdmin: true }),
  ]
  const status = must(mergeReports(reports), 'a status')
  expect(status.nodes.map(({ addresses }) => addresses?.http ?? null)).toEqual(['http://10.0.0.1:8481', null, null])
  const rows = statusTable(status, false).split('\n').filter((line) => /^n\d/.test(line))
  expect(rows.map((row) => row.split(/ {2,}/).at(-1))).toEqual(['http://10.0.0.1:8481', '-', '-'])
})

test('what each node carries is a column: an even cluster can be seen to be even', () => {
  const status = must(mergeReports([
    report('n1', [replica(0, { role: 'leader', matchIndex: { 'n1:1': 5, 'n3:1': 4 } }), replica(1)]), report('n2', [replica(1)]),
  ]), 'a status')
  const rows = statusTable(status, false).split('\n').filter((line) => /^(?:NODE|n\d)/.test(line)).map((line) => line.split(/ {2,}/))
  expect(rows.map(([node, , leads, replicas]) => [node, leads, replicas])).toEqual([
    ['NODE', 'LEADS', 'REPLICAS'], ['n1', '1', '2'], ['n2', '0', '1'], ['n3', '0', '1'],
  ])
})

describe('the command', () => {
  const all = ['n1', 'n2', 'n3'].map((id) => report(id, [replica(0, id === 'n1' ? { role: 'leader' } : {})]))

  test('ends as soon as every member has answered', async () => {
    // No time passes: whoever waited for it would wait for ever.
    const clock = { ...createSystemClock(), after: () => () => {} }
    const { code, out } = await fakeTerminal(fakeCluster(() => 'timeout', all), { clock }).run('status', '-w', 'json')
    expect(code).toBe(0)
    expect((JSON.parse(out) as { nodes: unknown[] }).nodes).toHaveLength(3)
  })

  test('answers within 2 s while a node is down, and shows it', async () => {
    const clock = createSimulatedWait()
    const { code, out } = await fakeTerminal(fakeCluster(() => 'timeout', all.slice(0, 2)), { clock }).run('status', '-w', 'json')
    expect(clock.now()).toBeLessThan(2_000)
    expect(code).toBe(0)
    expect(out).toContain('"unreachable"')
  })

  test('nobody there is exit code 4', async () => {
    const { code, out, err } = await fakeTerminal(fakeCluster(() => 'timeout', ['not json', '{}'])).run('status')
    expect([code, out]).toEqual([4, ''])
    expect(err).toContain('no node answers')
  })

  test('the table names leaders, lagging and quarantined replicas, without colours in a pipe', async () => {
    const quarantined = replica(0, { quarantined: 'bad record' })
    const reports = [report('n1', [replica(0, { role: 'leader', matchIndex: { 'n1:1': 10, 'n2:1': 4 } })]),
      report('n2', [quarantined]), report('n3', [])]
    const { out } = await fakeTerminal(fakeCluster(() => 'timeout', reports)).run('status')
    expect(out).toContain('n1* 10  n2 quarantined 4')
    const repairing = report('n2', [replica(0, { role: 'learner', health: 'repairing' })])
    expect((await fakeTerminal(fakeCluster(() => 'timeout', [repairing])).run('status')).out).toContain('n2 repairing')
    expect(out).not.toContain('\u001b')
    const status = mergeReports(reports)
    expect(status === undefined ? '' : statusTable(status, true)).toContain('\u001b')
  })
})
