/** What the page reads: the feed's events, recordings piece by piece, requests as sequences, and more than it can draw. */

import { describe, expect, test } from '@jest/globals'
import { FRAME_RECORDS_MAX, createIntake } from '../../../observe/page/intake.ts'
import { filterOf } from '../../../observe/page/recordFilter.ts'
import { createRates } from '../../../observe/page/rates.ts'
import { createRecordingReader, recordingText } from '../../../observe/page/recordingText.ts'
import { sequenceOf, verdictOf } from '../../../observe/page/sequence.ts'
import { createEventParser } from '../../../observe/page/sse.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'

const trace = '0123456789abcdef0123456789abcdef'
const record = (seq: number, more: Partial<ActorRecord> = {}): ActorRecord =>
  ({ at: 1_000 + seq, seq, node: 'n1', actor: 'wal', kind: 'batch', event: 'group', ...more })

describe('the feed', () => {
  test('events are whole however the bytes are cut', () => {
    const text = 'event: records\ndata: [1,2]\n\nevent: beat\ndata: {"at":1}\n\n'
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parse = createEventParser()
      expect([...parse(text.slice(0, cut)), ...parse(text.slice(cut))]).toEqual([
        { event: 'records', data: '[1,2]' }, { event: 'beat', data: '{"at":1}' },
      ])
    }
  })

  test('a frame takes a bounded part, in order', () => {
    const intake = createIntake()
    intake.push(Array.from({ length: 5_000 }, (_, i) => record(i)))
    expect(intake.take().map(({ seq }) => seq)).toEqual(Array.from({ length: FRAME_RECORDS_MAX }, (_, i) => i))
    expect(intake.waiting()).toBe(5_000 - FRAME_RECORDS_MAX)
  })

  test('above the limit traffic is dropped and counted, and no state is', () => {
    const intake = createIntake()
    intake.push([record(0, { kind: 'state', event: 'idle' }), ...Array.from({ length: 30_000 }, (_, i) => record(i + 1))])
    expect(intake.waiting() + intake.dropped()).toBe(30_001)
    expect(intake.dropped()).toBeGreaterThan(0)
    expect(intake.take()[0]).toMatchObject({ kind: 'state' })
  })
})

describe('a recording', () => {
  const head = { cluster: 'c', madeAt: 5, nodes: ['n1'], missing: [], from: null, to: null }
  const records = [record(1), record(2, { kind: 'note', event: 'the disk is full' })]

  test('what is saved is what is opened, however it is cut', () => {
    const text = recordingText(head, records)
    for (let cut = 0; cut <= text.length; cut += 7) {
      const reader = createRecordingReader()
      const pieces = [reader.push(text.slice(0, cut)), reader.push(text.slice(cut)), reader.end()]
      expect(pieces.flatMap<unknown>((piece) => ('records' in piece ? piece.records : [piece]))).toEqual(records)
    }
  })

  test('something else is refused in words', () => {
    expect(createRecordingReader().push('{"hello":1}\n')).toEqual({ problem: expect.stringContaining('no recording') })
    expect(createRecordingReader().push(`${recordingText(head, [])}{"at":"then"}\n`)).toEqual({
      problem: expect.stringContaining('Line 2'),
    })
  })
})

describe('rates', () => {
  test('writes are counted by the second, silence is nought, and syncs have percentiles', () => {
    const rates = createRates()
    for (const operations of [3, 4]) rates.add(record(0, { at: 60_500, actor: 'shard/1', event: 'proposal', detail: { operations } }))
    for (const micros of [1_000, 2_000, 9_000]) rates.add(record(0, { at: 60_900, micros }))
    const rows = rates.rows(62_000)
    expect(rows.at(-2)).toEqual({ second: 60, writes: 7, syncMedianMs: 2, syncP99Ms: 9 })
    expect(rows.at(-1)).toEqual({ second: 61, writes: 0, syncMedianMs: null, syncP99Ms: null })
  })
})

describe('a request', () => {
  const journey: ActorRecord[] = [
    record(1, { at: 100, actor: 'door', kind: 'phase', event: 'arrive', trace, detail: { op: 'put' } }),
    record(2, { at: 101, kind: 'send', event: 'shard.request', peer: 'n2', trace }),
    record(1, { at: 102, node: 'n2', kind: 'receive', event: 'shard.request', peer: 'n1', trace }),
    record(2, { at: 103, node: 'n2', kind: 'send', event: 'raft.append', peer: 'n3', trace }),
    record(3, { at: 120, node: 'n2', kind: 'phase', event: 'fsync', micros: 16_000, trace }),
    record(3, { at: 125, actor: 'door', kind: 'phase', event: 'reply', micros: 25_000, trace, detail: { op: 'put', status: 'OK' } }),
  ]

  test('a send and its receive are one arrow, and one that nobody heard is marked', () => {
    const { nodes, rows } = sequenceOf(journey)
    expect(nodes).toEqual(['n1', 'n2', 'n3'])
    expect(rows.filter(({ kind }) => kind === 'message')).toMatchObject([
      { from: 'n1', to: 'n2', transitMs: 1, isHeard: true }, { from: 'n2', to: 'n3', transitMs: null, isHeard: false },
    ])
  })

  test('an arrow that arrives before it left has no duration', () => {
    const early = journey.map((one) => (one.kind === 'receive' ? { ...one, at: 100.5 } : one))
    expect(sequenceOf(early).rows.find(({ kind }) => kind === 'message')).toMatchObject({ transitMs: null, isHeard: true })
  })

  test('where the time went is said in a sentence', () => {
    expect(verdictOf(sequenceOf(journey))).toBe('PUT took 25.0 ms. The longest stretch: on disk (fsync), 16.0 ms at n2.')
    const later = record(9, { at: 200, node: 'n3', kind: 'phase', event: 'fsync', micros: 90_000, trace })
    expect(verdictOf(sequenceOf([...journey, later]))).toBe(verdictOf(sequenceOf(journey)))
    expect(verdictOf(sequenceOf(journey.slice(0, 4)))).toBe('Its end has not been recorded.')
  })
})

test('what was long on its way is the longest stretch, and an append that nobody waited for is none', () => {
  const way = [
    record(1, { at: 0, actor: 'connection/raw', kind: 'send', event: 'shard.request', peer: 'n2', trace }),
    record(2, { at: 240, node: 'n2', actor: 'shard/3', kind: 'receive', event: 'shard.request', peer: 'n1', trace }),
    record(3, { at: 260, node: 'n2', actor: 'raft/3', kind: 'phase', event: 'fsync', micros: 18_000, trace }),
    record(4, { at: 265, actor: 'door', kind: 'phase', event: 'reply', micros: 265_000, trace, detail: { op: 'put', status: 'OK' } }),
    record(5, { at: 10, node: 'n2', actor: 'raft/3', kind: 'send', event: 'raft.append', peer: 'n3', trace }),
    record(6, { at: 262, node: 'n3', actor: 'raft/3', kind: 'receive', event: 'raft.append', peer: 'n2', trace }),
  ]
  expect(verdictOf(sequenceOf(way))).toBe('PUT took 265 ms. The longest stretch: shard.request on its way, 240 ms from n1 to n2.')
})

describe('a filter of a recording', () => {
  const all = [
    record(1, { actor: 'raft/7', shard: 7, kind: 'state', event: 'follower' }),
    record(2, { actor: 'shard/7', shard: 7, event: 'proposal' }),
    record(3, { actor: 'raft/70', shard: 70, kind: 'note', event: 'follows n2', node: 'n3' }), record(4),
    record(5, { actor: 'door', kind: 'phase', event: 'arrive', shard: 2, trace, detail: { op: 'put', key: 'user42' } }),
    record(6, { actor: 'connection/raw', kind: 'state', event: 'open' }),
  ]

  test.each<readonly [string, readonly number[]]>([
    ['', [1, 3]], ['  ', [1, 3]], ['raft/7', [1]], ['raft', [1, 3]], ['shard 7', [1, 2]], ['n3', [3]], ['user42', [5]], ['user4', []],
    [trace, [5]], ['follows', [3]],
  ])('"%s" finds %p', (typed, found) => {
    expect(all.filter(filterOf(typed)).map(({ seq }) => seq)).toEqual(found)
  })
})
