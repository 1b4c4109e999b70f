/** Requests that are kept: in what order, and under what id. */

import { describe, expect, test } from '@jest/globals'
import { createNodeRecorder } from '../../../observe/recorder/recorder.ts'
import { NOTABLE_REQUESTS_MAX, SAMPLED_REQUESTS_MAX, createRequestRecorder } from '../../../observe/recorder/requests.ts'
import { shardId } from '../../../topology/ids.ts'
import type { KeptNote } from '../../../gateway/tracing.ts'

const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
const shard = shardId(3)
const everything = { order: 'newest', isFailed: false, key: '', limit: 5_000 } as const

const open = () => {
  const time = { now: 0 }
  const clock = { now: () => time.now, wall: () => 1_000 + time.now }
  const recorder = createNodeRecorder({ node: 'n1', clock })
  const requests = createRequestRecorder({ recorder, clock })
  const note = (more: Partial<KeptNote> = {}): void =>
    requests.tracing.noted?.({ op: 'put', shard, key: 'k', status: 'TIMEOUT', micros: 7, trace: parent, isRoot: true, ...more })
  return { time, recorder, requests, note }
}

describe('a kept request', () => {
  test('that was sampled has its arrival and its reply recorded under its trace, with its key and without its value', () => {
    const { time, recorder, requests } = open()
    const span = requests.tracing.begin({ op: 'put', shard, key: 'a\u0000b', parent })
    time.now += 2.5
    span?.end('OK')
    expect([...recorder.read({ after: 0 })]).toMatchObject([
      { actor: 'door', kind: 'phase', event: 'arrive', trace: parent.traceId, shard: 3, detail: { op: 'put', key: 'a%00b' } },
      { actor: 'door', kind: 'phase', event: 'reply', trace: parent.traceId, micros: 2_500, detail: { status: 'OK' } },
    ])
    expect(requests.kept(everything)).toEqual([
      { trace: parent.traceId, at: 1_002.5, node: 'n1', op: 'put', shard: 3, status: 'OK', micros: 2_500, key: 'a%00b' },
    ])
  })

  test('that was not sampled has its reply recorded under the trace that it is kept by', () => {
    const { recorder, requests, note } = open()
    note()
    expect([...recorder.read({ after: 0 })]).toMatchObject([{ event: 'reply', trace: parent.traceId, detail: { status: 'TIMEOUT' } }])
    expect(requests.kept(everything).map(({ trace }) => trace)).toEqual([parent.traceId])
  })

  test('is found by order, failure and key', () => {
    const { requests, note } = open()
    note({ key: 'a', status: 'OK', micros: 900_000 })
    note({ key: 'b', status: 'TIMEOUT', micros: 5_000_000 })
    note({ key: 'c', status: 'CONFLICT', micros: 200_000 })
    const keys = (wish: Partial<Parameters<typeof requests.kept>[0]>): string[] =>
      requests.kept({ ...everything, ...wish }).map(({ key }) => key)
    expect(keys({})).toEqual(['c', 'b', 'a'])
    expect(keys({ order: 'slowest' })).toEqual(['b', 'a', 'c'])
    expect(keys({ isFailed: true })).toEqual(['b'])
    expect(keys({ key: 'a' })).toEqual(['a'])
    expect(keys({ limit: 1 })).toEqual(['c'])
  })

  test('is forgotten after so many others', () => {
    const { requests, note } = open()
    for (let i = 0; i < 3 * NOTABLE_REQUESTS_MAX; i += 1) note()
    expect(requests.kept(everything).length).toBe(NOTABLE_REQUESTS_MAX)
  })

  test('that failed or took long stays, however many come that were merely sampled, and the other way round', () => {
    const { time, requests, note } = open()
    const sample = (key: string, ms: number, status: 'OK' | 'TIMEOUT' = 'OK'): void => {
      const span = requests.tracing.begin({ op: 'put', shard, key, parent })
      time.now += ms
      span?.end(status)
    }
    note({ key: 'failed' })
    sample('sampled and slow', 100)
    sample('sampled and failed', 1, 'TIMEOUT')
    for (let i = 0; i < 3 * SAMPLED_REQUESTS_MAX; i += 1) sample('fine', 1)
    const kept = requests.kept(everything)
    expect(kept.slice(-3).map(({ key }) => key)).toEqual(['sampled and failed', 'sampled and slow', 'failed'])
    expect(kept.length).toBe(SAMPLED_REQUESTS_MAX + 3)
    for (let i = 0; i < 3 * NOTABLE_REQUESTS_MAX; i += 1) note({ key: 'failed' })
    expect(requests.kept({ ...everything, key: 'fine' }).length).toBe(SAMPLED_REQUESTS_MAX)
  })
})
