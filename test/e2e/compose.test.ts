/**
 * What the containers of compose.yaml run, run here with the same arguments and the same environment: the three brokers of the profile
 * `cluster`, `init`, three nodes, and every health check that needs nothing but this program, nats-server and wget. Only paths, ports
 * and names of hosts are others: all are on one machine here. Those of the other profiles: watchers.test.ts.
 *
 * Not run: what needs an engine (networks and their names, volumes and their owners, users).
 */

import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { openOutside } from '../compose/outside.ts'
import { brokerNames, nodeNames, ourPrograms, portsOfOurs } from '../compose/ourPrograms.ts'
import type { Outside } from '../compose/outside.ts'

const TEST_MS_MAX = 300_000

const brokers = brokerNames()
const nodes = nodeNames()
let site: Outside

beforeAll(async () => {
  site = openOutside({ programs: ourPrograms([...brokers, 'setup', ...nodes]), ports: await portsOfOurs() })
})
afterAll(() => site.stop())

const cli = (...args: readonly string[]) =>
  spawnSync(process.execPath, [builtFile('cli/entry.js'), ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'] } })

const routesOf = async (name: string): Promise<readonly string[]> => {
  const answer = await fetch(`http://127.0.0.1:${site.portOf(name, 8222)}/routez`).catch(() => null)
  const { routes } = await (answer?.json() ?? Promise.resolve({ routes: [] })) as { routes: { remote_name: string }[] | null }
  return [...new Set((routes ?? []).map(({ remote_name: remote }) => remote))].toSorted()
}
const isWhole = async (): Promise<boolean> =>
  (await Promise.all(brokers.map(async (name) => (await routesOf(name)).length === brokers.length - 1))).every(Boolean)

test('nats-server takes the arguments of every broker', () => {
  for (const name of brokers) {
    const { status, stderr } = site.run(name, '-t')
    expect([name, status, stderr]).toEqual([name, 0, expect.stringMatching(/configuration file \S+nats\.conf is valid/)])
  }
})

test('the broker of the default profile is well by itself; with the others it is a cluster of three, whichever comes back', async () => {
  expect(site.health('nats')).not.toBe(0)
  site.start('nats')
  await site.until('the broker is well', () => site.health('nats') === 0)
  for (const name of brokers.slice(1)) site.start(name)
  await site.until('three brokers are one cluster', isWhole)
  for (const name of brokers) expect([name, site.health(name)]).toEqual([name, 0])

  site.processOf('nats').kill('SIGKILL')
  await site.until('the first is missed', async () => (await routesOf('nats-2')).join() === 'nats-3')
  site.start('nats')
  await site.until('it is one of three again', isWhole)
}, TEST_MS_MAX)

test('init makes the cluster once, and the nodes become healthy', async () => {
  const init = () => site.run('setup')
  expect(init()).toMatchObject({ status: 0, stderr: expect.stringContaining('created') as unknown })
  expect(init()).toMatchObject({ status: 0, stderr: expect.stringContaining('there already') as unknown })

  for (const name of nodes) {
    expect(site.health(name)).toBe(1)
    site.start(name)
  }
  for (const name of nodes) await site.until(`${name} is healthy`, () => site.health(name) === 0)
}, TEST_MS_MAX)

test('Prometheus is let in with its token, and nobody without; the admin API is shut', async () => {
  for (const name of nodes) {
    const url = `http://127.0.0.1:${site.portOf(name, 8480)}`
    const get = async (path: string, headers = {}) => (await fetch(`${url}${path}`, { headers })).status
    expect(await get('/metrics', { authorization: `Bearer ${site.compose.configs['metrics-token']?.content}` })).toBe(200)
    expect(await get('/metrics')).toBe(401)
    expect(await get('/v1/cluster')).toBe(404)
  }
}, TEST_MS_MAX)

test('a client of any broker is served, also when one broker is gone', async () => {
  const kv = (broker: string, ...args: readonly string[]) => cli(...args, '--servers', `nats://127.0.0.1:${site.portOf(broker, 4222)}`)
  expect(kv('nats-2', 'put', 'user42', 'Ada').status).toBe(0)
  site.processOf('nats').kill('SIGKILL')
  await site.until('the nodes have found another broker', () => kv('nats-3', 'put', 'user42', 'Grace').status === 0)
  expect(kv('nats-2', 'get', 'user42').stdout.trim()).toBe('Grace')
}, TEST_MS_MAX)

test('told to stop, as `docker compose stop` tells them, the nodes end with 0', async () => {
  for (const name of nodes) site.processOf(name).kill('SIGTERM')
  for (const name of nodes) await site.until(`${name} has ended`, () => site.processOf(name).exitCode !== null)
  expect(nodes.map((name) => [name, site.processOf(name).exitCode])).toEqual(nodes.map((name) => [name, 0]))
}, TEST_MS_MAX)
