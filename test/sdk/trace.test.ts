/** The application's traces in the SDK's batches: which calls carry one, and that it never costs a call. */

import { expect, test } from '@jest/globals'
import { BATCH_TRACES_HEADER, TRACED_OPERATIONS_MAX, parseBatchTraces } from '../../bus/headers.ts'
import { text } from '../../sdk/codec.ts'
import { createKv } from '../../sdk/kv.ts'
import { key, keys, openWorld } from './world.ts'
import type { Headers } from '../../bus/port.ts'

const traceparent = (digit: string, flags = '01'): string => `00-${digit.repeat(32)}-${'b'.repeat(16)}-${flags}`

const open = async (read?: () => string | undefined) => {
  const world = await openWorld({ nodes: ['n1'] })
  const kv = createKv(world.client, text, { timeoutMs: 5_000, consistency: 'linearizable', traceparent: read })
  await world.settled(kv.put(key, 'x'))
  const heard: (string | undefined)[] = []
  const listener = world.broker.connect({ name: 'listener' })
  listener.subscribe('kv.to.n1.batch.v1', (message) => { heard.push(message.headers?.get(BATCH_TRACES_HEADER)) })
  return { ...world, kv, heard }
}

test('a batch says which of its operations belong to sampled traces, and nothing where none does', async () => {
  const { kv, heard, settled } = await open()
  await settled(Promise.all([
    kv.get(key), kv.get(key, { traceparent: traceparent('1') }), kv.get(key, { traceparent: traceparent('2', '00') }),
    kv.get(key, { traceparent: traceparent('3', 'ff') }),
  ]))
  await settled(kv.get(key))
  expect(heard).toEqual([`1:${traceparent('1')},3:${traceparent('3', 'ff')}`, undefined])
})

test('the connection\'s reader is asked at each call, and a call that names its own is of that', async () => {
  let current: string | undefined = traceparent('1')
  const { kv, heard, settled } = await open(() => current)
  const first = kv.get(key)
  current = undefined
  await settled(Promise.all([first, kv.get(key), kv.get(key, { traceparent: traceparent('2') })]))
  expect(heard).toEqual([`0:${traceparent('1')},2:${traceparent('2')}`])
})

test('what is malformed, and a reader that throws, are no trace, and never fail a call', async () => {
  const { kv, heard, settled } = await open(() => { throw new Error('no context here') })
  await settled(kv.get(key))
  const malformed = [
    'nonsense', traceparent('1').replace('00-', 'ff-'), `${traceparent('1')}\r\nKv-If-Revision: 0`, traceparent('G'), traceparent('0'),
  ]
  for (const wrong of malformed) await settled(kv.get(key, { traceparent: wrong }))
  await settled(kv.get(key, { traceparent: 7 as unknown as string }))
  expect(heard).toEqual(Array.from({ length: 7 }, () => undefined))
})

test('of a trace of a later version a batch says what is known, and never what follows', async () => {
  const { kv, heard, settled } = await open()
  await settled(kv.get(key, { traceparent: `${traceparent('1', 'fd').replace('00-', '01-')}-more,5:${traceparent('2')}` }))
  expect(heard).toEqual([`0:${traceparent('1')}`])
})

test('a batch names the first few of very many, within the margin of its frame', async () => {
  const { kv, heard, settled } = await open(() => traceparent('1'))
  await settled(kv.mget(Array.from({ length: 400 }, (_, i) => keys[i % keys.length] ?? key)))
  const [value = ''] = heard
  expect([value.split(',').length, value.length < 900]).toEqual([TRACED_OPERATIONS_MAX, true])
})

const headers = (value: string): Headers => new Map([[BATCH_TRACES_HEADER, value]])

test.each<readonly [string, readonly (readonly [number, string])[]]>([
  [`0:${traceparent('1')},31:${traceparent('2')}`, [[0, '1'], [31, '2']]],
  [`x:${traceparent('1')},5,:,123456:${traceparent('2')},7:nonsense,8:${traceparent('3')}`, [[8, '3']]],
  [Array.from({ length: TRACED_OPERATIONS_MAX + 1 }, (_, i) => `${i}:${traceparent('1')}`).join(','),
    Array.from({ length: TRACED_OPERATIONS_MAX }, (_, i) => [i, '1'] as const)],
])('a node reads what it understands of %j', (value, expected) => {
  const traces = parseBatchTraces(headers(value))
  expect([...traces ?? []].map(([position, { traceId }]) => [position, traceId[0]])).toEqual(expected)
})

test('a header that names no trace, or none, is nothing', () => {
  expect([parseBatchTraces(headers('')), parseBatchTraces(headers('1:x')), parseBatchTraces(new Map())]).toEqual([null, null, null])
})
