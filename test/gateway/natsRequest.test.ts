/** Refusals by a limit of the node's own: whoever else holds the slot may have another, and do what is refused here. */

import { describe, expect, test } from '@jest/globals'
import { silentLogger } from '../../actors/kernel/log.ts'
import { VALUE_BYTES_MAX } from '../../actors/shard/operation.ts'
import { createNatsGateway } from '../../gateway/nats.ts'
import { shardId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'

const SHARDS = 1
/** Of a node that started when the broker took 256 KiB. */
const OLD_BYTES_MAX = 128 * 1_024

/** Status and `Kv-Definite` of what a node answers that leads every shard and started with this budget. */
const putBytes = (bytes: number, { isMapped, valueBytesMax }: { isMapped: boolean; valueBytesMax: number }): readonly unknown[] => {
  const world = createVirtualWorld(isMapped ? { mappings: { prefix: 'kv', shardCount: SHARDS } } : {})
  const submitted: string[] = []
  const gateway = createNatsGateway({
    bus: world.broker.connect({ name: 'node' }), clock: world.clock, log: silentLogger, prefix: 'kv', inboxPrefix: '_INBOX.',
    shardCount: SHARDS, valueBytesMax, catchUp: () => {}, isOverloaded: () => false, mapText: () => '',
    submit: ({ operation }) => submitted.push(`submitted ${operation.key}`),
  })
  gateway.setServing(shardId(0), true)
  gateway.open()
  const said: (string | undefined)[] = []
  world.broker.connect({ name: 'client' }).request('kv.put.k', new Uint8Array(bytes), { timeoutMs: 100 }, (_failure, answer) => {
    said.push(answer?.headers?.get('Kv-Status'), answer?.headers?.get('Kv-Definite'))
  })
  world.pass(5)
  return [...submitted, ...said]
}

describe('a value above the budget that the node started with', () => {
  test('is refused by a slot without saying that nothing happened: a successor that started later may take it', () => {
    expect(putBytes(200_000, { isMapped: true, valueBytesMax: OLD_BYTES_MAX })).toEqual(['TOO_LARGE', 'false'])
    expect(putBytes(200_000, { isMapped: true, valueBytesMax: VALUE_BYTES_MAX })).toEqual(['submitted k'])
    expect(putBytes(OLD_BYTES_MAX + 1, { isMapped: true, valueBytesMax: OLD_BYTES_MAX })).toEqual(['TOO_LARGE', 'false'])
    expect(putBytes(OLD_BYTES_MAX, { isMapped: true, valueBytesMax: OLD_BYTES_MAX })).toEqual(['submitted k'])
  })

  test('is refused for certain where one node alone is asked', () => {
    expect(putBytes(200_000, { isMapped: false, valueBytesMax: OLD_BYTES_MAX })).toEqual(['TOO_LARGE', 'true'])
  })

  test('is refused for certain by a slot, too, where no node would take it', () => {
    const refused = putBytes(VALUE_BYTES_MAX + 1, { isMapped: true, valueBytesMax: OLD_BYTES_MAX })
    expect([refused, putBytes(VALUE_BYTES_MAX, { isMapped: true, valueBytesMax: OLD_BYTES_MAX })])
      .toEqual([['TOO_LARGE', 'true'], ['TOO_LARGE', 'false']])
    expect(putBytes(VALUE_BYTES_MAX + 1, { isMapped: true, valueBytesMax: VALUE_BYTES_MAX })).toEqual(['TOO_LARGE', 'true'])
  })
})
