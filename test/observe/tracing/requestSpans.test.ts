/** The spans of a request: of a whole node's, of what the tracing port may be told, in any order; a tree, always. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { must } from '../../../actors/kernel/assert.ts'
import { CHILDREN_MAX, OPEN_SPANS_MAX, createRequestSpans } from '../../../observe/tracing/requestSpans.ts'
import { createSpanDrops } from '../../../observe/tracing/spanDrops.ts'
import { createSpanClock } from '../../../observe/tracing/spanClock.ts'
import { shardId } from '../../../topology/ids.ts'
import { startNodeOfTest } from '../../support/nodeOfTest.ts'
import type { TraceContext } from '../../../actors/kernel/trace.ts'
import type { PassedPhase, RequestSpan } from '../../../gateway/tracing.ts'
import type { FinishedSpan } from '../../../observe/tracing/span.ts'

const caller: TraceContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
const shard = shardId(3)
const request = { op: 'put', key: 'a secret key', shard, parent: caller }

const open = () => {
  let now = 1_000
  let shift = 5_000.7
  let ids = 0
  const spans: FinishedSpan[] = []
  const drops = createSpanDrops()
  const id = (digits: number) => (): string => {
    ids += 1
    return ids.toString(16).padStart(digits, '0')
  }
  const tracing = createRequestSpans({
    clock: { now: () => now, wall: () => Math.floor(now + shift) }, ids: { trace: id(32), span: id(16) },
    sink: (span) => { spans.push(span) }, drops,
  })
  return { tracing, spans, drops, now: () => now, pass: (ms: number) => { now += ms }, setBack: (ms: number) => { shift -= ms } }
}

const named = (spans: readonly FinishedSpan[], name: string): FinishedSpan => must(spans.find((span) => span.name === name), name)
const parentIn = (spans: readonly FinishedSpan[], { parentId }: FinishedSpan): string =>
  spans.find(({ spanId }) => spanId === parentId)?.name ?? parentId

describe('a sampled write on a node of its own', () => {
  test('is a tree of spans below its caller\'s, from the door to the reply, without the key or the value', () => {
    const { send, pass, spans } = startNodeOfTest()
    send('kv.put.a-secret-key', 'a secret value', { traceparent: `00-${caller.traceId}-${caller.spanId}-01` })
    pass(100)
    expect(spans.map((span) => `${span.name} < ${parentIn(spans, span)}`).toSorted()).toEqual([
      'apply < shard', 'commit < shard', 'connection < kv put', `kv put < ${caller.spanId}`, 'propose < shard', 'reply < kv put',
      'shard < kv put', 'wal append < shard', 'wal fsync < shard',
    ])
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([caller.traceId]))
    expect(named(spans, 'kv put')).toMatchObject({
      kind: 'server', isParentRemote: true, isFailed: false,
      attributes: { 'db.operation.name': 'put', 'shardkv.status': 'OK', 'shardkv.key_hash': expect.stringMatching(/^[0-9a-f]{8}$/) },
    })
    expect(JSON.stringify(spans)).not.toMatch(/secret/)
  })

  test('has links to the others that its batch serves, each of which has a root and a connection of its own', () => {
    const { send, pass, spans } = startNodeOfTest()
    for (const digit of ['1', '2']) send('kv.put.a', digit, { traceparent: `00-${digit.repeat(32)}-${caller.spanId}-01` })
    pass(100)
    const roots = spans.filter(({ name }) => name === 'kv put')
    const [one, two] = [must(roots[0], 'the first'), must(roots[1], 'the second')]
    expect(one.links.map(({ spanId }) => spanId)).toEqual([two.spanId])
    expect(two.links.map(({ spanId }) => spanId)).toEqual([one.spanId])
    expect(spans.filter(({ name }) => name === 'shard').map(({ links }) => links.length)).toEqual([1])
    expect(spans.filter(({ name }) => name === 'connection').length).toBe(2)
  })

  test('that says it is not sampled has none, and one that failed is kept all the same, under its caller\'s trace', () => {
    const { send, pass, spans } = startNodeOfTest()
    send('kv.put.a', '1', { traceparent: `00-${caller.traceId}-${caller.spanId}-00` })
    send('kv.incr.a', 'no number', { traceparent: `00-${caller.traceId}-${caller.spanId}-00` })
    pass(100)
    expect(spans.map(({ name, attributes }) => [name, attributes['shardkv.kept'], attributes['shardkv.status']])).toEqual([
      ['kv incr', 'failed', 'INVALID'],
    ])
    expect(spans[0]).toMatchObject({ traceId: caller.traceId, flags: 1, parentId: caller.spanId, isFailed: false })
  })
})

const phase = (more: Partial<PassedPhase> & Pick<PassedPhase, 'trace' | 'phase'>): PassedPhase =>
  ({ endedAt: 1_000, actor: `raft/${shard}`, shard, micros: 500, ...more })

describe('spans of requests', () => {
  test('a follower\'s are below the leader\'s replicate; what it commits later is nobody\'s', () => {
    const { tracing, spans } = open()
    const atShard = tracing.beginAtShard({ shard, operations: 2, parent: caller, isForwarded: true })
    const context = must(tracing.openChild?.(atShard.context), 'a child')
    tracing.passed?.(phase({ trace: context, phase: 'fsync', isFollower: true, micros: 900, syncMicros: 600, bytes: 7 }))
    tracing.passed?.(phase({ trace: context, phase: 'commit', isFollower: true }))
    tracing.passed?.(phase({ trace: context, phase: 'apply', isFollower: true }))
    tracing.passed?.(phase({ trace: atShard.context, phase: 'replicate', context, peer: 'n2', term: 4 }))
    atShard.end('OK')
    expect(spans.map((span) => `${span.name} < ${parentIn(spans, span)}`)).toEqual([
      'wal append < replicate', 'wal fsync < replicate', 'replicate < shard', `shard < ${caller.spanId}`,
    ])
    expect(spans.map(({ startMs, endMs }) => Math.round((endMs - startMs) * 1_000))).toEqual([300, 600, 500, 0])
    expect(spans[1]).toMatchObject({ isParentRemote: true, attributes: {} })
    expect(spans[2]?.attributes).toEqual({ 'shardkv.peer': 'n2', 'shardkv.term': 4 })
    expect(spans[3]).toMatchObject({ kind: 'consumer', attributes: { 'shardkv.shard': 3, 'shardkv.operations': 2 } })
  })

  test('below the shard\'s own say what only they know: the entry\'s size stands where it is made', () => {
    const { tracing, spans } = open()
    const atShard = tracing.beginAtShard({ shard, operations: 1, parent: caller, isForwarded: false })
    for (const name of ['propose', 'fsync', 'commit', 'apply'] as const) {
      tracing.passed?.(phase({ trace: atShard.context, phase: name, bytes: 7, syncMicros: 100 }))
    }
    expect(spans.map(({ name, attributes }) => [name, attributes])).toEqual([
      ['propose', { 'shardkv.bytes': 7 }], ['wal append', {}], ['wal fsync', {}], ['commit', {}], ['apply', {}],
    ])
  })

  test('that the cluster is to blame for are marked as failed, the caller\'s own mistakes are not', () => {
    const { tracing, spans } = open()
    for (const status of ['TIMEOUT', 'INVALID', 'CONFLICT', 'INTERNAL'] as const) tracing.begin(request)?.end(status)
    expect(spans.map(({ isFailed }) => isFailed)).toEqual([true, false, false, true])
  })

  test('are bounded: open ones, and those under one; what there is no room for is counted', () => {
    const { tracing, spans, drops } = open()
    const root = must(tracing.begin(request), 'a span')
    for (let i = 0; i < CHILDREN_MAX + 5; i += 1) tracing.passed?.(phase({ trace: root.context, phase: 'commit' }))
    expect(spans.length).toBe(CHILDREN_MAX)
    for (let i = 1; i < OPEN_SPANS_MAX; i += 1) expect(tracing.begin(request)).not.toBeNull()
    expect(tracing.begin(request)).toBeNull()
    expect(tracing.beginAtShard({ shard, operations: 1, parent: caller, isForwarded: true }).context).toEqual(caller)
    expect(drops.counts()).toEqual({ queue: 0, open: 2, children: 5, end: 0 })
  })

  test('that are open when the process ends are counted, and are nothing when they end after that', () => {
    const { tracing, spans, drops } = open()
    const [first, second] = [tracing.begin(request), tracing.begin(request)]
    first?.end('OK')
    tracing.close()
    second?.answered?.()
    second?.end('OK')
    expect([spans.map(({ name }) => name), drops.counts().end]).toEqual([['kv put'], 1])
  })

  test('of what was not sampled and is kept: one, at the root of its own trace or below its caller', () => {
    const { tracing, spans } = open()
    const note = { ...request, status: 'OK', micros: 200_000, trace: caller } as const
    tracing.noted?.({ ...note, isRoot: true })
    tracing.noted?.({ ...note, isRoot: false, status: 'TIMEOUT' })
    expect(spans).toMatchObject([
      { parentId: '', isParentRemote: false, ...caller, attributes: { 'shardkv.kept': 'slow' }, isFailed: false },
      { parentId: caller.spanId, isParentRemote: true, traceId: caller.traceId, attributes: { 'shardkv.kept': 'failed' } },
    ])
  })

  test('that come when their parent is over are not called another node\'s for it; a follower\'s are', () => {
    const { tracing, spans } = open()
    const atShard = tracing.beginAtShard({ shard, operations: 1, parent: caller, isForwarded: false })
    atShard.end('OK')
    tracing.passed?.(phase({ trace: atShard.context, phase: 'replicate', peer: 'n2' }))
    tracing.passed?.(phase({ trace: caller, phase: 'fsync', isFollower: true }))
    expect(spans.map(({ name, isParentRemote }) => [name, isParentRemote])).toEqual([
      ['shard', false], ['replicate', false], ['wal append', true], ['wal fsync', true],
    ])
  })

  test('do not end before they begin when the wall clock is set back meanwhile', () => {
    const { tracing, spans, pass, setBack } = open()
    const span = must(tracing.begin(request), 'a span')
    span.answered?.()
    pass(1)
    setBack(60_000)
    span.end('OK')
    expect(spans.map(({ name, startMs, endMs }) => [name, startMs <= endMs])).toEqual([['reply', true], ['kv put', true]])
  })

  test('whatever is told, and when, parents exist and hold what is below them, and nothing ends before it starts', () => {
    const steps = fc.array(fc.tuple(
      fc.constantFrom('begin', 'left', 'shard', 'phase', 'answered', 'end', 'shardEnd'), fc.nat(5), fc.nat(3_000),
    ))
    fc.assert(fc.property(steps, (told) => {
      const { tracing, spans, pass, now } = open()
      const roots: RequestSpan[] = []
      const shards: RequestSpan[] = []
      for (const [what, which, micros] of told) {
        pass(micros / 1_000)
        const root = roots[which % Math.max(1, roots.length)]
        const inShard = shards[which % Math.max(1, shards.length)]
        if (what === 'begin') roots.push(must(tracing.begin(request), 'a span'))
        else if (what === 'left' && root !== undefined) tracing.left?.({ ...root.context, others: roots.map(({ context }) => context) })
        else if (what === 'shard' && root !== undefined) {
          shards.push(tracing.beginAtShard({ shard, operations: 1, parent: root.context, isForwarded: false }))
        } else if (what === 'phase' && inShard !== undefined) {
          tracing.passed?.(phase({ trace: inShard.context, phase: 'fsync', endedAt: now(), micros: 0, syncMicros: micros }))
        } else if (what === 'answered') root?.answered?.()
        else if (what === 'shardEnd' && inShard !== undefined) shards.splice(shards.indexOf(inShard), 1)[0]?.end('OK')
      }
      for (const span of [...shards, ...roots]) span.end('OK')
      const byId = new Map(spans.map((span) => [span.spanId, span]))
      expect(byId.size).toBe(spans.length)
      for (const { name, parentId, isParentRemote, startMs, endMs, traceId } of spans) {
        expect(startMs).toBeLessThanOrEqual(endMs)
        const above = byId.get(parentId)
        if (name === 'kv put') expect([parentId, isParentRemote]).toEqual([caller.spanId, true])
        else {
          const isHeld = (above?.startMs ?? 0) <= startMs && endMs <= (above?.endMs ?? 0)
          expect([above?.traceId, isHeld]).toEqual([traceId, true])
        }
      }
    }), { numRuns: 60 })
  })

  test('have the monotonic clock\'s time: a wall clock in whole milliseconds neither shakes it nor holds it when it is set', () => {
    let now = 10.25
    let shift = 1_000.9
    const clock = createSpanClock({ now: () => now, wall: () => Math.floor(now + shift) })
    const times = Array.from({ length: 40 }, () => {
      now += 0.3
      return clock.now()
    })
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(Math.abs(clock.now() - (now + shift))).toBeLessThan(0.5)
    shift -= 60_000
    now += 1
    expect(Math.abs(clock.now() - (now + shift))).toBeLessThan(1)
  })

  test('are told by the monotonic clock\'s time, also of a moment ago, and the wall clock is read once a millisecond at most', () => {
    let now = 10
    let readings = 0
    const clock = createSpanClock({ now: () => now, wall: () => {
      readings += 1
      return 1_000 + Math.floor(now)
    } })
    for (; now < 20; now += 0.1) clock.now()
    expect(readings).toBeLessThanOrEqual(11)
    expect(clock.now() - clock.at(now - 0.25)).toBeCloseTo(0.25)
  })
})
