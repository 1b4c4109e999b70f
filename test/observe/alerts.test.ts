/**
 * The alert rules as they stand in observe/prometheus/alerts.yml, over series of clusters that do not run here: what must fire although
 * nobody is left to expose it, and what must not. test/e2e/alerts.test.ts fires each of them once by a real fault.
 */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { must } from '../../actors/kernel/assert.ts'
import { parseExposition } from '../support/exposition.ts'
import { startNodeOfTest } from '../support/nodeOfTest.ts'
import { evaluate } from '../support/promql.ts'
import { seriesOf } from '../support/scrapedSeries.ts'
import type { Moment } from '../support/scrapedSeries.ts'
import type { Series } from '../support/promql.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
}
const rules = (parse(readFileSync('observe/prometheus/alerts.yml', 'utf8')) as { groups: { rules: Rule[] }[] })
  .groups.flatMap((group) => group.rules)
const fired = (alert: string, series: readonly Series[], atSeconds: number) =>
  evaluate(must(rules.find((rule) => rule.alert === alert), alert).expr, series, atSeconds)

/** By node what it exposes; null when it is down. */
const at = (atSeconds: number, nodes: Readonly<Record<string, string | null>>): Moment => ({
  atSeconds, scrapes: new Map(Object.entries(nodes).map(([node, text]) => [node, text === null ? null : parseExposition(text)])),
})

/** As a node that leads these shards of three, and follows in those. */
const node = (leads: readonly number[], follows: readonly number[] = []): string => [
  'shardkv_shards 3', ...leads.map((shard) => `shardkv_shard_serving{shard="${shard}"} 1`),
  ...follows.map((shard) => `shardkv_shard_serving{shard="${shard}"} 0`),
].join('\n')

describe('a shard that nobody serves', () => {
  const whole = { n1: node([0], [1]), n2: node([1], [0]), n3: node([2]) }

  test('fires no alert where each has a leader, though followers serve nothing', () => {
    expect(fired('ShardkvShardNotServed', seriesOf([at(0, whole)]), 0)).toEqual([])
  })

  test('is told when all its hosts are down, and with them everybody who could expose it', () => {
    const series = seriesOf([at(0, whole), at(60, { ...whole, n3: null })])
    expect(evaluate('sum by (shard) (shardkv_shard_serving) == 0', series, 60)).toEqual([])
    expect(fired('ShardkvShardNotServed', series, 60)).toEqual([{ labels: {}, value: 1 }])
  })

  test('is told when its leader is gone and a follower is left', () => {
    const series = seriesOf([at(0, whole), at(60, { ...whole, n1: null })])
    expect(fired('ShardkvShardNotServed', series, 60)).toEqual([{ labels: {}, value: 1 }])
  })

  test('is told when every node is down, and still hours later', () => {
    const series = seriesOf([at(0, whole), at(60, { n1: null, n2: null, n3: null })])
    expect([60, 7_200].map((seconds) => fired('ShardkvShardNotServed', series, seconds))).toEqual(
      Array.from({ length: 2 }, () => [{ labels: {}, value: 3 }]))
  })
})

describe('leaders that change', () => {
  const changes = (counts: readonly number[]): string =>
    counts.map((count, shard) => `shardkv_raft_leader_changes_total{shard="${shard}"} ${count}`).join('\n')
  const after = (counts: readonly number[]) => seriesOf([
    at(0, { n1: changes([1, 1, 1]), n2: changes([1, 1, 1]), n3: changes([1, 1, 1]) }),
    at(300, { n1: changes(counts), n2: changes(counts), n3: changes(counts) }),
  ])

  test('fire for one shard that goes on and on, once, beside others that are quiet', () => {
    expect(fired('ShardkvLeaderChurn', after([1, 6, 1]), 300)).toEqual([{ labels: { shard: '1' }, value: 5 }])
  })

  test('do not fire where each shard has had a few, however many that is for all replicas of the cluster', () => {
    expect(fired('ShardkvLeaderChurn', after([5, 5, 5]), 300)).toEqual([])
  })
})

test('entries that can not be read fire as messages do', () => {
  const entries = (count: number): string => `shardkv_shard_undecodable_total{shard="1"} ${count}`
  expect(fired('ShardkvUndecodable', seriesOf([at(0, { n1: entries(0) })]), 0)).toEqual([])
  expect(fired('ShardkvUndecodable', seriesOf([at(0, { n1: entries(1) })]), 0)).toEqual([{ labels: { instance: 'n1' }, value: 1 }])
})

test('no alert fires on a node that is well', async () => {
  const { send, pass, scrape } = startNodeOfTest()
  const before = await scrape()
  for (let i = 0; i < 20; i += 1) send('kv.put.a', '1')
  pass(1_000)
  const now = await scrape()
  const series = seriesOf([before, now].map((each, i) => ({ atSeconds: i * 60, scrapes: new Map([['n1', each]]) })))
  expect(rules.filter(({ expr }) => evaluate(expr, series, 60).length > 0).map(({ alert }) => alert)).toEqual([])
})

describe('the expressions are read as Prometheus reads them:', () => {
  const series: readonly Series[] = [
    { name: 'a', labels: { x: '1', y: 'p' }, points: [[0, 3], [60, 5]] },
    { name: 'a', labels: { x: '2', y: 'q' }, points: [[0, 8], [60, 2]] },
    { name: 'b', labels: { x: '1', y: 'p' }, points: [[0, 2], [60, 10]] }, { name: 'gone', labels: {}, points: [[0, 1], [30, null]] },
    ...[['1', 2], ['2', 6], ['+Inf', 8]].map(([le, count]) =>
      ({ name: 'h_bucket', labels: { le: String(le) }, points: [[60, Number(count)]] as const })),
  ]
  test.each<readonly [string, readonly (readonly [string, number])[]]>([
    ['a', [['1 p', 5], ['2 q', 2]]],
    ['a{x!="1"}', [['2 q', 2]]],
    ['a{x=~"1|3",y="p"} > 4', [['1 p', 5]]],
    ['a / b > 0.4', [['1 p', 0.5]]],
    ['1 - a * 2', [['1 p', -9], ['2 q', -3]]],
    ['sum(a) + 1 * 2', [[' ', 9]]],
    ['max by (y) (a) == 5 or sum by (y) (a)', [[' p', 5], [' q', 2]]],
    ['count(a > 100) or vector(0)', [[' ', 0]]],
    ['increase(a[2m])', [['1 p', 2], ['2 q', 2]]],
    ['rate(b[2m]) * 60', [['1 p', 4]]],
    ['rate(b[1m])', []],
    ['gone', []],
    ['last_over_time(gone[1h])', [[' ', 1]]],
    ['histogram_quantile(0.5, sum by (le) (h_bucket))', [[' ', 1.5]]],
  ])('%s', (expression, expected) => {
    expect(evaluate(expression, series, 60).map(({ labels: { x = '', y = '' }, value }) => [`${x} ${y}`, value])).toEqual(expected)
  })

  test.each(['a[5m', 'nope(a)', 'a ? b', 'a on b', 'sum by (x (a)'])('%s is refused', (expression) => {
    expect(() => evaluate(expression, series, 60)).toThrow()
  })
})
