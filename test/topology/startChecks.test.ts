/** The checks before a node joins, against another cluster or a twin on its prefix and a broker that maps keys wrongly or not at all. */

import { describe, expect, test } from '@jest/globals'
import { checkIdentity } from '../../topology/identityCheck.ts'
import { bootId, clusterId, nodeId } from '../../topology/ids.ts'
import { checkRouting, isNews } from '../../topology/routingCheck.ts'
import { createTwinCheck } from '../../topology/twinCheck.ts'
import { startNodeOfTest } from '../support/nodeOfTest.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { RoutingVerdict } from '../../topology/routingCheck.ts'
import type { Permissions } from '../../bus/memoryConnection.ts'
import type { Bus } from '../../bus/port.ts'

const boot = bootId('00000000000000aa')
const cluster = clusterId('0123456789abcdef')
const self = { cluster, node: nodeId('n1'), boot }

describe('the identity check', () => {
  const ask = (answers: readonly unknown[]): string | null | undefined => {
    const { broker, clock, pass } = createVirtualWorld()
    for (const [i, answer] of answers.entries()) {
      const other = broker.connect({ name: `other${i}` })
      other.subscribe('kv.status', ({ reply }) => {
        const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
        other.publish(reply, new TextEncoder().encode(text))
      })
    }
    let verdict: string | null | undefined
    const bus = broker.connect({ name: 'n1' })
    checkIdentity({ bus, clock, identity: self, statusSubject: 'kv.status', inbox: '_INBOX.x' }, (refusal) => { verdict = refusal })
    pass(5_000)
    return verdict
  }

  test('takes silence, and the other members of the same cluster, for consent', () => {
    expect(ask([])).toBeNull()
    expect(ask([{ cluster, node: { id: 'n2', bootId: '00000000000000bb' } }])).toBeNull()
  })

  test('refuses where another cluster answers on the prefix', () => {
    const foreign = { cluster: 'fedcba9876543210', node: { id: 'n9', bootId: '00000000000000bb' } }
    expect(ask([foreign])).toContain('another cluster (fedcba9876543210)')
  })

  test('refuses where another process answers to the same name', () => {
    expect(ask([{ cluster, node: { id: 'n1', bootId: '00000000000000bb' } }])).toContain('already answers as n1')
  })

  test('ignores what is no report', () => {
    expect(ask(['not json', {}, { cluster, node: {} }, { cluster, node: { id: 'n1' } }])).toBeNull()
  })
})

describe('the twin check', () => {
  const older = bootId('00000000000000bb')
  const open = (answers: readonly { readonly boot: string, readonly afterMs: number }[]) => {
    const { broker, clock, pass } = createVirtualWorld()
    const inboxes: string[] = []
    const other = broker.connect({ name: 'other' })
    other.subscribe('kv.status', ({ reply }) => {
      inboxes.push(reply)
      for (const { boot: bootId, afterMs } of answers) {
        const report = JSON.stringify({ cluster, node: { id: 'n1', bootId } })
        clock.after(afterMs, () => other.publish(reply, new TextEncoder().encode(report)))
      }
    })
    let twins = 0
    const check = createTwinCheck({
      bus: broker.connect({ name: 'n1' }), clock, identity: self, statusSubject: 'kv.status', inboxPrefix: '_INBOX.',
      onTwin: () => { twins += 1 },
    })
    return { check, inboxes, pass, twins: () => twins }
  }

  test('stops for an older process that answers', () => {
    const { check, pass, twins } = open([{ boot, afterMs: 0 }, { boot: older, afterMs: 10 }])
    check.suspect(older)
    pass(100)
    expect(twins()).toBe(1)
  })

  test('asks under the prefix that the older process serves, when that is another', () => {
    const { broker, clock, pass } = createVirtualWorld()
    const other = broker.connect({ name: 'other' })
    other.subscribe('kv2.status', ({ reply }) => {
      other.publish(reply, new TextEncoder().encode(JSON.stringify({ cluster, node: { id: 'n1', bootId: older } })))
    })
    let twins = 0
    const check = createTwinCheck({
      bus: broker.connect({ name: 'n1' }), clock, identity: self, statusSubject: 'kv.status', inboxPrefix: '_INBOX.',
      onTwin: () => { twins += 1 },
    })
    check.suspect(older)
    pass(1_000)
    expect(twins).toBe(0)
    check.suspect(older, 'kv2')
    pass(1_000)
    expect(twins).toBe(1)
  })

  test('goes on when nobody answers, or only another process, or an answer comes late', () => {
    for (const answers of [[], [{ boot: '00000000000000cc', afterMs: 0 }], [{ boot: older, afterMs: 500 }]]) {
      const { check, pass, twins } = open(answers)
      check.suspect(older)
      pass(5_000)
      expect(twins()).toBe(0)
    }
  })

  test('asks one question about what comes all at once, several times, another the next time, and none after the end', () => {
    const { check, inboxes, pass } = open([])
    for (let i = 0; i < 10; i += 1) check.suspect(older)
    pass(1_000)
    check.suspect(older)
    pass(1_000)
    check.stop()
    check.suspect(older)
    pass(1_000)
    expect([inboxes.length, new Set(inboxes).size]).toEqual([8, 2])
  })
})

describe('a client that hears the answers to such a question, and has a node say what it stored as one', () => {
  const forged = JSON.stringify({ cluster, node: { id: 'n2', bootId: '00000000000000cc' } })
  const n2 = { cluster, node: nodeId('n2'), boot: bootId('00000000000000dd') }

  const open = () => {
    const { broker, clock, client, pass, send } = startNodeOfTest()
    send('kv.put.forged', forged)
    const said: string[] = []
    client.subscribe('_INBOX.n2.>', ({ subject, data }) => {
      const text = new TextDecoder().decode(data)
      said.push(text)
      if (text !== forged) client.publish('kv.get.forged', new Uint8Array(0), { reply: subject })
    })
    pass(1_000)
    return { pass, question: { bus: broker.connect({ name: 'n2' }), clock, identity: n2, statusSubject: 'kv.status' }, said }
  }

  test('keeps no node from starting', () => {
    const { pass, question, said } = open()
    let verdict: string | null | undefined
    checkIdentity({ ...question, inbox: '_INBOX.n2.identity' }, (refusal) => { verdict = refusal })
    pass(5_000)
    expect([said.includes(forged), verdict]).toEqual([true, null])
  })

  test('ends no node that asks about an earlier life of its own', () => {
    const { pass, question, said } = open()
    let twins = 0
    const check = createTwinCheck({ ...question, inboxPrefix: '_INBOX.n2.', onTwin: () => { twins += 1 } })
    check.suspect(bootId('00000000000000cc'))
    pass(5_000)
    expect([said.includes(forged), twins]).toEqual([true, 0])
  })
})

describe('the routing check', () => {
  let checks = 0
  const newToken = (): string => {
    checks += 1
    return `check${checks}`
  }
  const check = (options: { mappings?: number; permissions?: Permissions }): RoutingVerdict | null => {
    const { broker, clock, pass } = createVirtualWorld(
      options.mappings === undefined ? {} : { mappings: { prefix: 'kv', shardCount: options.mappings } })
    const to = broker.connect({ name: 'data' })
    const from = broker.connect({ name: 'control', ...(options.permissions === undefined ? {} : { permissions: options.permissions }) })
    let verdict: RoutingVerdict | null = null
    checkRouting({ from, to, clock, token: newToken(), prefix: 'kv', shardCount: 16 }, (found) => { verdict = found })
    pass(10_000)
    return verdict
  }

  test('finds a broker that maps keys to the shards of this cluster', () => {
    expect(check({ mappings: 16 })).toEqual({ routing: 'broker' })
  })

  test('finds a broker without the mapping', () => {
    expect(check({})).toEqual({ routing: 'gateway' })
  })

  test('names the cure where the broker maps to another shard count', () => {
    const verdict = check({ mappings: 32 })
    expect(verdict?.routing).toBe('mismatch')
    expect(verdict?.finding).toContain('shardkv nats-config --shards 16')
  })

  test('believes nobody who says what an earlier check was told', () => {
    const { broker, clock, pass } = createVirtualWorld({ mappings: { prefix: 'kv', shardCount: 16 } })
    const [to, from, stranger] = ['data', 'control', 'stranger'].map((name) => broker.connect({ name })) as [Bus, Bus, Bus]
    const heard: string[] = []
    const spy = stranger.subscribe('kv.slot.*.routing-check.*', ({ subject }) => { heard.push(subject) })
    const verdicts: unknown[] = []
    const again = (): void => {
      checkRouting({ from, to, clock, token: newToken(), prefix: 'kv', shardCount: 16 }, ({ routing }) => { verdicts.push(routing) })
    }
    again()
    pass(5_000)
    spy.unsubscribe()
    to.flush(() => {
      for (const subject of heard) stranger.publish(subject.replace(/slot\.\d+/, 'slot.99'), new Uint8Array(0))
    })
    again()
    pass(5_000)
    expect([heard.length, verdicts]).toEqual([8, ['broker', 'broker']])
  })

  test('says so when no probe comes back, and lets the nodes forward', () => {
    const verdict = check({ permissions: { publish: [], subscribe: ['>'] } })
    expect(verdict).toMatchObject({ routing: 'gateway', isHeard: false, finding: expect.stringContaining('no routing probe came back') })
  })

  test('that is made again and hears nothing, since the broker is away, leaves what is known', () => {
    const silence = { routing: 'gateway', isHeard: false } as const
    expect([isNews('broker', silence), isNews('mismatch', silence), isNews(null, silence)]).toEqual([false, false, true])
    expect([isNews('broker', { routing: 'gateway' }), isNews('broker', { routing: 'broker' }), isNews(null, { routing: 'broker' })])
      .toEqual([true, false, true])
  })
})
