/**
 * docs/OBSERVABILITY.md, the alerts and the dashboard, compared with what a node exposes: nothing undocumented, nothing documented that is
 * not there, no metric or label in an expression that a node does not have.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { createInstruments } from '../../observe/instruments.ts'
import { openProcessLog } from '../../observe/log.ts'
import { createLogLevels, loggedActors } from '../../observe/logLevels.ts'
import { loggingSlow } from '../../observe/slowLog.ts'
import { families } from '../../observe/metrics/exposition.ts'
import { repeatedKeys } from '../support/jsonKeys.ts'
import { logFieldsIn } from '../support/logFields.ts'
import { startNodeOfTest } from '../support/nodeOfTest.ts'
import type { Scrape } from '../support/exposition.ts'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly targets?: readonly { readonly expr: string }[]
}

const document = readFileSync('docs/OBSERVABILITY.md', 'utf8')
const rules = (parse(readFileSync('observe/prometheus/alerts.yml', 'utf8')) as { groups: { rules: Rule[] }[] })
  .groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(readFileSync('observe/grafana/shardkv.json', 'utf8')) as { panels: Panel[] }
const expressions = [
  ...rules.map(({ expr }) => expr), ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
]
const suffix = /_(?:bucket|sum|count)$/

/** The cells of every table row of a section that begins with a name in backquotes. */
const rowsOf = (section: string): string[][] => {
  const text = document.split(/^## /m).find((each) => each.startsWith(section)) ?? ''
  return [...text.matchAll(/^\| `[^|]*\|.*$/gm)].map(([row]) => row.split('|').slice(1, -1).map((cell) => cell.trim()))
}
const nameIn = (cell = ''): string => cell.replaceAll('`', '')

/** The section has a table of targets, too, with fewer columns. */
const fieldRows = rowsOf('Logs').filter((cells) => cells.length === 5)
/** Of every line, by pino; and with a syslog target. */
const ownFields = ['time', 'level', 'node', 'pid', 'msg', 'hostname']
const typeTests: Readonly<Record<string, (value: unknown) => boolean>> = {
  integer: (value) => Number.isSafeInteger(value), number: (value) => typeof value === 'number', text: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean', object: (value) => typeof value === 'object' && value !== null,
}

const foldersOfNodes = ['actors', 'bus', 'gateway', 'topology', 'observe', 'cli/commands']
const sourcesOfNodes = (): string[] => foldersOfNodes.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8')))

let scrape: Scrape
beforeAll(async () => {
  const node = startNodeOfTest()
  node.send('kv.put.a', '1')
  node.pass(50)
  node.send('kv.get.a')
  node.pass(200)
  scrape = await node.scrape()
})

describe('docs/OBSERVABILITY.md', () => {
  test('has every metric that a node exposes, with its type, and no other; cure: a row in its table', () => {
    const documented = rowsOf('Metrics').map(([name, type]) => `${nameIn(name)} ${type}`)
    expect(documented.toSorted()).toEqual([...scrape.types].map(([name, type]) => `${name} ${type}`).toSorted())
    expect(documented.length).toBe(families.length)
  })

  test('names the labels that the metrics have', () => {
    const given = new Map(rowsOf('Metrics').map(([name, , labels = '']) =>
      [nameIn(name), labels.split(' ').filter((label) => label !== '')]))
    const histograms = new Set(families.filter(({ type }) => type === 'histogram').map(({ name }) => name))
    for (const { name, labels } of scrape.samples) {
      const family = histograms.has(name.replace(suffix, '')) ? name.replace(suffix, '') : name
      expect([family, Object.keys(labels).filter((label) => label !== 'le').toSorted()]).toEqual([family, given.get(family)?.toSorted()])
    }
  })

  test('says of every metric what it means, in the words of its help, and what to do', () => {
    for (const [name, , , meaning, cure = ''] of rowsOf('Metrics')) {
      expect(meaning).toBe(families.find((family) => family.name === nameIn(name))?.help)
      expect(cure.length).toBeGreaterThan(10)
    }
  })

  test('has every field that a line of the log may have, and no other; cure: a row in its table', () => {
    const { fields, unread } = logFieldsIn(foldersOfNodes)
    expect(unread).toEqual([])
    const documented = fieldRows.map(([name]) => nameIn(name))
    const written = new Map([...fields, ...ownFields.map((name) => [name, 'observe/log.ts'] as const)])
    expect([...written].filter(([name]) => !documented.includes(name))).toEqual([])
    expect(documented.filter((name) => !written.has(name))).toEqual([])
    expect(documented.length).toBe(new Set(documented).size)
  })

  test('says of every field of the log its type, and what it means', () => {
    for (const [name, type = '', unit = '', meaning = ''] of fieldRows) {
      expect([name, type.split(' or ').filter((word) => !(word in typeTests))]).toEqual([name, []])
      expect([name, meaning.length > 10, unit !== '' || !/_us$|Bytes$|^bytes$/.test(nameIn(name))]).toEqual([name, true, true])
    }
  })

  test('has the fields of the log of a working node, of the type that they have there, and each is in a line once', async () => {
    const written: string[] = []
    const opened = await openProcessLog({
      node: 'n1', levels: createLogLevels('trace'), stdout: { write: (line: string) => { written.push(line) } },
    })
    const slow = loggingSlow(createInstruments(() => 0).ports, opened.log, 0)
    const node = startNodeOfTest({ log: opened.log, instruments: slow })
    node.send('kv.put.a', '1', { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` })
    node.send('kv.put.b', '1')
    node.pass(50)
    await opened.close()
    expect(written.filter((line) => repeatedKeys(line).length > 0)).toEqual([])
    const lines = written.map((line) => JSON.parse(line) as Record<string, unknown>)
    const types = new Map(fieldRows.map(([name, type = '']) => [nameIn(name), type.split(' or ')]))
    for (const [field, value] of lines.flatMap((line) => Object.entries(line))) {
      expect([field, value, (types.get(field) ?? []).some((type) => typeTests[type]?.(value))]).toEqual([field, value, true])
    }
    const named = [
      'time', 'level', 'node', 'pid', 'actor', 'msg', 'shard', 'term', 'state', 'cmd', 'latency_us', 'status', 'conn_id', 'trace_id',
    ]
    expect(named.filter((field) => !lines.some((line) => field in line))).toEqual([])
  })

  test('is right about slow requests: lines of a sampled one have its trace, and the span of the door or of the shard', async () => {
    const lines: Record<string, unknown>[] = []
    const opened = await openProcessLog({
      node: 'n1', levels: createLogLevels('info'),
      stdout: { write: (line: string) => { lines.push(JSON.parse(line) as Record<string, unknown>) } },
    })
    const node = startNodeOfTest({ log: opened.log, instruments: loggingSlow(createInstruments(() => 0).ports, opened.log, 0) })
    const traceId = 'a'.repeat(32)
    node.send('kv.put.a', '1', { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` })
    node.pass(50)
    node.send('kv.put.b', '1')
    node.pass(50)
    await opened.close()
    const slow = lines.filter(({ msg }) => String(msg).startsWith('a request was slow'))
    const spanOf = (name: string) => node.spans.find((span) => span.name === name)?.spanId
    expect(slow.map(({ actor, trace_id: trace, span_id: span }) => [actor, trace, span])).toEqual([
      ['gateway', traceId, spanOf('kv put')], ['shard', traceId, spanOf('shard')],
      ['gateway', undefined, undefined], ['shard', undefined, undefined],
    ])
    expect(spanOf('shard')).toMatch(/^[0-9a-f]{16}$/)
  })

  test('has every actor that has a level of its own, and each of them writes lines', () => {
    const row = rowsOf('Logs').find(([name]) => nameIn(name) === 'actor') ?? []
    expect([...(row[3] ?? '').matchAll(/`(.*?)`/g)].map(([, name]) => name)).toEqual(loggedActors)
    const written = new Set(sourcesOfNodes().flatMap((text) => [...text.matchAll(/\bactor: '([a-z]+)'/g)].map(([, name]) => name)))
    expect(loggedActors.filter((name) => !written.has(name))).toEqual([])
  })

  test('has every alert, and no other', () => {
    expect(rowsOf('Alerts').map(([name]) => nameIn(name))).toEqual(rules.map(({ alert }) => alert))
  })
})

describe('the alerts and the dashboard', () => {
  test('name metrics and labels that a node exposes', () => {
    const known = new Map<string, Set<string>>()
    for (const { name, labels } of scrape.samples) known.set(name, new Set([...known.get(name) ?? [], ...Object.keys(labels)]))
    /** Prometheus adds them. */
    const own = new Set(['instance', 'job'])
    for (const expression of expressions) {
      const found = [...expression.matchAll(/\b((?:shardkv|process|nodejs)_[a-z0-9_]+|up)\b(?:\{(.*?)\})?/g)]
      expect(found.length).toBeGreaterThan(0)
      for (const [, name = '', matchers = ''] of found) {
        if (name === 'up') continue
        expect([expression, scrape.types.has(name) || scrape.types.has(name.replace(suffix, ''))]).toEqual([expression, true])
        const labels = [...matchers.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label)
        const has = known.get(name)
        if (has !== undefined) expect(labels.filter((label) => !own.has(label) && !has.has(label))).toEqual([])
      }
    }
  })

  test('say what they show, and give people names and severities', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const { labels, annotations } of rules) {
      expect(['critical', 'warning', 'info']).toContain(labels.severity)
      expect([annotations.summary.length > 5, annotations.description.length > 5]).toEqual([true, true])
    }
    const panels = dashboard.panels.filter(({ type }) => type !== 'row')
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    for (const { title, description = '', targets = [] } of panels) {
      expect([title, description !== '', targets.length > 0]).toEqual([title, true, true])
    }
  })

  const promtool = process.env['SHARDKV_PROMTOOL'] ?? 'promtool'
  const isThere = spawnSync(promtool, ['--version']).status === 0
  ;(isThere ? test : test.skip)('are expressions that Prometheus reads (skipped where promtool is not installed)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardkv-rules-'))
    const plain = expressions.map((expr) => expr.replaceAll('$__rate_interval', '1m'))
    const recorded = plain.map((expr, i) => ({ record: `r${i}`, expr }))
    writeFileSync(join(folder, 'all.yml'), JSON.stringify({ groups: [{ name: 'all', rules: recorded }] }))
    for (const file of [join(folder, 'all.yml'), 'observe/prometheus/alerts.yml']) {
      const { status, stdout, stderr } = spawnSync(promtool, ['check', 'rules', file], { encoding: 'utf8' })
      expect([status, `${stdout}${stderr}`]).toEqual([0, expect.any(String)])
    }
    rmSync(folder, { recursive: true })
  })
})
