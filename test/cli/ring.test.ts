/** `shardkv ring`: what it draws, in all three forms. */

import { expect, test } from '@jest/globals'
import { nodesInbox } from '../../bus/subjects.ts'
import { fakeCluster, fakeTerminal } from './fakes.ts'
import { replica, report } from './reports.ts'

const reports = ['n1', 'n2', 'n3'].map((id) => report(id, [
  replica(0, id === 'n1' ? { role: 'leader' } : {}),
  ...(id === 'n3' ? [] : [replica(1, id === 'n2' ? { role: 'leader' } : {})]),
]))

const ring = (...args: string[]) => fakeTerminal(fakeCluster(() => 'timeout', reports)).run('ring', ...args)

test('a row is a node, a column a shard: who leads, who follows, who has none', async () => {
  const { code, out } = await ring()
  expect(code).toBe(0)
  expect(out).toContain('\nn1    @o\nn2    o@\nn3    o.\n')
  expect(out).not.toContain('\u001b')
})

test('the strip says who owns which part of the ring, and fits 80 columns', async () => {
  const lines = (await ring()).out.split('\n')
  expect(lines.find((line) => /^ {6}[ABC]{64}$/.test(line))).toBeDefined()
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
})

test('a node is shown with what it carries and what would be even', async () => {
  const { out } = await ring('-w', 'json')
  const { nodes } = JSON.parse(out) as { nodes: unknown[] }
  expect(nodes[2]).toEqual({ id: 'n3', state: 'serving', weight: 1, zone: '', replicas: 1, share: 2, leads: 0 })
})

const gathering = [['ring'], ['status'], ['top', '--once', '--interval', '200'], ['doctor']]

test.each(gathering)('%s hears reports where its user may hear', async (...args) => {
  const { bus, ...cluster } = fakeCluster(() => 'timeout', reports)
  const heardOn: string[] = []
  const subscribe: typeof bus.subscribe = (subject, ...more) => {
    heardOn.push(subject)
    return bus.subscribe(subject, ...more)
  }
  const { out } = await fakeTerminal({ ...cluster, bus: { ...bus, subscribe } }).run(...args, '--inbox-prefix', '_INBOX.ann')
  expect(out).toContain('n1')
  // What it only asks the broker about is where no client may hear.
  const inboxes = heardOn.filter((subject) => subject.startsWith('_INBOX') && !subject.startsWith(`${nodesInbox('_INBOX')}.doctor-`))
  expect(inboxes.length).toBeGreaterThan(0)
  expect(inboxes.filter((subject) => !subject.startsWith('_INBOX.ann.'))).toEqual([])
})

test('weights and zones are the map\'s, and shares follow; a node that drains has none', async () => {
  const places = [
    { id: 'n1', weight: 3, zone: 'r1', isActive: true }, { id: 'n2', weight: 1, zone: 'r2', isActive: true },
    { id: 'n3', weight: 1, zone: 'r3', isActive: false },
  ]
  const told = reports.map((one) => ({ ...one, places } as unknown as typeof one))
  const { out } = await fakeTerminal(fakeCluster(() => 'timeout', told)).run('ring', '-w', 'json')
  const { nodes } = JSON.parse(out) as { nodes: unknown[] }
  expect(nodes).toMatchObject([
    { id: 'n1', weight: 3, zone: 'r1', share: 2 }, { id: 'n2', weight: 1, zone: 'r2', share: 2 },
    { id: 'n3', weight: 1, zone: 'r3', share: 0 },
  ])
})

test('raw is a line a shard', async () => {
  expect((await ring('-w', 'raw')).out).toBe('0\tn1\tn1\tn2\tn3\n1\tn2\tn1\tn2\n')
})

test('nobody there is exit code 4', async () => {
  const { code, out, err } = await fakeTerminal(fakeCluster(() => 'timeout', ['{}'])).run('ring')
  expect([code, out]).toEqual([4, ''])
  expect(err).toContain('no node answers')
})
