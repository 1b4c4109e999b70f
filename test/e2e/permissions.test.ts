/** The printed permission block in use: every node and every client is a user of its own, and nobody misses a right or has one too many. */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { mapSubject, nodeSubject, nodeWildcard } from '../../bus/subjects.ts'
import { CLUSTER, isServing, leadersOf, passwordOf } from '../../chaos/ground/cluster.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import { kv, settledKv } from '../support/kv.ts'
import { until } from '../support/until.ts'
import type { Bus } from '../../bus/port.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { OpenCluster } from '../support/clusterOfTest.ts'

const TEST_MS_MAX = 120_000

const cluster = clusterOfTest()
const open = (): Promise<OpenCluster> => cluster.open({ hasPermissions: true })

const deniedOf = (bus: Bus): string[] => {
  const denied: string[] = []
  bus.onEvent((event) => {
    if (event.type === 'bus.permissionDenied') denied.push(`${event.operation} ${event.subject}`)
  })
  return denied
}

const complaints = (running: TestCluster): readonly string[] =>
  running.members.flatMap((node) => running.log(node).split('\n').filter((line) => /permission|denied|violation/i.test(line)))

describe('on a broker with the printed permissions', () => {
  test('nodes form a cluster, elect, fail over and serve a client, and nothing they need is denied', async () => {
    const { running, bus } = await open()
    const denied = deniedOf(bus)
    for (let i = 0; i < 64; i += 1) {
      expect(await settledKv(bus, `kv.put.city-${i}`, `v${i}`, { 'Kv-Request-Id': `city-${i}` })).toMatchObject({ status: 'OK' })
      expect(await settledKv(bus, `kv.get.city-${i}`)).toMatchObject({ status: 'OK', value: `v${i}` })
    }
    expect(await settledKv(bus, 'kv.put.user42.email', 'ada@example.org', { 'Kv-Request-Id': 'email' })).toMatchObject({ status: 'OK' })
    expect(await settledKv(bus, 'kv.incr.visits', '', { 'Kv-Request-Id': 'visit' })).toMatchObject({ status: 'OK', value: '1' })
    expect(await kv(bus, 'kv.map')).toMatchObject({ status: 'OK' })
    expect(await kv(bus, 'kv.help')).toMatchObject({ status: 'OK' })

    const served = await running.until('every shard is served', isServing(running))
    const victim = must([...leadersOf(served).values()][0], 'somebody leads')
    await running.kill(victim)
    await running.until('the others have taken over', isServing(running, running.members.filter((node) => node !== victim)))
    running.start(victim)
    await running.until('every shard is served by three nodes', isServing(running))
    await running.broker.restart()
    await running.until('every shard is served after the broker\'s restart', isServing(running))
    await until(() => bus.status().connected, 'the client is back')
    expect(await settledKv(bus, 'kv.get.city-7')).toMatchObject({ status: 'OK', value: 'v7' })

    expect(denied).toEqual([])
    expect(complaints(running)).toEqual([])
  }, TEST_MS_MAX)

  test('the command line works with a client\'s credentials, and says so when they are wrong', async () => {
    const { running } = await open()
    const status = await running.cli('status', '-w', 'json').ended
    expect([status.code, status.err]).toEqual([0, ''])
    expect(JSON.parse(status.out)).toMatchObject({
      cluster: CLUSTER, broker: { routing: 'broker' }, nodes: running.members.map((id) => ({ id, state: 'serving' })),
    })
    expect(await running.cli('put', 'user42', 'Ada').ended).toMatchObject({ code: 0 })
    const read = await running.cli('get', 'user42', '--nats-user', 'control', '--nats-password', passwordOf('control')).ended
    expect(read).toEqual({ code: 0, out: 'Ada', err: '' })
    const refused = await running.cli('get', 'user42', '--nats-password', 'wrong').ended
    expect([refused.code, refused.out]).toEqual([4, ''])
    expect(refused.err).toContain('refuses this user')
    for (const node of running.members) expect(running.log(node)).not.toContain(passwordOf(node))
  }, TEST_MS_MAX)

  test('a client neither hears nor forges what nodes say to each other', async () => {
    const { running, bus } = await open()
    const denied = deniedOf(bus)
    const heard: string[] = []
    const [n1, n2] = [must(running.members[0], 'a node'), must(running.members[1], 'a node')]
    for (const subject of ['skv.>', nodeWildcard(CLUSTER, n1), 'kv.slot.>', 'kv.*.*', '>']) {
      bus.subscribe(subject, (message) => heard.push(message.subject))
      await until(() => denied.at(-1) === `subscribe ${subject}`, `subscribing to ${subject} is refused`)
    }
    for (const subject of [nodeSubject(CLUSTER, n1, n2), mapSubject(CLUSTER, n2), 'skv.x']) {
      bus.publish(subject, new Uint8Array(32))
      await until(() => denied.at(-1) === `publish ${subject}`, `publishing to ${subject} is refused`)
    }
    expect(await settledKv(bus, 'kv.put.after', 'x', { 'Kv-Request-Id': 'after' })).toMatchObject({ status: 'OK' })
    expect(heard).toEqual([])
    for (const report of await running.reports()) {
      expect(Object.keys(report.node.counters).filter((name) => name.startsWith('post.refused.'))).toEqual([])
    }
  }, TEST_MS_MAX)
})
