/**
 * What the image has in it, made here by the Dockerfile's own commands: the build, and of node_modules what production needs. It has to
 * start, serve, export spans and write to Loki, with nothing of the checkout in reach. Without a network: everything is installed already,
 * and taking away needs none.
 *
 * Not tried: the base images, and what `npm install` would fetch there.
 */

import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { builtFile, checkout } from '../../chaos/ground/checkout.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { freePort } from '../../bench/targets/freePorts.ts'
import { readDockerfile } from '../compose/dockerfile.ts'
import type { ChildProcess } from 'node:child_process'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'

const TEST_MS_MAX = 180_000
const AWAITED_MS_MAX = 60_000

const root = mkdtempSync(join(tmpdir(), 'shardkv-image-'))
const app = join(root, 'app')
const environment = { PATH: process.env['PATH'], HOME: root, NODE_ENV: 'production' }
const cli = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(app, 'dist/cli/entry.js'), ...args], { cwd: root, encoding: 'utf8', env: environment })
let broker: NatsServer | null = null
let node: ChildProcess | null = null
let output = ''

/** What the stage that builds runs last: production's packages stay, all others go. */
const pruning = (): string => must(must(readDockerfile()[0], 'the stage that builds').instructions
  .findLast(({ name, text }) => name === 'RUN' && text.includes('npm prune')), 'it prunes').text

beforeAll(() => {
  mkdirSync(app)
  for (const each of ['package.json', 'package-lock.json', 'node_modules']) {
    // Links to the installed files cost next to nothing, and what npm rewrites in place is its own list alone.
    const copied = spawnSync('cp', ['-a', ...(each === 'node_modules' ? ['--link'] : []), join(checkout, each), app])
    if (copied.status !== 0) cpSync(join(checkout, each), join(app, each), { recursive: true, verbatimSymlinks: true })
  }
  const list = 'node_modules/.package-lock.json'
  rmSync(join(app, list), { force: true })
  if (existsSync(join(checkout, list))) cpSync(join(checkout, list), join(app, list))
  const command = pruning()
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', command], {
    cwd: app, encoding: 'utf8', env: { ...environment, NODE_ENV: '', npm_config_offline: 'true', npm_config_cache: join(root, 'cache') },
  })
  expect([command, status, `${stdout}${stderr}`]).toEqual([command, 0, expect.any(String)])
  cpSync(dirname(dirname(builtFile('cli/entry.js'))), join(app, 'dist'), { recursive: true })
  rmSync(join(app, 'package-lock.json'))
}, TEST_MS_MAX)

afterAll(async () => {
  node?.kill('SIGKILL')
  await broker?.stop()
  rmSync(root, { recursive: true, force: true })
})

/** The packages that a file of the build and all it imports name, statically or not. */
const packagesIn = (path: string, seen = new Set<string>()): ReadonlySet<string> => {
  const found = new Set<string>()
  if (seen.has(path)) return found
  seen.add(path)
  for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(/\b(?:from|import|import\()\s*'([@.a-z][\w@./-]*)'/g)) {
    if (name.startsWith('.')) for (const below of packagesIn(join(dirname(path), name), seen)) found.add(below)
    else if (!name.startsWith('node:')) found.add(name)
  }
  return found
}

test('has no package for development, and every one that the program may import, log targets but Loki\'s apart', () => {
  const { dependencies, devDependencies, peerDependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) as
    Readonly<Record<'dependencies' | 'devDependencies' | 'peerDependencies', Readonly<Record<string, string>>>>
  expect(Object.keys(dependencies)).toContain('pino-loki')
  const isThere = (name: string): boolean => existsSync(join(app, 'node_modules', name))
  expect(['typescript', 'jest', 'esbuild', 'oxlint', 'fast-check'].filter((name) => name in devDependencies && isThere(name))).toEqual([])
  const packages = [...packagesIn(join(app, 'dist/cli/entry.js'))]
  expect(packages).toEqual(expect.arrayContaining(['nats', 'pino', 'xstate', '@opentelemetry/exporter-trace-otlp-grpc']))
  const wanted = packages.filter((name) => !(name in peerDependencies) || name === 'pino-loki')
  const script = `for (const name of ${JSON.stringify(wanted)}) await import(name).catch((error) => console.log(name, error.message))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: app, encoding: 'utf8', env: environment,
  })
  expect(stdout + stderr).toBe('')
}, TEST_MS_MAX)

test('starts, serves, and ends: a node that exports spans and writes its log to Loki, too', async () => {
  broker = await startNatsServer()
  const data = join(root, 'data')
  expect(cli('init', '--dir', data, '--nodes', '1', '--shards', '2')).toMatchObject({ status: 0 })
  const port = await freePort()
  node = spawn(process.execPath, [
    join(app, 'dist/cli/entry.js'), 'node', '--id', 'n1', '--dir', join(data, 'n1'), '--servers', broker.url, '--http-port', String(port),
    '--otlp-endpoint', 'http://127.0.0.1:9', '--otlp-protocol', 'grpc', '--log-to', 'stdout,loki:http://127.0.0.1:9',
  ], { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [node.stdout, node.stderr]) stream?.on('data', (chunk: Buffer) => { output += chunk.toString() })
  const deadline = performance.now() + AWAITED_MS_MAX
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null))?.status === 200
  while (!await isReady()) {
    if (node.exitCode !== null || performance.now() > deadline) throw new Error(`it does not serve:\n${output.slice(-4_000)}`)
    await pause(100)
  }
  expect(output).toContain('spans are exported')
  expect(cli('put', 'user42', 'Ada', '--servers', broker.url)).toMatchObject({ status: 0 })
  expect(cli('get', 'user42', '--servers', broker.url)).toMatchObject({ status: 0, stdout: expect.stringContaining('Ada') as unknown })
  const page = await fetch(`http://127.0.0.1:${port}/`)
  expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
  const ended = new Promise<number | null>((resolve) => { node?.once('exit', resolve) })
  node.kill('SIGTERM')
  expect(await ended).toBe(0)
}, TEST_MS_MAX)
