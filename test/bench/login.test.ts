/** A bench of a cluster that runs already, where the broker lets in whom it knows: the login of the command line tool, all the way. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { Command } from 'commander'
import { orderOf, taskOf } from '../../bench/clientOrder.ts'
import { connectDriver } from '../../bench/drivers/connect.ts'
import { withTargetFlags } from '../../bench/flags.ts'
import { placeOf } from '../../bench/targets/use.ts'
import { must } from '../../actors/kernel/assert.ts'
import { decodeClientFrame } from '../../bus/codec/batch.ts'
import { encodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { connectNats } from '../../bus/nats.ts'
import { startNatsServer } from '../../chaos/ground/natsServer.ts'
import { nodeId } from '../../topology/ids.ts'
import type { ClientTask } from '../../bench/clientTask.ts'
import type { DriverTarget } from '../../bench/drivers/port.ts'
import type { TargetFlags } from '../../bench/flags.ts'
import type { Bus } from '../../bus/port.ts'
import type { NatsServer } from '../../chaos/ground/natsServer.ts'

const login = ['--nats-user', 'ann', '--nats-password', 'secret', '--inbox-prefix', '_INBOX.ann']

const targetOf = async (...words: readonly string[]): Promise<DriverTarget> => {
  const { servers, ...flags } = withTargetFlags(new Command('put')).parse([...words], { from: 'user' }).opts<TargetFlags>()
  return placeOf({ ...flags, servers: must(servers, 'the servers') })
}

describe('the flags', () => {
  test('are those of the command line tool', async () => {
    expect(await targetOf('--servers', 'nats://h:1, nats://h:2', ...login))
      .toEqual({ servers: ['nats://h:1', 'nats://h:2'], prefix: 'kv', login: { user: 'ann', pass: 'secret', inboxPrefix: '_INBOX.ann' } })
    expect(await targetOf('--servers', 'nats://s%65cret@h:1')).toMatchObject({ servers: ['nats://h:1'], login: { token: 'secret' } })
    await expect(targetOf('--servers', 'nats://ann:geheim@h:1', '--nats-user', 'ann')).rejects.toThrow(/given twice/)
    const unread = /^address 1 of 1 of the broker can not be read(?!.*geheim)/
    await expect(targetOf('--servers', 'nats://ann:geheim%@h:1')).rejects.toThrow(unread)
  })

  test('bring no password into a command line, and the client has it all the same', async () => {
    const task = {
      driver: 'sdk', target: await targetOf('--servers', 'nats://ann:geheim@h:1'), workload: { keys: 1 }, loop: { kind: 'closed' },
    } as unknown as ClientTask
    const { argument, env } = orderOf(task)
    expect(argument).not.toContain('geheim')
    expect(taskOf(argument, env)).toEqual(task)
    const { login: _login, ...open } = task.target
    expect(orderOf({ ...task, target: open })).toEqual({ argument: JSON.stringify({ ...task, target: open }), env: {} })
  })
})

describe('a driver', () => {
  let server: NatsServer
  let node: Bus

  beforeAll(async () => {
    server = await startNatsServer((port) => `listen: "127.0.0.1:${port}"
      authorization: { users: [
        { user: n1, password: secret }
        { user: ann, password: secret, permissions: { publish: ["kv.>"], subscribe: ["_INBOX.ann.>"] } }
      ] }`)
    node = await connectNats({ servers: [server.url], name: 'n1', user: 'n1', pass: 'secret' })
    const n1 = nodeId('n1')
    const map = {
      cluster: '00000000c0ffee00', epoch: 1, shardCount: 1, nodes: [n1], leaders: [{ node: n1, term: 1 }], replicas: [['n1:1']],
    }
    const answers: Readonly<Record<string, (data: Uint8Array) => Uint8Array>> = {
      'kv.map': () => new TextEncoder().encode(JSON.stringify(map)),
      'kv.put.k': () => new Uint8Array(0),
      'kv.to.n1.batch.v1': (data) => {
        expect(decodeClientFrame(data)).toMatchObject({ ok: true })
        return encodeNodeFrame({ kind: 'welcome', session: '00000000000000aa', node: n1, shardCount: 1, epoch: 1 })
      },
    }
    for (const [subject, answer] of Object.entries(answers)) {
      node.subscribe(subject, ({ data, reply }) => node.publish(reply, answer(data), { headers: new Map([['Kv-Status', 'OK']]) }))
    }
    await new Promise<void>((resolve) => { node.flush(() => resolve()) })
  })

  afterAll(async () => {
    node.close()
    await server.stop()
  })

  test.each(['sdk', 'batch', 'requests'] as const)('enters the broker by its login, and hears under its own inbox: %s', async (name) => {
    const driver = await connectDriver(name, await targetOf('--servers', server.url, ...login))
    if (name === 'requests') expect(await driver.put('k', Buffer.from('v'))).toBe('ok')
    await driver.close()
    await expect(connectDriver(name, await targetOf('--servers', server.url))).rejects.toThrow(/authorization/i)
  })
})
