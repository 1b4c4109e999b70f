/**
 * Whoever may listen to another user's inbox can have a node answer there (docs/SUBJECTS.md, "Permissions"): what the SDK believes all
 * the same, and what not. Places of answers are `_INBOX.sdk.<link>.<sequence>.<token>`; in these tests tokens count.
 */

import { describe, expect, test } from '@jest/globals'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { encodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { failureOf, first, key, openWorld } from './world.ts'
import type { Bus } from '../../bus/port.ts'
import type { World } from './world.ts'

const refusal = { status: 'INVALID', revision: 0, definite: true } as const
const clientMay = { publish: ['kv.>', '$SRV.>'], subscribe: ['_INBOX.>', 'kv-changed.>'] }

interface Place {
  readonly root: string
  readonly sequence: number
  readonly token: number
}

/** Another client, which has heard where the answer to a read came to. */
const listener = async ({ broker, kv, settled }: World): Promise<{ readonly other: Bus; readonly last: Place }> => {
  const other = broker.connect({ name: 'other', permissions: clientMay })
  const heard: string[] = []
  other.subscribe('_INBOX.sdk.>', ({ subject }) => { heard.push(subject) })
  await settled(kv.get(key))
  const [root = '', sequence, token] = /^(.*)\.(\d+)\.t(\d+)$/.exec(heard.at(-1) ?? '')?.slice(1) ?? []
  return { other, last: { root, sequence: Number(sequence), token: Number(token) } }
}

/** Refused as a whole with INVALID, under the sequence of the next batch. */
const brokenBatch = (): Uint8Array => {
  const bytes = encodeClientFrame({
    kind: 'batch', session: '0123456789abcdef', sequence: 1, timeoutMs: 1, consistency: 'lease', groups: [],
  })
  return new Uint8Array([...bytes, 0])
}

describe('a batch that is executed while its answer is lost', () => {
  test('is not refused by what another client has a node say where answers came to before', async () => {
    const world = await openWorld()
    const { kv, settled, behave } = world
    const { other, last } = await listener(world)
    behave(first('serveInSilence'))
    const pending = kv.incr(key)
    await world.until('it is executed', () => world.valueOf(key) === '1')
    for (let next = 1; next < 5; next += 1) {
      other.publish('kv.to.n1.batch.v1', brokenBatch(), { reply: `${last.root}.${last.sequence + next}.t${last.token}` })
    }
    world.pass(50)
    expect(world.client.stats()).toMatchObject({ retries: 0 })
    expect(await settled(pending)).toMatchObject({ value: 1n })
    expect(world.client.stats()).toMatchObject({ badFrames: 0 })
  })

  test('is not refused for certain by a refusal that the door can not mean, even at the right place', async () => {
    const world = await openWorld()
    const { kv, settled, behave } = world
    await settled(kv.put(key, '0'))
    const { other, last } = await listener(world)
    behave(first('serveInSilence'))
    const pending = kv.incr(key)
    await world.until('it is executed', () => world.valueOf(key) === '1')
    other.publish('kv.to.n1.batch.v1', brokenBatch(), { reply: `${last.root}.${last.sequence + 1}.t${last.token + 1}` })
    expect(await settled(pending)).toMatchObject({ value: 1n })
    expect(world.client.stats().retries).toBeGreaterThan(0)
  })

  test('is not answered by a stored value, even at the right place', async () => {
    const world = await openWorld()
    const { kv, settled, behave } = world
    await settled(kv.put(key, '0'))
    const { last } = await listener(world)
    behave(first('serveInSilence'))
    const pending = kv.incr(key)
    await world.until('it is executed', () => world.valueOf(key) === '1')
    const stored = encodeNodeFrame({ kind: 'refused', sequence: 0, result: { status: 'OVERLOADED', revision: 0, definite: true } })
    const door = world.broker.connect({ name: 'door' })
    door.publish(`${last.root}.${last.sequence + 1}.t${last.token + 1}`, stored, { headers: new Map([['Kv-Status', 'OK']]) })
    expect(await settled(pending)).toMatchObject({ value: 1n })
    expect(world.client.stats()).toMatchObject({ badFrames: 1 })
  })
})

test('a door of another version that understands no batch is named by the error of its calls', async () => {
  const world = await openWorld()
  const { kv, kill, broker } = world
  kill('n1')
  const stranger = broker.connect({ name: 'a newer n1' })
  stranger.subscribe('kv.to.n1.batch.v1', ({ data, reply }) => {
    const frame = data[1] === 1
      ? { kind: 'welcome', session: '0123456789abcdef', node: 'n1' as never, shardCount: 4, epoch: 1 } as const
      : { kind: 'refused', sequence: 0, result: { ...refusal, message: 'frame kind 2 is not known' } } as const
    stranger.publish(reply, encodeNodeFrame(frame))
  })
  expect(await failureOf(world, kv.get(key, { timeoutMs: 500 }))).toMatchObject({
    code: 'TIMEOUT', definite: true, message: expect.stringContaining('frame kind 2 is not known'),
    cause: expect.objectContaining({ message: 'n1: frame kind 2 is not known' }),
  })
})
