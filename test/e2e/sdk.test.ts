/**
 * The SDK as others meet it: the packed package in an empty folder, the README's snippet from both kinds of modules, the examples, and
 * a broker with passwords. Real broker, real nodes.
 */

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { transformSync } from '@swc/core'
import { connect } from '../../sdk/index.ts'
import { isServing, passwordOf, startTestCluster } from '../../chaos/ground/cluster.ts'
import { freePort } from '../../bench/targets/freePorts.ts'
import type { Kv } from '../../sdk/kv.ts'
import type { TestCluster, TestClusterOptions } from '../../chaos/ground/cluster.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MINUTES_MAX = 180_000
const ATTEMPTS_MAX = 4

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface RunOptions {
  readonly cwd: string
  readonly servers?: string
}

const run = (command: string, args: readonly string[], options: RunOptions): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const servers = options.servers === undefined ? {} : { SHARDKV_SERVERS: options.servers }
    const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', ...servers }
    const child = spawn(command, args, { cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'], env })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
    child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString() })
    child.once('error', reject)
    child.once('close', (code) => { resolve({ code, out, err }) })
  })

const openCluster = async (options: TestClusterOptions = {}): Promise<TestCluster> => {
  const running = await startTestCluster(options)
  await running.until('every shard is served', isServing(running))
  return running
}

/**
 * On a machine that is starved by others, an election may take longer than the default timeout of a call. A program that says so is run
 * again once every shard is served, which changes nothing about what it has to print.
 */
const runServed = async (running: TestCluster, script: string, options: RunOptions): Promise<Ended> => {
  for (let attempt = 1; ; attempt += 1) {
    await running.until('every shard is served', isServing(running))
    const ended = await run(process.execPath, [script], options)
    if (attempt === ATTEMPTS_MAX || !/^TimeoutError: .* was not answered within 5000 ms/m.test(ended.err)) return ended
    process.stdout.write(`e2e: ${script} met a leaderless shard for 5 s and is run again\n`)
  }
}

/** The README's first program, for the broker of this test. */
const snippetOf = (url: string): string => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const found = /## From TypeScript\s+```ts\n([\s\S]*?)```/.exec(readme)?.[1]
  if (found === undefined) throw new Error('the README has no snippet under "From TypeScript"')
  expect(found).toContain('nats://127.0.0.1:4222')
  return found.replace('nats://127.0.0.1:4222', url)
}

const stripped = (typed: string, type: 'es6' | 'commonjs'): string => transformSync(typed, {
  jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type },
}).code

describe('with a cluster', () => {
  let running: TestCluster
  let folder: string

  beforeAll(async () => {
    running = await openCluster()
    folder = mkdtempSync(join(tmpdir(), 'shardkv-installed-'))
  }, MINUTES_MAX)

  afterAll(async () => {
    await running.stop()
    rmSync(folder, { recursive: true, force: true })
  }, MINUTES_MAX)

  describe('the package', () => {
    let tarball: string
    const command = (): string => join(folder, 'node_modules/shardkv/bin/shardkv.mjs')

    const installInto = async (where: string, ...more: readonly string[]): Promise<readonly string[]> => {
      writeFileSync(join(where, 'package.json'), '{ "name": "empty", "private": true }\n')
      const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...more]
      expect(await run('npm', ['install', ...flags, tarball], { cwd: where })).toMatchObject({ code: 0 })
      const { packages } = JSON.parse(readFileSync(join(where, 'node_modules/.package-lock.json'), 'utf8')) as { packages: object }
      const paths = Object.keys(packages).filter((path) => existsSync(join(where, path)))
      return paths.map((path) => path.replace(/^.*node_modules\//, ''))
    }

    let installed: readonly string[]
    beforeAll(async () => {
      const checked = await run(process.execPath, [join(ROOT, 'scripts/checkPackage.mjs'), folder], { cwd: ROOT })
      expect(checked).toMatchObject({ code: 0, out: expect.stringMatching(/pack ok\n.*contents ok.*\n.*publint ok\n.*types ok/) })
      tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '')
      installed = await installInto(folder)
    }, MINUTES_MAX)

    test('brings few others, and no exporter of traces that nobody has asked for', () => {
      expect(installed).toContain('xstate')
      expect(installed.filter((name) => /exporter|grpc|protobuf|pino-(?:loki|roll|socket|syslog|elasticsearch)/.test(name))).toEqual([])
      expect(installed.length).toBeLessThan(50)
    })

    test('without what is optional is the SDK and nats, and its command says what it lacks', async () => {
      const lean = mkdtempSync(join(tmpdir(), 'shardkv-lean-'))
      expect((await installInto(lean, '--omit=optional')).toSorted()).toEqual(['nats', 'nkeys.js', 'shardkv', 'tweetnacl'])
      writeFileSync(join(lean, 'snippet.mjs'), stripped(snippetOf(running.url), 'es6'))
      expect(await runServed(running, 'snippet.mjs', { cwd: lean })).toMatchObject({ code: 0, err: '' })
      const { code, err } = await run(process.execPath, [join(lean, 'node_modules/shardkv/bin/shardkv.mjs'), 'version'], { cwd: lean })
      const said = /^shardkv: the package \S+ is not installed, .*npm install --include=optional/
      expect([code, err]).toEqual([1, expect.stringMatching(said)])
      rmSync(lean, { recursive: true, force: true })
    }, MINUTES_MAX)

    test('runs the README\'s snippet as an ES module', async () => {
      writeFileSync(join(folder, 'snippet.mjs'), stripped(snippetOf(running.url), 'es6'))
      const { code, out, err } = await runServed(running, 'snippet.mjs', { cwd: folder })
      expect({ code, err, out }).toEqual({ code: 0, err: '', out: expect.stringMatching(/^Grace\n\d+n\n$/) })
    }, MINUTES_MAX)

    test('runs the README\'s snippet as CommonJS', async () => {
      const [, imports = '', program = ''] = /^(import .*\n)([\s\S]*)$/.exec(snippetOf(running.url)) ?? []
      const wrapped = `${imports}const main = async () => {\n${program}\n}\nvoid main()\n`
      writeFileSync(join(folder, 'snippet.cjs'), stripped(wrapped, 'commonjs'))
      expect(readFileSync(join(folder, 'snippet.cjs'), 'utf8')).toContain('require("shardkv")')
      const { code, out, err } = await runServed(running, 'snippet.cjs', { cwd: folder })
      expect({ code, err, out }).toEqual({ code: 0, err: '', out: expect.stringMatching(/^Grace\n\d+n\n$/) })
    }, MINUTES_MAX)

    test('has types for the snippet in both kinds of modules', async () => {
      const snippet = snippetOf(running.url)
      writeFileSync(join(folder, 'typed.mts'), snippet)
      const [, imports = '', program = ''] = /^(import .*\n)([\s\S]*)$/.exec(snippet) ?? []
      writeFileSync(join(folder, 'typed.cts'), `${imports}export const main = async (): Promise<void> => {\n${program}\n}\n`)
      const flags = ['--noEmit', '--strict', '--target', 'es2023', '--lib', 'es2023', '--module', 'nodenext', '--types', 'node',
        '--typeRoots', join(ROOT, 'node_modules/@types'), 'typed.mts', 'typed.cts']
      const checked = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags], { cwd: folder })
      expect(checked).toEqual({ code: 0, out: '', err: '' })
      writeFileSync(join(folder, 'typed.mts'), snippet.replace('name: \'Ada\'', 'nickname: \'Ada\''))
      const refused = await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags], { cwd: folder })
      expect(refused.code).not.toBe(0)
      expect(refused.out).toContain('nickname')
    }, MINUTES_MAX)

    test('loads nats and nothing else', async () => {
      const listing = `require('shardkv')
        for (const path of Object.keys(require.cache)) console.log(/node_modules.([\\w.-]+)/.exec(path)[1])`
      const { out } = await run(process.execPath, ['-e', listing], { cwd: folder })
      expect([...new Set(out.trim().split('\n'))].sort()).toEqual(['nats', 'nkeys.js', 'shardkv', 'tweetnacl'])
    }, MINUTES_MAX)

    test('still has its command, with all that it runs', async () => {
      const outcomes: Readonly<Record<string, object>> = {
        version: { code: 0, out: expect.stringMatching(/^shardkv \d/) },
        [`--servers ${running.url} put packed v`]: { code: 0 },
        'bench put --help': { code: 0, out: expect.stringContaining('--inflight') },
        'init --dir made --nodes 1 --shards 2': { code: 0 },
        'node --id n1 --dir nowhere': { code: 78 },
      }
      for (const [words, outcome] of Object.entries(outcomes)) {
        expect([words, await run(process.execPath, [command(), ...words.split(' ')], { cwd: folder })]).toMatchObject([words, outcome])
      }
    }, MINUTES_MAX)

    test('runs a node, with its Observatory', async () => {
      const port = await freePort()
      const words = ['node', '--id', 'n1', '--dir', 'made/n1', '--servers', running.url, '--prefix', 'packed', '--http-port', String(port)]
      // Of the whole machine, say: the package for it is not installed, and that hinders nobody.
      const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }
      const node = spawn(process.execPath, [command(), ...words], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'], env })
      let log = ''
      node.stdout.on('data', (chunk: Buffer) => { log += chunk.toString() })
      const ended = new Promise<number | null>((resolve) => { node.once('exit', resolve) })
      const ask = (path: string): Promise<number> => fetch(`http://127.0.0.1:${port}${path}`).then(({ status }) => status, () => 0)
      for (const deadline = performance.now() + 60_000; await ask('/readyz') !== 200; await pause(100)) {
        expect(performance.now()).toBeLessThan(deadline)
      }
      expect([await ask('/'), await ask('/metrics')]).toEqual([200, 200])
      node.kill('SIGTERM')
      expect(await ended).toBe(0)
      expect(log).toMatch(/npm install @opentelemetry\/exporter-trace-otlp-proto @opentelemetry\/resources.*spans are not exported/)
    }, MINUTES_MAX)
  })

  describe('the example', () => {
    const outputs: Readonly<Record<string, RegExp>> = {
      'basics.mjs': /^bytes Uint8Array\(3\) \[ 1, 2, 3 \]\ntext hello\njson \{ name: 'Ada' \}\ndeleted true\ngone null\n$/,
      'compare-and-set.mjs': /^list 0 1 2 3 4 5 6 7 8 9\n$/,
      'counters.mjs': /^counted 1000 of 1000, exactly once: true\n$/,
      'many-keys.mjs': new RegExp(['read 1000 absent 1', 'example/key-0 CONFLICT', 'example/other written', 'deleted 1001',
        'fewer frames than operations true'].join('\\n')),
      'errors.mjs': new RegExp(['an empty key INVALID definite', 'a value above the limit TOO_LARGE definite', 'a signal ABORTED definite',
        'too many at once OVERLOADED definite', 'the key is there already true', 'a closed connection CLOSED definite'].join('\\n')),
    }
    test('of every file is known here', () => {
      expect(readdirSync(join(ROOT, 'examples')).sort()).toEqual(Object.keys(outputs).sort())
    })

    test.each(Object.entries(outputs))('%s does what it says', async (name, output) => {
      const { code, out, err } = await runServed(running, join('examples', name), { cwd: ROOT, servers: running.url })
      expect({ code, err, out }).toEqual({ code: 0, err: '', out: expect.stringMatching(output) })
    }, MINUTES_MAX)
  })

  test('a broker restarted under the SDK costs its callers no error', async () => {
    const kv = await connect({ servers: running.url, timeoutMs: 30_000 })
    const counted = [kv.incr('restarts'), kv.incr('restarts')]
    await running.broker.restart()
    counted.push(kv.incr('restarts'))
    await running.until('every shard is served', isServing(running))
    const values = (await Promise.all(counted)).map(({ value }) => Number(value))
    expect(values.toSorted((a, b) => a - b)).toEqual([1, 2, 3])
    await kv.close()
  }, MINUTES_MAX)
})

describe('with a broker that asks for passwords', () => {
  let running: TestCluster | null = null
  let kv: Kv<Uint8Array> | null = null

  afterEach(async () => {
    await kv?.close()
    await running?.stop()
  }, MINUTES_MAX)

  test('a client has all it needs with the permissions of a client, and a wrong password is named as such', async () => {
    running = await openCluster({ hasPermissions: true })
    await expect(connect({ servers: running.url, user: 'client', password: 'wrong' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED', message: expect.stringMatching(/Check user, password/),
    })
    kv = await connect({ servers: running.url, user: 'client', password: passwordOf('client') })
    await kv.put('key', Uint8Array.of(7))
    expect(await kv.get('key')).toMatchObject({ value: Uint8Array.of(7) })
  }, MINUTES_MAX)
})
