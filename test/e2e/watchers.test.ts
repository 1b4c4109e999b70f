/**
 * What the profiles `observability` and `loki` of compose.yaml run, run here with the arguments, the mounted files and the health checks
 * that stand there, beside the broker and the nodes of compose.yaml: each where an environment variable names its program, for instance
 *
 *   SHARDKV_PROMETHEUS=/opt/prometheus/prometheus SHARDKV_JAEGER=/opt/jaeger/jaeger npm test -- test/e2e/watchers.test.ts
 *
 * They have to find each other and the nodes, and to be of use: metrics, alerts, traces, lines and a dashboard come out at the other end.
 */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { text } from '../../sdk/codec.ts'
import { connect } from '../../sdk/index.ts'
import { openOutside } from '../compose/outside.ts'
import { nodeNames, ourPrograms, portsOfOurs } from '../compose/ourPrograms.ts'
import { watcherPorts, watcherPrograms, whyNot } from '../compose/watchers.ts'
import type { Outside } from '../compose/outside.ts'

const TEST_MS_MAX = 300_000
const KEYS = 20
const TRACE_ID = '5'.repeat(32)
const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`

const names = ['prometheus', 'jaeger', 'loki', 'grafana']
const here = names.filter((name) => whyNot(name) === null)
const nodes = nodeNames()
for (const name of names) {
  const reason = whyNot(name)
  if (reason !== null) process.stdout.write(`e2e: ${name} of compose.yaml NOT TESTED: ${reason}\n`)
}
const where = (name: string) => (here.includes(name) ? describe : describe.skip)
const any = here.length > 0

let site: Outside
beforeAll(async () => {
  if (!any) return
  site = openOutside({
    // As docs/OPERATIONS.md says how to start them.
    variables: {
      ...(here.includes('jaeger') ? { TRACES_TO: 'http://jaeger:4317' } : {}),
      ...(here.includes('loki') ? { LOG_TO: 'stdout,loki:http://loki:3100' } : {}),
    },
    programs: { ...ourPrograms(['nats', 'setup', ...nodes]), ...watcherPrograms() },
    ports: new Map([...await portsOfOurs(), ...watcherPorts()]),
  })
  site.start('nats')
  await site.until('the broker is well', () => site.health('nats') === 0)
  expect(site.run('setup')).toMatchObject({ status: 0 })
}, TEST_MS_MAX)
afterAll(() => (any ? site.stop() : undefined));

(any ? test : test.skip)('each is unhealthy until it runs, and healthy then; so are the nodes that it is to watch', async () => {
  // At their own ports nobody else may be.
  for (const name of here) expect([name, site.health(name)]).not.toEqual([name, 0])
  for (const name of [...here, ...nodes]) site.start(name)
  for (const name of [...here, ...nodes]) await site.until(`${name} is healthy`, () => site.health(name) === 0)
  const kv = await connect({ servers: `nats://127.0.0.1:${site.portOf('nats', 4_222)}`, codec: text, traceparent: () => traceparent })
  await Promise.all(Array.from({ length: KEYS }, (_, i) => kv.put(`user${i}`, 'Ada')))
  await kv.close()
}, TEST_MS_MAX)

const ask = async <T>(name: string, port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<T> => {
  const answer = await fetch(`http://127.0.0.1:${site.portOf(name, port)}${path}`, { headers })
  const body = await answer.text()
  if (!answer.ok) throw new Error(`${name} answers ${path} with ${answer.status}: ${body}`)
  return JSON.parse(body) as T
}

where('prometheus')('Prometheus', () => {
  interface Sample {
    readonly metric: Readonly<Record<string, string>>
  }
  const api = async <T>(path: string): Promise<T> => (await ask<{ data: T }>('prometheus', 9_090, `/api/v1/${path}`)).data
  const query = async (expression: string): Promise<readonly Sample[]> =>
    (await api<{ result: Sample[] }>(`query?query=${encodeURIComponent(expression)}`)).result
  const instances = (): readonly string[] => nodes.map((name) => `127.0.0.1:${site.portOf(name, 8_480)}`).toSorted()

  test('reads every node with the token that it was given, and keeps it for as long as it was told', async () => {
    const up = async () => (await query('up{job="shardkv"} == 1')).map(({ metric }) => metric['instance']).toSorted()
    await site.until('every node is read', async () => (await up()).length === nodes.length)
    expect(await up()).toEqual(instances())
    await site.until('the writes are there', async () => (await query(`sum(shardkv_requests_total{op="put"}) >= ${KEYS}`)).length === 1)
    expect(await api('status/runtimeinfo')).toMatchObject({ storageRetention: expect.stringMatching(/^(?:7d|1w)$/) })
  }, TEST_MS_MAX)

  test('has the exemplars of the nodes, which name their traces', async () => {
    const now = Date.now() / 1_000
    const asked = `query_exemplars?query=shardkv_request_duration_seconds_bucket&start=${now - 600}&end=${now + 600}`
    const traces = async () => (await api<{ exemplars: { labels: { trace_id: string } }[] }[]>(asked))
      .flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id))
    await site.until('the exemplar is there', async () => (await traces()).includes(TRACE_ID))
  }, TEST_MS_MAX)

  test('evaluates every alert, and everything that the dashboard asks', async () => {
    interface Rule {
      readonly name: string
      readonly health: string
      readonly lastError?: string
    }
    interface Rules {
      readonly groups: readonly { readonly rules: readonly Rule[] }[]
    }
    const { groups } = parse(readFileSync('observe/prometheus/alerts.yml', 'utf8')) as { groups: { rules: { alert: string }[] }[] }
    const wanted = groups.flatMap(({ rules }) => rules.map(({ alert }) => [alert, 'ok', undefined]))
    const evaluated = async () => (await api<Rules>('rules')).groups
      .flatMap(({ rules }) => rules.map(({ name, health, lastError }) => [name, health, lastError]))
    await site.until('all have been evaluated', async () => !(await evaluated()).some(([, health]) => health === 'unknown'))
    expect(await evaluated()).toEqual(wanted)

    const dashboard = readFileSync('observe/grafana/shardkv.json', 'utf8')
    const asked = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(([, each = '']) => JSON.parse(each) as string)
    expect(asked.length).toBeGreaterThan(20)
    for (const each of asked) expect([each, await query(each.replaceAll('$__rate_interval', '1m'))]).toEqual([each, expect.any(Array)])
  }, TEST_MS_MAX)

  test('fires when a node is gone, and no longer when it is back', async () => {
    const gone = nodes.at(-1) ?? ''
    const instance = `127.0.0.1:${site.portOf(gone, 8_480)}`
    interface Alert {
      readonly labels: { readonly alertname: string; readonly instance?: string }
      readonly state: string
      readonly annotations: { readonly summary: string }
    }
    const fired = async () => (await api<{ alerts: Alert[] }>('alerts')).alerts
      .filter(({ labels, state }) => labels.alertname === 'ShardkvNodeDown' && state === 'firing')
    site.processOf(gone).kill('SIGKILL')
    await site.until('the alert fires', async () => (await fired()).length > 0)
    expect(await fired()).toMatchObject([{ labels: { instance }, annotations: { summary: `${instance} does not answer` } }])
    site.start(gone)
    await site.until('it fires no longer', async () => (await fired()).length === 0)
  }, TEST_MS_MAX)
})

where('jaeger')('Jaeger', () => {
  test('has the trace of a request, from the nodes that had a part in it', async () => {
    interface Process {
      readonly serviceName: string
      readonly tags: readonly { readonly key: string; readonly value: unknown }[]
    }
    interface Trace {
      readonly spans: readonly { readonly operationName: string }[]
      readonly processes: Readonly<Record<string, Process>>
    }
    let trace: Trace | undefined
    const wanted = ['kv put', 'wal fsync', 'replicate', 'commit', 'reply']
    await site.until('the trace is whole', async () => {
      trace = await ask<{ data: Trace[] }>('jaeger', 16_686, `/api/traces/${TRACE_ID}`).then(({ data }) => data[0], () => undefined)
      const { spans = [], processes = {} } = trace ?? {}
      const took = Object.values(processes).map(({ tags }) => tags.find(({ key }) => key === 'shardkv.node')?.value)
      const spanNames = spans.map(({ operationName }) => operationName)
      return wanted.every((each) => spanNames.includes(each)) && nodes.every((each) => took.includes(each))
    })
    expect(new Set(Object.values(trace?.processes ?? {}).map(({ serviceName }) => serviceName))).toEqual(new Set(['shardkv']))
    expect(await ask('jaeger', 16_686, '/api/services')).toMatchObject({ data: ['shardkv'] })
  }, TEST_MS_MAX)
})

where('loki')('Loki', () => {
  test('has the lines of every node', async () => {
    const asked = `/loki/api/v1/query_range?limit=5000&query=${encodeURIComponent('{job="shardkv"}')}`
    interface Found {
      readonly data: { readonly result: readonly { readonly values: readonly (readonly [string, string])[] }[] }
    }
    const writers = async () => {
      const { data } = await ask<Found>('loki', 3_100, asked)
      return new Set(data.result.flatMap(({ values }) => values.map(([, line]) => (JSON.parse(line) as { node: string }).node)))
    }
    await site.until('each has written', async () => {
      const found = await writers()
      return nodes.every((each) => found.has(each))
    })
  }, TEST_MS_MAX)
})

where('grafana')('Grafana', () => {
  const admin = { authorization: `Basic ${Buffer.from('admin:admin').toString('base64')}` }

  test('has the dashboard, for anybody, and shows it first', async () => {
    const { panels } = JSON.parse(readFileSync('observe/grafana/shardkv.json', 'utf8')) as { panels: unknown[] }
    const shown = { dashboard: { panels: panels.map(() => expect.anything() as unknown) } }
    await site.until('the dashboard is there', () =>
      ask('grafana', 3_000, '/api/dashboards/uid/shardkv').then(() => true, () => false))
    expect(await ask('grafana', 3_000, '/api/dashboards/uid/shardkv')).toMatchObject({ ...shown, meta: { provisioned: true } })
    expect(await ask('grafana', 3_000, '/api/dashboards/home')).toMatchObject(shown)
  }, TEST_MS_MAX)

  test('has its sources, and reaches those that run', async () => {
    const sources = await ask<{ name: string; uid: string }[]>('grafana', 3_000, '/api/datasources', admin)
    expect(sources.map(({ name }) => name).toSorted()).toEqual(['Jaeger', 'Loki', 'Prometheus'])
    for (const { uid } of sources.filter((each) => here.includes(each.uid))) {
      expect([uid, await ask('grafana', 3_000, `/api/datasources/uid/${uid}/health`, admin)]).toMatchObject([uid, { status: 'OK' }])
    }
  }, TEST_MS_MAX)
})
