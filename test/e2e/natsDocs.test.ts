/**
 * docs/NATS.md, run as it stands against a real cluster: the JavaScript program always, the commands, the Python and the Go program where
 * this machine has their clients or can get them (test/support/natsClients.ts). And the micro service, asked by NATS' own client library.
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { RequestStrategy, connect } from 'nats'
import { must } from '../../actors/kernel/assert.ts'
import { CLUSTER, isServing, startTestCluster } from '../../chaos/ground/cluster.ts'
import { settledKv } from '../support/kv.ts'
import { GO_MODULE, hasGoClient, natsCommand, pythonEnvironment } from '../support/natsClients.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'

const TEST_MS_MAX = 120_000
const PROGRAM_MS_MAX = 30_000
const BUILD_MS_MAX = 300_000
const TRIES_MAX = 5
const page = readFileSync('docs/NATS.md', 'utf8')
const blocks = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, text]) => text ?? '')

const refusals = /Kv-Status: IN(?:VALID|TERNAL)|No responders are|usage:/
const nats = natsCommand()
const python = pythonEnvironment()

let cluster: TestCluster
beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.until('every shard is served', isServing(cluster))
}, TEST_MS_MAX)
afterAll(() => cluster.stop())

interface Run {
  readonly code: number | null
  readonly out: string
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>> | null
  readonly cwd?: string
  readonly timeoutMs?: number
}

const run = (command: string, args: readonly string[], options: RunOptions = {}): Promise<Run> => new Promise((resolve, reject) => {
  const { env, timeoutMs = PROGRAM_MS_MAX, cwd = '.' } = options
  const child = spawn(command, args, { env: { ...process.env, NATS_URL: cluster.url, ...env }, timeout: timeoutMs, cwd })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { out += chunk.toString() })
  child.once('error', reject)
  child.once('close', (code) => resolve({ code, out }))
})

/** Nobody serves a shard while its leadership moves, as it does for seconds after a start: the request was received by no one. */
const unreceived = /No responders are/
/**
 * A machine with more to do than cores loses leaders now and then, and a request with them: it times out. The programs may be repeated:
 * what they add to is deleted first, and the rest they write anew.
 */
const unsettled = new RegExp(`TIMEOUT|TimeoutError|nats: timeout|${unreceived.source}`)

const runSettled = async (command: string, args: readonly string[], options: RunOptions = {}, again = unsettled): Promise<Run> => {
  for (let tries = 1; ; tries += 1) {
    const outcome = await run(command, args, options)
    if (tries === TRIES_MAX || !again.test(outcome.out)) return outcome
    await cluster.until('every shard is served', isServing(cluster))
  }
}

describe('the programs of docs/NATS.md print what the page says', () => {
  const expected = must(blocks('text')[0], 'what they print')

  test('JavaScript', async () => {
    const args = ['--input-type=module', '-e', must(blocks('js')[0], 'the program')]
    expect(await runSettled(process.execPath, args)).toEqual({ code: 0, out: expected })
  }, TEST_MS_MAX);

  (python === null ? test.skip : test)('Python, where nats-py is', async () => {
    const args = ['-c', must(blocks('python')[0], 'the program')]
    expect(await runSettled('python3', args, { env: python })).toEqual({ code: 0, out: expected })
  }, TEST_MS_MAX);

  (hasGoClient() ? test : test.skip)('Go, where it and nats.go are', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardkv-go-'))
    try {
      const [source, program] = [join(folder, 'main.go'), join(folder, 'program')]
      writeFileSync(source, must(blocks('go')[0], 'the program'))
      const built = await run('go', ['build', '-buildvcs=false', '-o', program, source], { cwd: GO_MODULE, timeoutMs: BUILD_MS_MAX })
      expect(built).toEqual({ code: 0, out: '' })
      expect(await runSettled(program, [])).toEqual({ code: 0, out: expected })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }, BUILD_MS_MAX + TEST_MS_MAX)
});

(nats === null ? describe.skip : describe)('the commands of docs/NATS.md, where the nats command is', () => {
  const commands = blocks('sh').flatMap((block) => block.trim().split('\n'))

  test('are all answered, and none is refused', async () => {
    expect(commands.length).toBeGreaterThan(20)
    for (const line of commands) {
      const { code, out } = await runSettled('sh', ['-c', line.replace(/^nats /, `'${nats}' `)], {}, unreceived)
      expect({ line, code, out }).toEqual({ line, code: 0, out: expect.not.stringMatching(refusals) })
    }
  }, TEST_MS_MAX)

  test('a request id makes a repetition harmless, as the page promises', async () => {
    const raw = async (...args: readonly string[]): Promise<string> => (await runSettled(nats ?? '', ['req', '--raw', ...args])).out.trim()
    const once = await raw('kv.incr.twice', '5', '-H', 'Kv-Request-Id:doc-1')
    expect(await raw('kv.incr.twice', '5', '-H', 'Kv-Request-Id:doc-1')).toBe(once)
  }, TEST_MS_MAX)
});

(nats === null ? describe.skip : describe)('nats micro', () => {
  const micro = async (...args: readonly string[]): Promise<string> => {
    const { code, out } = await run(nats ?? '', ['micro', ...args])
    expect([args, code]).toEqual([args, 0])
    return out
  }

  test('ls, ping, info and stats show the nodes and what they have done', async () => {
    const bus = await cluster.connect('test/client')
    for (let i = 0; i < 8; i += 1) expect((await settledKv(bus, `kv.put.shown-${i}`, 'x', { 'Kv-Request-Id': `s${i}` })).status).toBe('OK')
    bus.close()
    const [listed, pinged, counted] = [await micro('ls'), await micro('ping', 'shardkv'), await micro('stats', 'shardkv')]
    for (const member of cluster.members) {
      for (const shown of [listed, pinged, counted]) expect(shown).toContain(`${member}-${CLUSTER}`)
    }
    expect(listed).toMatch(/shardkv .* Linearizable, durable, sharded/)
    const puts = [...counted.matchAll(/│ put +│ ([\d,]+)/g)].map(([, count = '']) => Number(count.replaceAll(',', '')))
    expect(puts).toHaveLength(cluster.members.length)
    expect(puts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(8)
    const told = await micro('info', 'shardkv')
    for (const subject of ['kv.get.>', 'kv.put.>', 'kv.del.>', 'kv.incr.>']) expect(told).toContain(`Subject: ${subject}`)
  }, TEST_MS_MAX)
})

describe('the micro service, asked by NATS\' own client', () => {
  test('has an instance per node, with the operations as endpoints, and counts them', async () => {
    const bus = await cluster.connect('test/client')
    for (let i = 0; i < 30; i += 1) expect((await settledKv(bus, `kv.put.micro-${i}`, 'x', { 'Kv-Request-Id': `m${i}` })).status).toBe('OK')
    bus.close()
    const connection = await connect({ servers: cluster.url })
    const client = connection.services.client()
    // Of all three: one that is late is waited for (by itself the client takes the answers for all after 300 ms of silence).
    const everybody = connection.services.client({ strategy: RequestStrategy.Count, maxMessages: cluster.members.length, maxWait: 10_000 })
    const all = async <T>(iterator: Promise<AsyncIterable<T>>): Promise<readonly T[]> => {
      const found: T[] = []
      for await (const one of await iterator) found.push(one)
      return found
    }
    const pings = await all(everybody.ping('shardkv'))
    expect(pings.map(({ metadata }) => metadata?.['node']).toSorted()).toEqual([...cluster.members])
    const infos = await all(everybody.info('shardkv'))
    for (const { endpoints } of infos) expect(endpoints[1]).toMatchObject({ name: 'put', subject: 'kv.put.>' })
    expect(infos).toHaveLength(3)
    const stats = await all(everybody.stats('shardkv'))
    const puts = stats.map(({ endpoints }) => must(endpoints?.find(({ name }) => name === 'put'), 'the put endpoint'))
    expect(puts.reduce((sum, { num_requests }) => sum + num_requests, 0)).toBeGreaterThanOrEqual(30)
    expect(puts.every(({ num_requests, processing_time }) => num_requests === 0 || processing_time > 0)).toBe(true)
    const only = must(pings[0], 'an instance')
    expect((await all(client.ping('shardkv', only.id))).map(({ id }) => id)).toEqual([only.id])
    await connection.close()
  }, TEST_MS_MAX)
})
