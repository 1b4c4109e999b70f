/** Who may say and hear what, on a real broker with the generated permission block: a client, two nodes, and what each must not do. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { versionWarning } from '../../bus/brokerVersion.ts'
import { connectNats } from '../../bus/nats.ts'
import { serverConfig } from '../../bus/natsConfig.ts'
import { mapSubject, nodeSubject, nodeWildcard, nodesInbox, serviceSubjects, slotWildcard } from '../../bus/subjects.ts'
import { shardOf } from '../../topology/hash.ts'
import { clusterId, nodeId } from '../../topology/ids.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { until } from '../support/until.ts'
import { ask, bytesOf, flushed, textOf } from './contract.ts'
import type { Bus, BusEvent } from '../../bus/port.ts'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'

const cluster = clusterId('0123456789abcdef')
const n1 = nodeId('n1')
const n2 = nodeId('n2')

const configOf = (port: number): string => serverConfig({
  host: '127.0.0.1', port, prefix: 'kv', shardCount: 16,
  permissions: {
    cluster,
    nodes: [{ user: 'n1', password: 'one', node: n1 }, { user: 'n2', password: 'two', node: n2 }],
    clients: [{ user: 'app', password: 'qu"o\\te' }],
  },
})

interface Guest {
  readonly bus: Bus
  readonly denied: string[]
}

describe('with the generated permissions', () => {
  let server: NatsServer
  let client: Guest
  let one: Guest
  let two: Guest

  const enter = async (user: string, pass: string): Promise<Guest> => {
    const bus = await connectNats({ servers: [server.url], name: user, user, pass })
    const denied: string[] = []
    bus.onEvent((event: BusEvent) => {
      if (event.type === 'bus.permissionDenied') denied.push(`${event.operation} ${event.subject}`)
    })
    return { bus, denied }
  }
  beforeAll(async () => {
    server = await startNatsServer(configOf)
    client = await enter('app', 'qu"o\\te')
    one = await enter('n1', 'one')
    two = await enter('n2', 'two')
  })
  afterAll(async () => {
    for (const { bus } of [client, one, two]) bus.close()
    await server.stop()
  })

  test('nobody enters without a name', async () => {
    await expect(connectNats({ servers: [server.url], name: 'nobody' })).rejects.toThrow(/authorization/i)
  })

  test('a client\'s request reaches its shard\'s leader by the mapped subject, and the answer comes back', async () => {
    const { unsubscribe } = one.bus.subscribe(slotWildcard('kv', shardOf('user42', 16)), (message) => {
      one.bus.publish(message.reply, message.data)
    })
    await flushed(one.bus)
    expect(await ask(client.bus, 'kv.put.user42', bytesOf('value'))).toMatchObject({ failure: null, answer: { text: 'value' } })
    unsubscribe()
  })

  test('nodes speak to each other under their own names, and announce and answer', async () => {
    const heard: string[] = []
    const subscription = two.bus.subscribe(nodeWildcard(cluster, n2), ({ subject }) => heard.push(subject))
    await flushed(two.bus)
    one.bus.publish(nodeSubject(cluster, n2, n1), bytesOf('frame'))
    await until(() => heard.length === 1, 'the frame has come')
    expect(heard).toEqual([nodeSubject(cluster, n2, n1)])
    subscription.unsubscribe()
  })

  test('nodes find out how the broker routes', async () => {
    const heard: string[] = []
    const subscription = two.bus.subscribe('kv.slot.*.routing-check.*', ({ subject }) => heard.push(subject))
    await flushed(two.bus)
    one.bus.publish('kv.routing-check.probe', bytesOf(''))
    await until(() => heard.length === 1, 'the probe has come')
    expect(heard).toEqual([`kv.slot.${shardOf('probe', 16)}.routing-check.probe`])
    subscription.unsubscribe()
  })

  test('nodes are asked for their status, by clients and by each other', async () => {
    const { unsubscribe } = one.bus.subscribe('kv.status', (message) => one.bus.publish(message.reply, bytesOf('n1')))
    await flushed(one.bus)
    expect((await ask(client.bus, 'kv.status', bytesOf(''))).answer?.text).toBe('n1')
    expect((await ask(two.bus, 'kv.status', bytesOf(''))).answer?.text).toBe('n1')
    unsubscribe()
  })

  test('clients ask the micro services, which nodes are', async () => {
    const subscriptions = serviceSubjects('PING', 'shardkv', 'n1').map((subject) =>
      one.bus.subscribe(subject, (message) => one.bus.publish(message.reply, bytesOf('pong'))))
    await flushed(one.bus)
    for (const subject of serviceSubjects('PING', 'shardkv', 'n1')) {
      expect((await ask(client.bus, subject, bytesOf(''))).answer?.text).toBe('pong')
    }
    for (const { unsubscribe } of subscriptions) unsubscribe()
  })

  test('clients hear announcements', async () => {
    const heard: string[] = []
    const subscription = client.bus.subscribe('kv-changed.>', ({ subject, data }) => heard.push(`${subject} ${textOf(data)}`))
    await flushed(client.bus)
    one.bus.publish('kv-changed.user42', bytesOf('x'))
    await until(() => heard.length === 1, 'the announcement has come')
    expect(heard).toEqual(['kv-changed.user42 x'])
    subscription.unsubscribe()
  })

  test.each([
    ['a client, as a node', () => client, nodeSubject(cluster, n2, n1)],
    ['a client, as a node with a map', () => client, mapSubject(cluster, n1)],
    ['a client, an announcement', () => client, 'kv-changed.user42'],
    ['a client, into somebody\'s inbox', () => client, '_INBOX.somebody.1'],
    ['a node, as another node', () => one, nodeSubject(cluster, n2, n2)],
    ['a node, another node\'s map', () => one, mapSubject(cluster, n2)],
    ['a node, to another cluster', () => one, nodeSubject(clusterId('fedcba9876543210'), n2, n1)],
    ['a node, a client\'s request', () => one, 'kv.put.user42'],
    ['a node, a question to the services', () => one, '$SRV.PING'],
  ])('the broker itself refuses: %s, publishes', async (_name, guestOf, subject) => {
    const guest = guestOf()
    const before = guest.denied.length
    guest.bus.publish(subject, bytesOf('forged'))
    await until(() => guest.denied.length > before, `publishing to ${subject} is refused`)
    // The broker checks, and names, what a request became: a mapped subject ends as the client wrote it.
    expect(guest.denied.at(-1)).toMatch(/^publish /)
    expect(guest.denied.at(-1)?.endsWith(subject.split('.').slice(1).join('.'))).toBe(true)
  })

  test.each([
    ['a client, what nodes say to each other', () => client, 'skv.>'],
    ['a client, one node\'s frames', () => client, nodeWildcard(cluster, n1)],
    ['a client, other clients\' requests', () => client, 'kv.slot.>'],
    ['a client, other clients\' requests before they are mapped', () => client, 'kv.*.*'],
    ['a client, everything', () => client, '>'],
    ['a client, questions to the services', () => client, '$SRV.PING'],
    ['a node, another node\'s frames', () => one, nodeWildcard(cluster, n2)],
  ])('the broker itself refuses: %s, subscribed', async (_name, guestOf, subject) => {
    const guest = guestOf()
    const before = guest.denied.length
    guest.bus.subscribe(subject, () => {})
    await until(() => guest.denied.length > before, `subscribing to ${subject} is refused`)
    expect(guest.denied.at(-1)).toBe(`subscribe ${subject}`)
  })

  test('a request that the broker does not let through has reached nobody', async () => {
    expect(await ask(client.bus, nodeSubject(cluster, n2, n1), bytesOf(''))).toEqual({ failure: 'denied', answer: null })
  })

  test('a client hears no answer between nodes, though it may hear inboxes', async () => {
    const heard: string[] = []
    const subscription = client.bus.subscribe('_INBOX.>', ({ subject }) => heard.push(subject))
    await flushed(client.bus)
    one.bus.publish(`${nodesInbox('_INBOX')}.n2.7`, bytesOf('a map'))
    one.bus.publish('_INBOX.app.1', bytesOf('a value'))
    await until(() => heard.length > 0, 'the answer to the client has come')
    expect(heard).toEqual(['_INBOX.app.1'])
    subscription.unsubscribe()
    const before = client.denied.length
    client.bus.subscribe(`${nodesInbox('_INBOX')}.>`, () => {})
    await until(() => client.denied.length > before, 'to ask for them is refused')
  })

  test('nor by a wildcard that holds only a part of what is denied, where the broker is none that nodes warn of', async () => {
    // On a connection of its own: nats-server 2.9.25 looks at what it delivers once a subscription has held all that is denied.
    const { bus } = await enter('app', 'qu"o\\te')
    const heard: string[] = []
    bus.subscribe('_INBOX.*.*.*', ({ subject }) => heard.push(subject))
    await flushed(bus)
    one.bus.publish(`${nodesInbox('_INBOX')}.n2.7`, bytesOf('a map'))
    one.bus.publish('_INBOX.app.n2.7', bytesOf('a value'))
    await until(() => heard.includes('_INBOX.app.n2.7'), 'the answer to the client has come')
    if (versionWarning(bus.status().server.version) === null) expect(heard).toEqual(['_INBOX.app.n2.7'])
    bus.close()
  })

  test('a node may subscribe everything a serving node needs', async () => {
    const before = two.denied.length
    for (const subject of ['skv.0123456789abcdef.node.n2.*', 'skv.0123456789abcdef.gossip.n2.*', 'skv.0123456789abcdef.map.all.*',
      'skv.0123456789abcdef.trace.all.*', 'kv.slot.3.>', 'kv.to.n2.>', '_INBOX.check.*',
      '_INBOX.skv-nodes.check.*']) two.bus.subscribe(subject, () => {})
    for (const subject of ['kv.*', 'kv.*.*', 'kv.*.*.*']) two.bus.subscribe(subject, () => {}, { queue: 'kv-gateway' })
    expect(await flushed(two.bus)).toBeNull()
    expect(await flushed(two.bus)).toBeNull()
    expect(two.denied.length).toBe(before)
  })
})
