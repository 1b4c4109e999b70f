/** The batch door, whatever it is asked and whatever shards and brokers do (batchStage.ts). */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { BATCH_OPERATIONS_MAX, OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { shardOf } from '../../topology/hash.ts'
import { shardId } from '../../topology/ids.ts'
import { SHARDS, VALUE_BYTES_MAX, FRAME_BYTES_MAX, put, get, groupsOf, open, rowsOf, verdictsOf, refusalsOf } from './batchStage.ts'
import type { Batch } from '../../bus/codec/batch.ts'

describe('a session of the batch door', () => {
  test('begins with hello and welcome', () => {
    const { say, frames, connections, gateway } = open()
    say({ kind: 'hello', protocol: 1 })
    expect(frames()).toEqual([{ kind: 'welcome', session: '0000000000000001', node: 'n1', shardCount: SHARDS, epoch: 7 }])
    expect(connections.get('0000000000000001')?.state()).toBe('open')
    expect(gateway.counters()).toMatchObject({ opened: 1, sessions: 1 })
  })

  test('is refused to who speaks another protocol', () => {
    const { say, frames, gateway } = open()
    say({ kind: 'hello', protocol: 9 })
    expect(frames()).toEqual([{
      kind: 'refused', sequence: 0,
      result: { status: 'INVALID', revision: 0, definite: true, message: expect.stringMatching(/version 9 is unknown/) },
    }])
    expect(gateway.counters()).toMatchObject({ sessions: 0, closed: 1 })
  })

  test('never shares its id with another', () => {
    const { hello } = open({ sessions: ['000000000000000a', '000000000000000a', '000000000000000b'] })
    expect([hello(), hello()]).toEqual(['000000000000000a', '000000000000000b'])
  })

  test('above the limit of sessions is refused with OVERLOADED, until one says bye', () => {
    const { hello, say, frames } = open({ limits: { sessionsMax: 2 } })
    const first = hello()
    hello()
    say({ kind: 'hello', protocol: 1 })
    expect(frames()).toMatchObject([{ kind: 'refused', sequence: 0, result: { status: 'OVERLOADED', definite: true, retryAfterMs: 100 } }])
    say({ kind: 'bye', session: first }, '')
    expect(hello()).not.toBe('')
  })

  test('is closed after 30 s of silence, and told so when it speaks again', () => {
    const { hello, batch, frames, tick, gateway } = open()
    const session = hello()
    tick(29_000)
    expect(gateway.counters().sessions).toBe(1)
    tick(1_100)
    expect(gateway.counters()).toMatchObject({ sessions: 0, closed: 1 })
    const { sequence } = batch(session, [put('a')])
    expect(frames()).toMatchObject([{
      kind: 'refused', sequence, result: { status: 'SESSION_EXPIRED', definite: true, message: expect.stringMatching(/say hello again/) },
    }])
  })

  test('is kept by an empty batch, which is answered at once', () => {
    const { hello, batch, frames, tick, gateway } = open()
    const session = hello()
    for (let i = 0; i < 4; i += 1) {
      tick(20_000)
      const { sequence } = batch(session, [])
      expect(frames()).toEqual([{ kind: 'results', session, sequence, isLast: true, rows: [] }])
    }
    expect(gateway.counters()).toMatchObject({ sessions: 1, pendingOperations: 0 })
  })

  test('answers what is in flight after bye, and takes nothing more', () => {
    const { hello, say, batch, frames, replyAll, gateway } = open()
    const session = hello()
    batch(session, [put('a')])
    say({ kind: 'bye', session })
    const { sequence } = batch(session, [put('b')])
    expect(refusalsOf(frames())).toEqual([[sequence, 'SESSION_EXPIRED+']])
    replyAll()
    expect(verdictsOf(frames())).toEqual(['OK'])
    expect(gateway.counters().sessions).toBe(0)
    say({ kind: 'bye', session })
    expect(frames()).toEqual([])
  })
})

describe('a batch', () => {
  test('is answered by position, operation by operation, with the shard of each', () => {
    const { hello, batch, frames, asked, replyAll, gateway, failures } = open()
    const session = hello()
    const { sequence, groups } = batch(session, [put('a'), put('b'), put('c'), put('d'), put('e'), put('f')])
    expect(groups.length).toBeGreaterThan(1)
    expect(asked.map(({ shard }) => shard)).toEqual(groups.map(({ shard }) => shard))
    asked.reverse()
    replyAll(({ key }) => ({ status: 'OK', revision: key.charCodeAt(0) }))
    const keys = groups.flatMap(({ operations, shard }) => operations.map(({ key }) => [shard, key.charCodeAt(0)]))
    expect(frames()).toEqual([{
      kind: 'results', session, sequence, isLast: true,
      rows: keys.map(([shard, revision], position) => ({ position, shard, result: { status: 'OK', revision } })),
    }])
    expect(gateway.counters()).toMatchObject({ batches: 1, operations: 6, pendingOperations: 0 })
    expect(failures).toEqual([])
  })

  test('is answered in parts when its shards answer in different turns', () => {
    const { hello, batch, frames, asked, pass } = open()
    batch(hello(), [put('a'), get('a')])
    expect(asked).toHaveLength(2)
    must(asked[1], 'the read').reply()
    pass(5)
    expect(frames()).toMatchObject([{ isLast: false, rows: [{ position: 1 }] }])
    must(asked[0], 'the write').reply()
    pass(5)
    expect(frames()).toMatchObject([{ isLast: true, rows: [{ position: 0 }] }])
  })

  test('hands its consistency to its reads, and leaves its values alone', () => {
    const { hello, batch, asked } = open()
    batch(hello(), [{ code: OpCode.put, key: 'a', value: new TextEncoder().encode('kept') }, get('a')], { consistency: 'stale' })
    expect(asked.map(({ request }) => request.consistency)).toEqual(['linearizable', 'stale'])
    expect(new TextDecoder().decode(asked[0]?.request.operations[0]?.value)).toBe('kept')
  })

  test('needs as many frames as its values do, each within the budget', () => {
    const { hello, batch, heard, replyAll } = open()
    const session = hello()
    batch(session, Array.from({ length: 10 }, (_, i) => get(`key${i}`)))
    replyAll(() => ({ status: 'OK', revision: 1, value: new Uint8Array(VALUE_BYTES_MAX) }))
    expect(heard.length).toBeGreaterThan(3)
    for (const { bytes } of heard) expect(bytes).toBeLessThanOrEqual(FRAME_BYTES_MAX)
    const frames = heard.map(({ frame }) => frame)
    expect(rowsOf(frames).map(({ position }) => position)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(frames.map((frame) => frame.kind === 'results' && frame.isLast)).toEqual(frames.map((_, i) => i === frames.length - 1))
  })

  test('gets a definite refusal for a read that can not be sent, and never for a write', () => {
    const { hello, batch, frames, replyAll } = open({ limits: { resultBytesMax: 1_500 } })
    const session = hello()
    batch(session, [get('a')])
    replyAll(() => ({ status: 'OK', revision: 1, value: new Uint8Array(VALUE_BYTES_MAX + 1) }))
    expect(verdictsOf(frames())).toEqual(['TOO_LARGE+'])
    batch(session, [], { groups: [{ shard: shardId(shardOf('a', SHARDS)), operations: [get('a'), get('a')] }] })
    replyAll(() => ({ status: 'OK', revision: 1, value: new Uint8Array(VALUE_BYTES_MAX) }))
    expect(verdictsOf(frames())).toEqual(['OK', 'OVERLOADED+'])
    batch(session, [{ code: OpCode.incr, key: 'a' }])
    replyAll(() => ({ status: 'OK', revision: 1, value: new Uint8Array(20) }))
    expect(verdictsOf(frames())).toEqual(['OK'])
  })

  test('hears NOT_LEADER of each operation, definite', () => {
    const { hello, batch, frames, replyAll } = open()
    batch(hello(), [put('a'), put('b')])
    replyAll(() => ({ status: 'NOT_LEADER', revision: 0, definite: true, message: 'Node n2 leads the shard.' }))
    expect(verdictsOf(frames())).toEqual(['NOT_LEADER+', 'NOT_LEADER+'])
  })

  test('above what its connection can hold hears OVERLOADED, definite, for what is too much', () => {
    const { hello, batch, frames, replyAll } = open({ connection: { inFlightRequestsMax: 2 } })
    const session = hello()
    batch(session, [], { groups: [{ shard: shardId(shardOf('a', SHARDS)), operations: [put('a'), put('a'), put('a')] }] })
    expect(rowsOf(frames())).toMatchObject([{ position: 2, result: { status: 'OVERLOADED', definite: true, retryAfterMs: 50 } }])
    replyAll()
    expect(rowsOf(frames()).map(({ position }) => position)).toEqual([0, 1])
  })

  test.each([
    ['operations', { pendingOperationsMax: 2 }],
    ['bytes', { pendingBytesMax: 40 }],
  ])('above what the door can hold in %s is refused as a whole', (_name, limits) => {
    const { hello, batch, frames, replyAll, asked } = open({ limits })
    const session = hello()
    batch(session, [put('a'), put('b')])
    const { sequence } = batch(session, [put('a'), put('b', 60)])
    expect(refusalsOf(frames())).toEqual([[sequence, 'OVERLOADED+']])
    expect(asked.flatMap(({ request }) => request.operations)).toHaveLength(2)
    replyAll()
    expect(rowsOf(frames())).toHaveLength(2)
    for (let i = 0; i < 3; i += 1) {
      batch(session, [put('a'), put('b')])
      replyAll()
      expect(verdictsOf(frames())).toEqual(['OK', 'OK'])
    }
  })

  test('above what the door can hold is refused by its head: unread, and told how long to wait', () => {
    const { hello, batch, say, frames, replyAll, gateway } = open({ limits: { pendingOperationsMax: 1 } })
    const busy = hello()
    batch(busy, [put('a')])
    const refused = batch(busy, [put('a')])
    // A copy of a batch that was refused is a copy still: one answer.
    say(refused)
    expect(frames()).toMatchObject([{ kind: 'refused', result: { status: 'OVERLOADED', retryAfterMs: 50, definite: true } }])
    say(encodeClientFrame({ ...refused, sequence: 1_000 }).slice(0, -1))
    expect(refusalsOf(frames())).toEqual([[1_000, 'OVERLOADED+']])
    // A batch without operations is a sign of life.
    batch(busy, [], { sequence: 1_001 })
    expect(frames()).toMatchObject([{ kind: 'results', isLast: true, rows: [] }])
    replyAll()
    expect(verdictsOf(frames())).toEqual(['OK'])
    expect(gateway.counters()).toMatchObject({ batches: 2, refused: 2, pendingOperations: 0 })
  })

  test('that is refused keeps its session, as any batch does', () => {
    const { hello, batch, frames, tick, gateway } = open({ limits: { pendingOperationsMax: 1 } })
    const [flood, modest] = [hello(), hello()]
    batch(flood, [put('a'), put('b')], { timeoutMs: 60_000 })
    tick(20_000)
    const { sequence } = batch(modest, [put('c')])
    expect(refusalsOf(frames())).toEqual([[sequence, 'OVERLOADED+']])
    tick(20_000)
    expect(gateway.counters()).toMatchObject({ sessions: 2 })
  })

  test('that nobody answers times out: a read for certain, a write not', () => {
    const { hello, batch, frames, tick } = open()
    batch(hello(), [put('a'), get('a')], { timeoutMs: 100 })
    tick(200)
    expect(verdictsOf(frames())).toEqual(['TIMEOUT-', 'TIMEOUT+'])
  })

  test('of an unknown session is refused', () => {
    const { batch, frames, asked } = open()
    const { sequence } = batch('feedfeedfeedfeed', [put('a')])
    expect(refusalsOf(frames())).toEqual([[sequence, 'SESSION_EXPIRED+']])
    expect(asked).toEqual([])
  })

  test('that comes twice is executed and answered once, in flight or after', () => {
    const { hello, batch, say, frames, asked, replyAll, gateway } = open()
    const frame = batch(hello(), [put('a')])
    say(frame)
    expect(asked).toHaveLength(1)
    replyAll()
    expect(verdictsOf(frames())).toEqual(['OK'])
    say(frame)
    expect([asked, frames()]).toEqual([[], []])
    expect(gateway.counters().duplicate).toBe(2)
  })

  const misplaced = (shardOf('a', SHARDS) + 1) % SHARDS
  test.each([
    ['on a shard that is not the key\'s', misplaced, put('a'), 'INVALID+'],
    ['on a shard that there is not', SHARDS, put('a'), 'INVALID+'],
    ['without a key', 0, put(''), 'INVALID+'],
    ['with a brace and no partition', 0, put('{a'), 'INVALID+'],
    ['with a value above the budget', shardOf('a', SHARDS), put('a', VALUE_BYTES_MAX + 1), 'TOO_LARGE+'],
    ['that makes no sense', shardOf('a', SHARDS), { code: OpCode.touch, key: 'a' }, 'INVALID+'],
  ] as const)('has an operation %s refused, and only that one', (_name, shard, operation, verdict) => {
    const { hello, batch, frames, asked, replyAll } = open()
    batch(hello(), [], { groups: [{ shard: shardId(shard), operations: [operation] }, ...groupsOf([put('b')])] })
    expect(asked.flatMap(({ request }) => request.operations)).toEqual([put('b')])
    replyAll()
    expect(verdictsOf(frames())).toEqual([verdict, 'OK'])
  })

  test('opens and closes sessions of the state machine on any shard', () => {
    const { hello, batch, asked } = open()
    const session = { client: '0123456789abcdef', sequence: 1, firstIncomplete: 1 }
    const operations = [{ code: OpCode.openSession, key: '', session }, { code: OpCode.closeSession, key: '', session }]
    batch(hello(), [], { groups: [{ shard: shardId(3), operations }] })
    expect(asked.map(({ shard, request }) => [shard, request.operations.length])).toEqual([[3, 2]])
  })
})

describe('the batch door', () => {
  test('refuses a malformed frame with INVALID under its sequence and changes nothing', () => {
    const { hello, say, batch, frames, asked, gateway, replyAll } = open()
    const session = hello()
    const before = gateway.counters()
    const bytes = encodeClientFrame({
      kind: 'batch', session, sequence: 1, timeoutMs: 1, consistency: 'stale', groups: groupsOf([put('a')]),
    })
    say(bytes.subarray(0, bytes.length - 1))
    say(Uint8Array.from([7]))
    say(new Uint8Array(0), '')
    expect(refusalsOf(frames())).toEqual([[1, 'INVALID+'], [0, 'INVALID+']])
    expect(asked).toEqual([])
    expect(gateway.counters()).toEqual({ ...before, INVALID: 3 })
    batch(session, [put('a')])
    replyAll()
    expect(verdictsOf(frames())).toEqual(['OK'])
  })

  test('answers nobody outside the inbox prefix, executes nothing for them, and counts them', () => {
    const { hello, say, frames, asked, broker, gateway } = open()
    const session = hello()
    const overheard: string[] = []
    broker.connect({ name: 'other' }).subscribe('skv.>', ({ subject }) => overheard.push(subject))
    const batch: Batch = { kind: 'batch', session, sequence: 1, timeoutMs: 1_000, consistency: 'stale', groups: groupsOf([get('a')]) }
    for (const reply of ['skv.c.node.n2.n1', 'kv.put.a', '_INBOX.skv-nodes.1.7', '']) {
      say(batch, reply)
      say({ kind: 'hello', protocol: 1 }, reply)
    }
    expect([overheard, asked, frames()]).toEqual([[], [], []])
    expect(gateway.counters()).toMatchObject({ replySubject: 8, sessions: 1 })
  })

  test('finishes what is in flight while it drains, and refuses all else without denying it', () => {
    const { hello, say, batch, frames, gateway, replyAll, asked } = open()
    const session = hello()
    const idle = hello()
    const first = batch(session, [put('a')])
    gateway.drain()
    say(first)
    expect(frames()).toEqual([])
    const second = batch(session, [put('b')])
    const third = batch(idle, [put('b')])
    say({ kind: 'hello', protocol: 1 })
    expect(refusalsOf(frames())).toEqual([[second.sequence, 'OVERLOADED+'], [third.sequence, 'OVERLOADED+'], [0, 'OVERLOADED+']])
    expect(asked).toHaveLength(1)
    replyAll()
    expect(frames()).toMatchObject([{ kind: 'results', sequence: first.sequence, isLast: true, rows: [{ result: { status: 'OK' } }] }])
    expect(gateway.counters()).toMatchObject({ sessions: 0, pendingOperations: 0 })
  })

  test('sends what this turn answered before it closes, and hears nothing after', () => {
    const { hello, say, batch, frames, gateway, asked, pass } = open()
    const session = hello()
    batch(session, [put('a')])
    must(asked[0], 'asked').reply()
    gateway.close()
    pass(5)
    expect(verdictsOf(frames())).toEqual(['OK'])
    say({ kind: 'hello', protocol: 1 }, '_INBOX.nobody')
    expect([frames(), gateway.counters().sessions]).toEqual([[], 0])
  })

  test('refuses the rest of large values where there is room for some, and all of it arrives', () => {
    const { hello, batch, frames, replyAll, gateway } = open({ outboxBytes: 4 * 1_024 * 1_024 })
    batch(hello(), Array.from({ length: BATCH_OPERATIONS_MAX }, (_, n) => get(`k${n}`)))
    replyAll(() => ({ status: 'OK', revision: 1, value: new Uint8Array(VALUE_BYTES_MAX) }))
    const verdicts = verdictsOf(frames())
    expect(verdicts).toHaveLength(BATCH_OPERATIONS_MAX)
    expect(new Set(verdicts)).toEqual(new Set(['OK', 'OVERLOADED+']))
    expect(gateway.counters()).toMatchObject({ pendingOperations: 0 })
  })

  test('keeps the session of who writes all the time to a log that is behind', () => {
    const { hello, batch, frames, tick, asked } = open({ isOverloaded: () => true })
    const session = hello()
    for (let minute = 0; minute < 3; minute += 1) {
      for (let time = 0; time < 6; time += 1) {
        batch(session, [put('a')])
        tick(10_000)
      }
    }
    expect([verdictsOf(frames()), asked]).toEqual([Array.from({ length: 18 }, () => 'OVERLOADED+'), []])
  })

  test('counts answers that the broker does not take', () => {
    const { hello, batch, gateway, broker, asked, pass } = open()
    batch(hello(), [put('a')])
    broker.disconnect('node')
    must(asked[0], 'asked').reply()
    pass(5)
    expect(gateway.counters()).toMatchObject({ unsent: 1, pendingOperations: 0 })
  })

  test('ticks sessions that wait at every tick, and the others once a second', () => {
    const { hello, batch, ticked, tick } = open()
    const waiting = hello()
    const idle = hello()
    tick(0)
    batch(waiting, [put('a')])
    tick(200)
    tick(200)
    expect(ticked).toEqual([waiting, idle, waiting, waiting])
    tick(1_000)
    expect(ticked.slice(4)).toEqual([waiting, idle])
  })
})
