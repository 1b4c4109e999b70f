/** What nodes say to each other of their recordings: it comes back as it was, fits where it must, and nothing else is taken. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { happeningKinds } from '../../../actors/kernel/recorder.ts'
import { recordOf } from '../../../observe/recorder/record.ts'
import {
  decodeActors, decodeFrame, decodePage, decodeQuestion, decodeRequests, encodeJson, frameOf,
} from '../../../observe/recorder/wire.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'
import type { TraceQuestion } from '../../../observe/recorder/wire.ts'

const text = fc.stringMatching(/^[ -~äß€]{0,40}$/)
const count = fc.nat()
const optional = <T>(name: string, value: fc.Arbitrary<T>) =>
  fc.option(value, { nil: undefined }).map((one) => (one === undefined ? {} : { [name]: one }))
const records: fc.Arbitrary<ActorRecord> = fc.tuple(
  fc.record({
    at: fc.double({ min: 0, max: 2e12, noNaN: true }).map((at) => Math.abs(at)), seq: count, node: fc.constant('n1'), actor: text,
    kind: fc.constantFrom(...happeningKinds), event: text,
  }),
  optional('peer', text), optional('shard', count), optional('term', count), optional('micros', count), optional('because', text),
  optional('trace', fc.constant('0123456789abcdef'.repeat(2))),
  optional('detail', fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.oneof(text, count, fc.boolean()), { maxKeys: 4 })),
).map((parts) => Object.assign({}, ...parts) as ActorRecord)

const question: TraceQuestion = { kind: 'page', after: 3, from: 0, to: 9, trace: '' }
const record: ActorRecord = { at: 1, seq: 1, node: 'n1', actor: 'raft/7', kind: 'note', event: 'x' }

describe('a record', () => {
  test('comes back from a frame as it was', () => {
    fc.assert(fc.property(fc.array(records, { maxLength: 30 }), (some) => {
      const { list, count: taken } = frameOf(some, 1_000_000)
      expect(taken).toBe(some.length)
      expect(decodeFrame(new TextEncoder().encode(`{"records":${list}}`), 'n1')).toEqual(some)
    }))
  })

  test.each<readonly [string, object]>([
    ['a field nobody knows', { value: 'secret' }], ['a number that is none', { at: 'now' }], ['a kind nobody knows', { kind: 'rumour' }],
    ['a trace of another length', { trace: 'ab' }], ['a long text', { event: 'x'.repeat(600) }], ['a control character', { event: '\n' }],
    ['a nested detail', { detail: { a: { b: 1 } } }], ['a negative number', { shard: -1 }], ['a fraction of a byte', { bytes: 1.5 }],
    ['a detail without a name', { detail: { '': 1 } }], ['a moment that no date has', { at: 8_640_000_000_000_001 }],
  ])('with %s is none', (_, wrong) => {
    expect(recordOf(record)).toEqual(record)
    expect(recordOf({ ...record, ...wrong })).toBeUndefined()
  })

  test('of another node than the sender makes the frame none', () => {
    expect(decodeFrame(encodeJson({ records: [record] }), 'n2')).toBeUndefined()
  })
})

test('a frame holds as many as fit, and says how many', () => {
  fc.assert(fc.property(fc.array(records, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1_200, max: 4_000 }), (some, bytesMax) => {
    const { list, count: taken } = frameOf(some, bytesMax)
    expect(Buffer.byteLength(list)).toBeLessThanOrEqual(bytesMax)
    expect(taken).toBeGreaterThan(0)
    expect((JSON.parse(list) as unknown[]).length).toBe(taken)
  }))
})

describe('a question', () => {
  test.each<TraceQuestion>([
    question, { ...question, kinds: ['state', 'note'] }, { kind: 'actors' }, { kind: 'watch', detail: true },
    { kind: 'requests', order: 'slowest', isFailed: false, key: 'k', limit: 3 },
  ])('comes back as it was: %p', (one) => {
    expect(decodeQuestion(encodeJson(one))).toEqual(one)
  })

  test.each<unknown>([
    null, 1, [], {}, { kind: 'shutdown' }, { ...question, after: '3' }, { ...question, trace: 'x' }, { kind: 'watch' },
    { ...question, kinds: ['rumour'] }, { ...question, kinds: 'state' },
    { kind: 'requests', order: 'random', isFailed: false, key: 'k', limit: 3 }, { ...question, filler: 'x'.repeat(2_000) },
  ])('is not: %p', (one) => {
    expect(decodeQuestion(encodeJson(one))).toBeUndefined()
  })

  test('is not what is no JSON', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const decode of [decodeQuestion, decodePage, decodeActors, decodeRequests]) expect(() => decode(bytes)).not.toThrow()
    }))
  })
})
