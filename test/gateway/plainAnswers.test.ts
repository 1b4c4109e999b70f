/** Answers that can not be sent: a read is refused in their place, and a write is not. */

import { describe, expect, test } from '@jest/globals'
import { createPlainAnswers } from '../../gateway/plainAnswers.ts'
import { shardId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { Headers } from '../../bus/port.ts'

const VALUE_BYTES = 600
const shard = shardId(3)

const open = ({ roomBytes = Number.POSITIVE_INFINITY, maxPayloadBytes = 1_048_576 }) => {
  const world = createVirtualWorld({ maxPayloadBytes })
  const bus = world.broker.connect({ name: 'node' })
  const heard: Headers[] = []
  world.broker.connect({ name: 'client' }).subscribe('_INBOX.me', ({ headers }) => heard.push(headers ?? new Map()))
  const noted: string[] = []
  const answers = createPlainAnswers({
    bus: { ...bus, publish: (to, data, options) => (data.length > roomBytes ? 'full' : bus.publish(to, data, options)) },
    refusals: { note: (reason) => noted.push(reason), counts: () => ({}) }, instruments: undefined,
  })
  const reply = (context: Parameters<typeof answers.reply>[1]): readonly (string | undefined)[] => {
    answers.reply('_INBOX.me', context, { status: 'OK', revision: 7, value: new Uint8Array(VALUE_BYTES) })
    world.pass(5)
    return ['Kv-Status', 'Kv-Definite', 'Kv-Retry-After-Ms'].map((name) => heard[0]?.get(name))
  }
  return { reply, noted }
}

describe('an answer whose value can not be sent', () => {
  test('is a refusal for certain to a read that there is no room for: its caller would wait for nothing', () => {
    const { reply, noted } = open({ roomBytes: 200 })
    expect(reply({ shard, consistency: 'linearizable' })).toEqual(['OVERLOADED', 'true', '100'])
    expect(noted).toEqual(['OVERLOADED'])
  })

  test('is a refusal for certain to a read that the broker does not take any more', () => {
    const { reply, noted } = open({ maxPayloadBytes: 512 })
    expect(reply({ shard, consistency: 'stale' })).toEqual(['TOO_LARGE', 'true', undefined])
    expect(noted).toEqual(['TOO_LARGE'])
  })

  test('is no refusal to a write: it has happened', () => {
    const { reply, noted } = open({ roomBytes: 200 })
    expect(reply({ shard })).toEqual([undefined, undefined, undefined])
    expect(noted).toEqual(['unsent'])
  })
})
