/** What is taken for a node's report: its own answers, and nothing that others may send to whoever asked. */

import { describe, expect, test } from '@jest/globals'
import { askForReports } from '../../chaos/ground/reports.ts'
import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { collectReports } from '../../cli/status/collect.ts'
import { reportIn } from '../../topology/statusReading.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import { replica, report } from '../cli/reports.ts'
import type { Bus, Headers } from '../../bus/port.ts'

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
const whole = report('n1', [replica(0)])
const headers: Headers = new Map([['Kv-Status', 'OK']])

describe('a report', () => {
  test('is what a node says of itself, without headers', () => {
    expect(reportIn({ data: bytes(whole) })).toEqual(whole)
  })

  test('with headers is none, whatever is in it', () => {
    expect(reportIn({ data: bytes(whole), headers })).toBeNull()
    expect(reportIn({ data: bytes(whole), headers: new Map([['Status', '503']]) })).toBeNull()
  })

  test('has no text that would speak to the terminal of whoever asked', () => {
    const node = { ...whole.node, state: 'serving\u001b]0;x\u0007', bootId: 'b\u009b2J\n' }
    const found = reportIn({ data: bytes({ ...whole, node, broker: { ...whole.broker, 'u\u001b': 1 } }) })
    expect(found?.node).toEqual({ ...whole.node, state: 'serving ]0;x ', bootId: 'b 2J ' })
    expect(found?.broker).toEqual(whole.broker)
  })

  test.each([
    ['nothing', ''], ['no JSON', '{'], ['null', 'null'], ['a list', '[]'], ['members that are no names', { ...whole, members: ['n1', 1] }],
    ['a replica that is none', { ...whole, replicas: [null] }], ['a replica without a state', { ...whole, replicas: [{ shard: 0 }] }],
    ['no node', { ...whole, node: null }], ['no broker', { ...whole, broker: null }], ['half a shard', { ...whole, shardCount: 0.5 }],
    ['no shard', { ...whole, shardCount: 0 }],
  ])('with %s is none', (_what, value) => {
    expect(reportIn({ data: bytes(value) })).toBeNull()
  })

  test('of more shards than there can be is none', () => {
    expect(reportIn({ data: bytes({ ...whole, shardCount: 1_024 }) })).not.toBeNull()
    expect(reportIn({ data: bytes({ ...whole, shardCount: 1_025 }) })).toBeNull()
  })
})

/** Answers every question for reports with what others may send, and then with what a node sends. */
const busOf = (): Bus => {
  const { broker, pass } = createVirtualWorld()
  const bus = broker.connect({ name: 'asker' })
  const node = broker.connect({ name: 'n1' })
  node.subscribe('kv.status', ({ reply }) => {
    node.publish(reply, bytes({ ...whole, node: { ...whole.node, id: 'n9' } }), { headers })
    node.publish(reply, bytes('no JSON'))
    node.publish(reply, bytes({ ...whole, members: ['n1'] }))
  })
  return { ...bus, publish: (subject, data, options) => {
    const sent = bus.publish(subject, data, options)
    pass(50)
    return sent
  } }
}

test('the chaos lane takes a stored value for no report', async () => {
  expect((await askForReports(busOf(), 1)).map(({ node }) => node.id)).toEqual(['n1'])
})

test('the command line takes a stored value for no report', async () => {
  const found = await collectReports({ bus: busOf(), clock: createSystemClock(), prefix: 'kv', inbox: '_INBOX.reports' })
  expect(found.map(({ node }) => node.id)).toEqual(['n1'])
})
