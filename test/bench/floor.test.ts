/** The floor's bytes: what is encoded is what is read. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  answerGet, applyPut, countOf, encodeConfirm, encodeGet, encodeNumber, encodePut, encodePutDone, idOf, readGetDone, setId,
} from '../../bench/floor/batches.ts'
import { createOutbox, readFrames } from '../../bench/floor/frames.ts'
import type { Frame } from '../../bench/floor/frames.ts'

const keys = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 })
const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value))
const writes = fc.array(fc.record({ key: keys, value: bytes }), { maxLength: 20 })
const numbers = fc.nat(2 ** 31 - 1)

describe('a batch of the floor', () => {
  test('of writes leaves the last value of each key, under whatever id', () => {
    fc.assert(fc.property(writes, numbers, numbers, (list, id, index) => {
      const batch = encodePut(id, list)
      expect(idOf(batch)).toBe(id)
      setId(batch, index)
      const map = new Map<string, Buffer>()
      applyPut(map, batch)
      expect(idOf(batch)).toBe(index)
      expect(map).toEqual(new Map(list.map(({ key, value }) => [key, value])))
    }))
  })

  test('of reads is answered in order, absent keys included', () => {
    fc.assert(fc.property(writes, fc.array(keys, { maxLength: 20 }), numbers, (list, asked, id) => {
      const map = new Map(list.map(({ key, value }) => [key, value]))
      const done = answerGet(map, encodeGet(id, asked))
      expect(idOf(done)).toBe(id)
      expect(readGetDone(done)).toEqual(asked.map((key) => map.get(key)))
    }))
  })

  test('of results and of shards carries its id and its count', () => {
    expect([idOf(encodePutDone(7, 3, 9)), countOf(encodePutDone(7, 3, 9))]).toEqual([7, 3])
    expect([idOf(encodeConfirm(8, new Set([1, 5]))), countOf(encodeConfirm(8, new Set([1, 5])))]).toEqual([8, 2])
    expect(idOf(encodeNumber(4_000_000_000))).toBe(4_000_000_000)
  })
})

describe('the outbox of the floor', () => {
  test('sends one message per destination, with all its frames in order, and asks to be flushed once', () => {
    const sent = new Map<string, Buffer>()
    let asked = 0
    const outbox = createOutbox((subject, message) => sent.set(subject, message), () => { asked += 1 })
    const frames = [1, 2, 3].map((kind): Frame => ({ kind, shard: kind * 100, body: Buffer.from(`body ${kind}`) }))
    for (const frame of frames) outbox.add('a', frame)
    outbox.add('b', { kind: 9, shard: 1, body: Buffer.alloc(0) })
    outbox.flush()
    const read: Frame[] = []
    readFrames(sent.get('a') ?? Buffer.alloc(0), (frame) => read.push(frame))
    expect(read).toEqual(frames)
    expect([...sent.keys()]).toEqual(['a', 'b'])
    expect(asked).toBe(1)
    outbox.flush()
    expect(sent.size).toBe(2)
  })
})
