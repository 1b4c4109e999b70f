/**
 * The doctor as a process at the bed of a real cluster: every check meets the trouble that it is for, a real one. What it says about
 * evidence that a test can not make is in test/cli/doctor.test.ts.
 */

import { createConnection, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { serverConfig } from '../../bus/natsConfig.ts'
import { must } from '../../actors/kernel/assert.ts'
import { VALUE_BYTES_MAX } from '../../actors/shard/operation.ts'
import { isServing, startTestCluster } from '../../chaos/ground/cluster.ts'
import { mountSmallDisk } from '../../chaos/ground/smallDisk.ts'
import { connect, resultsOf } from '../../sdk/index.ts'
import { shardOf } from '../../topology/hash.ts'
import { flipBit } from '../support/flipBit.ts'
import { until } from '../support/until.ts'
import type { AddressInfo } from 'node:net'
import type { NodeReport } from '../../topology/report.ts'
import type { SmallDisk } from '../../chaos/ground/smallDisk.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'

const TEST_MS_MAX = 180_000
const SEEN_MS_MAX = 90_000
const SHARDS = 4
const PREFIX = 'kv'
/** So many values as these, one for each shard at a time, are more than the small disk. */
const SEGMENT_VALUES_MAX = 100
/** A key of each shard. */
const shardKeys = Array.from({ length: SHARDS }, (_, shard) =>
  must(Array.from({ length: 100 }, (_, i) => `k${i}`).find((key) => shardOf(key, SHARDS) === shard), 'one of a hundred'))

interface Finding {
  readonly check: string
  readonly level: 'ok' | 'note' | 'problem'
  readonly found: string
  readonly cure?: string
}

interface Visit {
  readonly code: number | null
  readonly findings: ReadonlyMap<string, Finding>
}

const visit = async (cluster: TestCluster, ...flags: readonly string[]): Promise<Visit> => {
  const { code, out, err } = await cluster.cli('doctor', '-w', 'json', ...flags).ended
  if (out === '') throw new Error(`the doctor said nothing: ${err}`)
  const { findings } = JSON.parse(out) as { findings: readonly Finding[] }
  return { code, findings: new Map(findings.map((one) => [one.check, one])) }
}

interface Wanted {
  readonly check: string
  readonly level: Finding['level']
  readonly found: RegExp
}

/** Visits until the check is at the level: with a cure unless all is well, and exit code 1 when it is a problem. */
const finds = async (cluster: TestCluster, wanted: Wanted, ...flags: readonly string[]): Promise<void> => {
  const deadline = performance.now() + SEEN_MS_MAX
  for (;;) {
    const { code, findings } = await visit(cluster, ...flags)
    const { level, found, cure = '' } = findings.get(wanted.check) ?? { level: null, found: '' }
    if (level === wanted.level && wanted.found.test(found)) {
      expect([level === 'ok' || cure.length > 10, level !== 'problem' || code === 1]).toEqual([true, true])
      return
    }
    const seen = JSON.stringify([code, ...findings.values()])
    if (performance.now() > deadline) throw new Error(`${wanted.check} is no ${wanted.level} with ${String(wanted.found)}: ${seen}`)
  }
}

const open = async (options: Parameters<typeof startTestCluster>[0]): Promise<TestCluster> => {
  const cluster = await startTestCluster({ shards: SHARDS, ...options })
  await cluster.until('every shard is served', isServing(cluster))
  return cluster
}

const [n1, n2, n3] = ['n1', 'n2', 'n3'] as const
const nodeOf = (cluster: TestCluster, name: string): TestCluster['members'][number] =>
  must(cluster.members.find((member) => member === name), `${name} is a member`)

/** Writes until the test is over with it, so that there is something to sync. */
const writing = (cluster: TestCluster): (() => Promise<void>) => {
  const over = new AbortController()
  const write = async (): Promise<void> => {
    for (let i = 0; !over.signal.aborted; i += 1) await cluster.cli('put', `patient-${i}`, 'v').ended
  }
  const running = write()
  return async () => {
    over.abort()
    await running
  }
}

/** What the broker says of itself, as one of a version with known holes says it. */
const older = (line: string): string => line.replace(/"version":"[^"]*"/, '"version":"2.10.0"')

describe('on nodes that have what a test orders', () => {
  let cluster: TestCluster
  let stopWriting = async (): Promise<void> => {}
  beforeAll(async () => { cluster = await open({ isHaunted: true }) }, TEST_MS_MAX)
  afterEach(() => stopWriting(), TEST_MS_MAX)
  afterAll(() => cluster.stop(), TEST_MS_MAX)

  test('a broker with known holes', async () => {
    const relay = createServer((client) => {
      const broker = createConnection(cluster.broker.port, '127.0.0.1')
      for (const [from, to] of [[client, broker], [broker, client]] as const) {
        from.on('error', () => to.destroy()).on('close', () => to.destroy())
      }
      client.pipe(broker)
      broker.on('data', (bytes: Buffer) => {
        client.write(bytes.toString('latin1').replaceAll(/^INFO .*$/gm, older), 'latin1')
      })
    })
    await new Promise<void>((resolve) => { relay.listen(0, '127.0.0.1', resolve) })
    const { port } = relay.address() as AddressInfo
    try {
      const found = { check: 'broker', level: 'problem', found: /2\.10\.0/ } as const
      await finds(cluster, found, '--servers', `nats://127.0.0.1:${port}`)
    } finally {
      relay.close()
    }
  }, TEST_MS_MAX)

  test('a clock that is off, by a little and by a lot', async () => {
    const node = nodeOf(cluster, n2)
    await finds(cluster, { check: 'clocks', level: 'ok', found: /n2 [+-]\d+ ms/ })
    cluster.order(node, { order: 'offsetClock', ms: 3_000 })
    await finds(cluster, { check: 'clocks', level: 'note', found: /n2 \+(?:29|30)\d\d ms/ })
    cluster.order(node, { order: 'offsetClock', ms: -60_000 })
    await finds(cluster, { check: 'clocks', level: 'problem', found: /n2 -(?:59|60)\d{3} ms.*times to live/ })
    cluster.order(node, { order: 'offsetClock', ms: 0 })
    await finds(cluster, { check: 'clocks', level: 'ok', found: /n2 [+-]\d+ ms/ })
  }, TEST_MS_MAX)

  test('a disk that is slow to sync, and one that stalls', async () => {
    const node = nodeOf(cluster, n3)
    stopWriting = writing(cluster)
    cluster.order(node, { order: 'slowSyncs', ms: 60 })
    await finds(cluster, { check: 'sync time', level: 'note', found: /n3 p50 [\d.]+ ms, p99 \d+ ms/ })
    cluster.order(node, { order: 'slowSyncs', ms: 900 })
    await finds(cluster, { check: 'sync time', level: 'problem', found: /n3 .*longer than an election timeout/ })
    cluster.order(node, { order: 'slowSyncs', ms: 0 })
  }, TEST_MS_MAX)

  test('an event loop that stands still again and again', async () => {
    const node = nodeOf(cluster, n2)
    const timer = setInterval(() => { cluster.order(node, { order: 'block', ms: 150 }) }, 300)
    try {
      await finds(cluster, { check: 'event loop', level: 'note', found: /n2 p99 \d{3} ms/ })
    } finally {
      clearInterval(timer)
    }
  }, TEST_MS_MAX)

  test('a majority that is gone: no leader, no answer to a read, and who is missing', async () => {
    for (const name of [n2, n3]) await cluster.kill(nodeOf(cluster, name))
    await finds(cluster, { check: 'leaders', level: 'problem', found: /none for shards 0, 1, 2, 3/ })
    const { code, findings } = await visit(cluster)
    expect([code, findings.get('nodes'), findings.get('access')]).toMatchObject([
      1, { level: 'problem', found: 'n2, n3 of 3 do not answer' },
      { level: 'problem', found: expect.stringMatching(/^a read is answered with "/) },
    ])
    for (const name of [n2, n3]) cluster.start(nodeOf(cluster, name))
    await cluster.until('every shard is served', isServing(cluster))
  }, TEST_MS_MAX)
})

/** A user of each kind, and the nodes without a name: whoever has all permissions may be a node. The reader's are of before ADR 13. */
const withUsers = (port: number): string => `${serverConfig({ host: '127.0.0.1', port, prefix: PREFIX, shardCount: SHARDS })}
authorization: { users: [
  { user: anybody, password: secret }
  { user: ann, password: secret }
  { user: reader, password: secret, permissions: { publish: ["kv.>"], subscribe: ["_INBOX.>"] } }
  { user: newer, password: secret, permissions: { publish: ["kv.>"], subscribe: { allow: ["_INBOX.>"], deny: ["_INBOX.skv-nodes.>"] } } }
  { user: watcher, password: secret, permissions: { publish: ["kv.status", "kv.help"], subscribe: ["_INBOX.>"] } }
] }
no_auth_user: anybody
`

const as = (user: string): readonly string[] => ['--nats-user', user, '--nats-password', 'secret']

describe('on a broker and a disk of their own', () => {
  let cluster: TestCluster
  let disk: SmallDisk | null = null
  beforeAll(async () => {
    cluster = await open({
      isMapped: false,
      prepareDirectory: (node, directory) => { if (node === n1) disk = mountSmallDisk(directory, 96 * 1_024 * 1_024) },
    })
  }, TEST_MS_MAX)
  afterAll(async () => {
    disk?.unmount()
    await cluster.stop()
  }, TEST_MS_MAX)

  const routed = (routing: string) => (reports: readonly NodeReport[]): boolean =>
    isServing(cluster)(reports) && reports.every(({ broker }) => broker.routing === routing)

  test('a broker without the mapping, and one that maps for another shard count', async () => {
    await finds(cluster, { check: 'routing', level: 'note', found: /no mapping: nodes forward/ })
    await cluster.broker.reconfigure((port) => serverConfig({ host: '127.0.0.1', port, prefix: PREFIX, shardCount: SHARDS * 2 }))
    await cluster.until('the nodes know', routed('mismatch'))
    await finds(cluster, { check: 'routing', level: 'problem', found: /another shard count/ })
    expect((await visit(cluster)).findings.get('routing')?.cure).toContain(`"shardkv nats-config --shards ${SHARDS} --prefix kv"`)
    const printed = await cluster.cli('nats-config', '--shards', String(SHARDS), '--port', String(cluster.broker.port)).ended
    await cluster.broker.reconfigure(() => printed.out)
    await cluster.until('the nodes know', routed('broker'))
    await finds(cluster, { check: 'routing', level: 'ok', found: /each of 4 shards to its leader/ })
  }, TEST_MS_MAX)

  test('a broker that is open to all, a client that could be a node, one that may not listen, one that may not read', async () => {
    await finds(cluster, { check: 'permissions', level: 'note', found: /asks nobody for a name/ })
    await cluster.broker.reconfigure(withUsers)
    await cluster.until('the nodes are back', isServing(cluster))
    await finds(cluster, { check: 'permissions', level: 'problem', found: /may speak and listen on the subjects between/ }, ...as('ann'))
    await finds(cluster, { check: 'access', level: 'note', found: /may not hear kv-changed\.> and not ask \$SRV\.>/ }, ...as('reader'))
    await finds(cluster, { check: 'permissions', level: 'note', found: /not from where nodes hear/ }, ...as('reader'))
    await finds(cluster, { check: 'permissions', level: 'ok', found: /keeps this user off/ }, ...as('newer'))
    await finds(cluster, { check: 'access', level: 'problem', found: /^a read is answered with "/ }, ...as('watcher'))
  }, TEST_MS_MAX)

  test('a disk with little room, and one that is full', async () => {
    await finds(cluster, { check: 'disk space', level: 'problem', found: /nearly full on n1: n1 [\d.]+ MiB free/ })
    must(disk, 'it is mounted').fill(65_536)
    const kv = await connect({ servers: cluster.url, timeoutMs: 60_000 })
    const big = new Uint8Array(VALUE_BYTES_MAX)
    const isFull = async (): Promise<boolean> => (await cluster.reports()).some(({ node }) => node.diskFull)
    // The segments that it has are filled first.
    for (let i = 0; i < SEGMENT_VALUES_MAX && !await isFull(); i += 1) await kv.mput(shardKeys.map((key) => [key, big] as const))
    await finds(cluster, { check: 'disk space', level: 'problem', found: /^full on n1: writes are refused$/ })
    must(disk, 'it is mounted').free()
    await finds(cluster, { check: 'disk space', level: 'problem', found: /nearly full on n1/ })
    expect(resultsOf(await kv.mput(shardKeys.map((key) => [key, new Uint8Array(1)] as const)))).toHaveLength(SHARDS)
    await kv.close()
  }, TEST_MS_MAX)

  test('a log that does not read back', async () => {
    const node = nodeOf(cluster, n2)
    await cluster.kill(node)
    flipBit(cluster.directory(node))
    cluster.start(node)
    await until(() => cluster.isRunning(node), 'it runs', SEEN_MS_MAX)
    await finds(cluster, { check: 'replicas', level: 'problem', found: /shard \d on n2: / })
  }, TEST_MS_MAX)
})
