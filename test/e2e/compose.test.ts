/**
 * What the containers of compose.yaml run, run here with the same arguments and the same environment: the three brokers of the profile
 * `cluster`, `init`, three nodes, and every health check that needs nothing but this program, nats-server and wget. Only paths, ports
 * and names of hosts are others: all are on one machine here.
 *
 * Not run: what needs an engine (networks and their names, volumes and their owners, users), and the programs of other images.
 */

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { freePort, natsServerPath } from '../../chaos/ground/natsServer.ts'
import { readCompose } from '../compose/composeFile.ts'
import type { ChildProcess } from 'node:child_process'
import type { Service } from '../compose/composeFile.ts'

const TEST_MS_MAX = 300_000
const AWAITED_MS_MAX = 120_000

const { services, configs } = readCompose()
const service = (name: string): Service => must(services[name], `the service ${name}`)
const brokers = Object.keys(services).filter((name) => service(name).image.startsWith('nats:'))
const nodes = Object.keys(services).filter((name) => service(name).command?.[0] === 'node')

/** By service and port inside its container. */
const ports = new Map<string, number>()
const portOf = (name: string, inside: number): number => must(ports.get(`${name}:${inside}`), `a port for ${name}`)
const data = mkdtempSync(join(tmpdir(), 'shardkv-compose-'))
const children = new Map<string, ChildProcess>()
const output = new Map<string, string>()

beforeAll(async () => {
  const wanted = [...brokers.flatMap((name) => [4222, 6222, 8222].map((port) => `${name}:${port}`)), ...nodes.map((name) => `${name}:8480`)]
  for (const each of wanted) ports.set(each, await freePort())
})
afterAll(() => {
  for (const child of children.values()) child.kill('SIGKILL')
  rmSync(data, { recursive: true, force: true })
})

/** A word of a command line or an environment, as it has to be outside of the containers. */
const outside = (name: string, word: string): string => word
  .replace('/etc/nats/nats.conf', 'nats.conf')
  .replace('/nodejs/bin/node', process.execPath)
  .replace(/^\/data\b/, data)
  .replace('nats://brokers:4222', brokers.map((broker) => `nats://127.0.0.1:${portOf(broker, 4222)}`).join(','))
  .replaceAll(/(0\.0\.0\.0|127\.0\.0\.1|\bnats(?:-\d)?):(\d{4})\b/g, (_, host: string, port: string) =>
    `127.0.0.1:${portOf(host.startsWith('nats') ? host : name, Number(port))}`)
  .replace(/^8(?:222|480)$/, (port) => String(portOf(name, Number(port))))

const wordsOf = (name: string, words: readonly string[] = []): string[] => words.map((word) => outside(name, word))

const environmentOf = (name: string): NodeJS.ProcessEnv => {
  const given = Object.entries(service(name).environment ?? {}).filter((each): each is [string, string] => each[1] !== null)
  return { PATH: process.env['PATH'], ...Object.fromEntries(given.map(([key, value]) => [key, outside(name, value)])) }
}

const start = (name: string, program: string, args: readonly string[]): void => {
  const child = spawn(program, args, { env: environmentOf(name), stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => output.set(name, (output.get(name) ?? '') + chunk.toString()))
  }
  children.set(name, child)
}

const cli = (...args: readonly string[]) =>
  spawnSync(process.execPath, [builtFile('cli/entry.js'), ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'] } })

const brokerArgs = (name: string): readonly string[] =>
  [...wordsOf(name, service(name).command), '-a', '127.0.0.1', '-p', String(portOf(name, 4222))]
const startBroker = (name: string): void => start(name, natsServerPath(), brokerArgs(name))

const hasWget = spawnSync('wget', ['--version']).status === 0
/** Where there is no wget: the same question, asked by Node. */
const asking = (args: readonly string[]): readonly string[] =>
  ['-e', `fetch('${args.at(-1)}').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`]

/** The exit code of the check, as an engine runs it. */
const health = (name: string): number | null => {
  const [kind, ...words] = must(service(name).healthcheck, `a check of ${name}`).test
  expect(kind).toBe('CMD')
  const [program = '', ...args] = wordsOf(name, words)
  const isMissing = program === 'wget' && !hasWget
  return spawnSync(isMissing ? process.execPath : program, isMissing ? asking(args) : args, { env: { PATH: process.env['PATH'] } }).status
}

const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + AWAITED_MS_MAX
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}:\n${[...output].join('\n').slice(-4_000)}`)
    await pause(100)
  }
}

const routesOf = async (name: string): Promise<readonly string[]> => {
  const answer = await fetch(`http://127.0.0.1:${portOf(name, 8222)}/routez`).catch(() => null)
  const { routes } = await (answer?.json() ?? Promise.resolve({ routes: [] })) as { routes: { remote_name: string }[] | null }
  return [...new Set((routes ?? []).map(({ remote_name: remote }) => remote))].toSorted()
}
const isWhole = async (): Promise<boolean> =>
  (await Promise.all(brokers.map(async (name) => (await routesOf(name)).length === brokers.length - 1))).every(Boolean)

test('nats-server takes the arguments of every broker', () => {
  for (const name of brokers) {
    const { status, stderr } = spawnSync(natsServerPath(), ['-t', ...brokerArgs(name)], { encoding: 'utf8' })
    expect([name, status, stderr]).toEqual([name, 0, expect.stringContaining('configuration file nats.conf is valid')])
  }
})

test('the broker of the default profile is well by itself; with the others it is a cluster of three, whichever comes back', async () => {
  expect(health('nats')).not.toBe(0)
  startBroker('nats')
  await until('the broker is well', () => health('nats') === 0)
  for (const name of brokers.slice(1)) startBroker(name)
  await until('three brokers are one cluster', isWhole)
  for (const name of brokers) expect([name, health(name)]).toEqual([name, 0])

  children.get('nats')?.kill('SIGKILL')
  await until('the first is missed', async () => (await routesOf('nats-2')).join() === 'nats-3')
  startBroker('nats')
  await until('it is one of three again', isWhole)
}, TEST_MS_MAX)

test('init makes the cluster once, and the nodes become healthy', async () => {
  const init = () => cli(...wordsOf('setup', service('setup').command))
  expect(init()).toMatchObject({ status: 0, stderr: expect.stringContaining('created') as unknown })
  expect(init()).toMatchObject({ status: 0, stderr: expect.stringContaining('there already') as unknown })

  for (const name of nodes) {
    expect(health(name)).toBe(1)
    start(name, process.execPath, [builtFile('cli/entry.js'), ...wordsOf(name, service(name).command)])
  }
  for (const name of nodes) await until(`${name} is healthy`, () => health(name) === 0)
}, TEST_MS_MAX)

test('Prometheus is let in with its token, and nobody without; the admin API is shut', async () => {
  for (const name of nodes) {
    const get = async (path: string, headers = {}) => (await fetch(`http://127.0.0.1:${portOf(name, 8480)}${path}`, { headers })).status
    expect(await get('/metrics', { authorization: `Bearer ${configs['metrics-token']?.content}` })).toBe(200)
    expect(await get('/metrics')).toBe(401)
    expect(await get('/v1/cluster')).toBe(404)
  }
}, TEST_MS_MAX)

test('a client of any broker is served, also when one broker is gone', async () => {
  const kv = (broker: string, ...args: readonly string[]) => cli(...args, '--servers', `nats://127.0.0.1:${portOf(broker, 4222)}`)
  expect(kv('nats-2', 'put', 'user42', 'Ada').status).toBe(0)
  children.get('nats')?.kill('SIGKILL')
  await until('the nodes have found another broker', () => kv('nats-3', 'put', 'user42', 'Grace').status === 0)
  expect(kv('nats-2', 'get', 'user42').stdout.trim()).toBe('Grace')
}, TEST_MS_MAX)

test('told to stop, as `docker compose stop` tells them, the nodes end with 0', async () => {
  for (const name of nodes) children.get(name)?.kill('SIGTERM')
  for (const name of nodes) await until(`${name} has ended`, () => children.get(name)?.exitCode !== null)
  expect(nodes.map((name) => [name, children.get(name)?.exitCode])).toEqual(nodes.map((name) => [name, 0]))
}, TEST_MS_MAX)
