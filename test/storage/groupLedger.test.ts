/** The replay of one group's records: overlaps, gaps, truncations and damaged records, and what later ones make up for and what not. */

import { describe, expect, test } from '@jest/globals'
import { encodeGroup } from '../../storage/group.ts'
import { createGroupLedger } from '../../storage/groupLedger.ts'
import type { RecordHeader, WalRecord } from '../../storage/record.ts'
import { recoverLog } from '../../storage/recovery.ts'
import { encodeSegmentHeader } from '../../storage/segment.ts'
import { entriesOf, entryOf, vote } from '../../torture/rig.ts'

const entry = (index: number, term = 1): WalRecord => ({ kind: 'entry', group: 1, entry: entryOf(index, { term }) })
const copied = (index: number, term = 1): WalRecord => ({ kind: 'copiedEntry', group: 1, entry: entryOf(index, { term }) })
const state = (term: number, node: string): WalRecord =>
  ({ kind: 'hardState', group: 1, hardState: { term, vote: node === '' ? '' : vote(node) } })
const mark = (index: number): WalRecord => ({ kind: 'compactMark', group: 1, mark: { index, term: 1 } })
const installed = (index: number, keepsTail: boolean): WalRecord =>
  ({ kind: 'snapshotMark', group: 1, mark: { index, term: 1 }, keepsTail })
const began = (generation: number): WalRecord =>
  ({ kind: 'replica', group: 1, replica: { generation, isRemoved: false }, isCopied: false })
const gone = (generation: number): WalRecord =>
  ({ kind: 'replica', group: 1, replica: { generation, isRemoved: true }, isCopied: false })
const again = (record: WalRecord): WalRecord => (record.kind === 'replica' ? { ...record, isCopied: true } : record)
const bad = (kind: RecordHeader['kind'], index: number, term = 1): RecordHeader =>
  ({ kind, index, term, group: 1, detail: 1, payloadBytes: 8, payloadCrc: 0, chain: 0 })

const replay = (...steps: readonly (WalRecord | RecordHeader)[]): ReturnType<ReturnType<typeof createGroupLedger>['finish']> => {
  const ledger = createGroupLedger(1)
  for (const step of steps) {
    if ('payloadBytes' in step) ledger.applyDamaged(step)
    else ledger.apply(step, 1)
  }
  return ledger.finish()
}

describe('what the records of a group add up to', () => {
  test.each<readonly [string, readonly WalRecord[], { readonly term: number; readonly vote: string }]>([
    ['a later term', [state(1, 'a'), state(2, 'b')], { term: 2, vote: 'b:1' }],
    ['an earlier term further on', [state(2, 'b'), state(1, 'a')], { term: 2, vote: 'b:1' }],
    ['a vote in the same term', [state(2, ''), state(2, 'b')], { term: 2, vote: 'b:1' }],
    ['no vote in the same term further on', [state(2, 'b'), state(2, '')], { term: 2, vote: 'b:1' }],
  ])('the newest hard state counts wherever it stands: %s', (_, records, wanted) => {
    expect(replay(...records).hardState).toEqual(wanted)
  })

  test.each<readonly [string, readonly (WalRecord | RecordHeader)[], readonly string[]]>([
    ['an entry replaces what follows it', [entry(1), entry(2), entry(3), entry(2, 2)], ['1/1', '2/2']],
    ['a copy fills a gap and truncates nothing', [entry(3), copied(1), copied(2)], ['1/1', '2/1', '3/1']],
    ['a copy of what is there already changes nothing', [entry(1), entry(2, 2), copied(2)], ['1/1', '2/2']],
    ['a mark drops what it covers, and an older mark nothing', [entry(1), entry(2), entry(3), mark(2), mark(1)], ['3/1']],
    ['records below the mark come too late', [mark(2), entry(2), copied(1), entry(3)], ['3/1']],
    ['an installed snapshot drops everything', [entry(1), entry(2), entry(3), installed(2, false)], []],
    ['an installed snapshot keeps a tail that agreed', [entry(1), entry(2), entry(3), installed(2, true)], ['3/1']],
    ['a damaged entry that is replaced costs nothing', [entry(1), bad('entry', 2), entry(2, 2)], ['1/1', '2/2']],
    ['a damaged entry that is compacted costs nothing', [entry(1), bad('entry', 2), entry(3), mark(2)], ['3/1']],
    ['a damaged copy of what is there costs nothing', [entry(1), bad('copiedEntry', 1), mark(0)], ['1/1']],
    ['a far index is walked over in no more steps than there are records', [entry(2 ** 50), entry(1)], ['1/1']],
    ['a damaged copy below the mark costs nothing', [mark(2), bad('copiedEntry', 1), entry(3)], ['3/1']],
  ])('%s', (_, records, wanted) => {
    const found = replay(...records)
    expect([found.entries.map(({ term, index }) => `${index}/${term}`), found.quarantined]).toEqual([wanted, undefined])
  })

  test.each<readonly [string, readonly (WalRecord | RecordHeader)[], RegExp]>([
    ['a damaged entry', [entry(1), bad('entry', 2), entry(3)], /entry 2 is damaged/],
    ['a damaged copy', [entry(2), bad('copiedEntry', 1)], /entry 1 is damaged/],
    ['a gap', [entry(1), entry(3)], /entry 2 is missing while entry 3 is there/],
    ['a damaged vote', [state(1, 'a'), bad('hardState', 0, 2), state(2, '')], /vote in term 2 is damaged/],
    ['a damaged quarantine', [bad('quarantine', 0)], /reason is damaged/],
  ])('%s that nothing makes up for quarantines the group', (_, records, reason) => {
    expect(replay(...records).quarantined).toMatch(reason)
  })

  const everything = [entry(1), entry(2), mark(1), state(4, 'a'), bad('entry', 3), bad('hardState', 0, 4), bad('quarantine', 0)]
  const empty = { group: 1, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] }

  test.each<readonly [string, readonly (WalRecord | RecordHeader)[], object]>([
    ['a replica that begins voids everything before it', [...everything, began(2)],
      { ...empty, replica: { generation: 2, isRemoved: false } }],
    ['a tombstone, too', [...everything, gone(1)], { ...empty, replica: { generation: 1, isRemoved: true } }],
    ['and counts behind a tombstone', [gone(1), began(2), entry(1)],
      { ...empty, entries: [entryOf(1)], replica: { generation: 2, isRemoved: false } }],
    ['a copied one voids nothing, with the first still there', [began(2), entry(1), again(began(2)), copied(1), entry(2)],
      { ...empty, entries: entriesOf(1, 2), replica: { generation: 2, isRemoved: false } }],
    ['or gone', [entry(2), again(began(2)), copied(1)],
      { ...empty, entries: entriesOf(1, 2), replica: { generation: 2, isRemoved: false } }],
    ['a vote of a lower term counts, in a new replica', [state(9, 'a'), began(2), state(1, 'b')],
      { ...empty, hardState: { term: 1, vote: 'b:1' }, replica: { generation: 2, isRemoved: false } }],
    ['what stands behind a tombstone is no one\'s', [gone(2), entry(1), state(3, 'a'), bad('entry', 2)],
      { ...empty, replica: { generation: 2, isRemoved: true } }],
  ])('%s', (_, records, wanted) => {
    expect(replay(...records)).toEqual(wanted)
  })

  test('damage behind the beginning of a replica is its own', () => {
    expect(replay(began(2), entry(1), bad('entry', 2)).quarantined).toBe('the record of entry 2 is damaged')
  })

  test('what was void pins no segment, and the newest replica record does', () => {
    const ledger = createGroupLedger(1)
    const log: readonly WalRecord[] = [
      entry(1), state(1, 'a'), mark(1), { kind: 'quarantine', group: 1, reason: 'x' }, began(2), state(1, 'b'), again(began(2)),
    ]
    for (const [at, record] of log.entries()) ledger.apply(record, at + 1)
    expect([ledger.usage(), ledger.beganIn()]).toEqual([
      { group: 1, hardStateSegment: 6, markSegment: 0, quarantineSegment: 0, replicaSegment: 7, rows: new Map() }, 5,
    ])
  })

  test('a damaged vote is made up for by a later term, or by a vote in its own', () => {
    expect(replay(bad('hardState', 0, 2), state(3, '')).quarantined).toBeUndefined()
    expect(replay(bad('hardState', 0, 2), state(2, 'a')).quarantined).toBeUndefined()
  })
})

test('a group in its very place, of its very log, does not pass behind another chain', () => {
  const image = new Uint8Array(16_384)
  const header = encodeSegmentHeader({
    salt: 5, segment: 1, sizeBytes: image.length, previous: { segment: 0, offset: 0 }, chain: 0, firstSegment: 1, holdsReplicas: false,
  })
  image.set(header.bytes)
  const records = entriesOf(1, 2).map((each): WalRecord => ({ kind: 'entry', group: 1, entry: each }))
  for (const [chain, entries] of [[header.checksum, 2], [header.checksum ^ 1, 0]] as const) {
    const { bytes } = encodeGroup({
      at: { segment: 1, offset: 4_096 }, synced: { segment: 0, offset: 0 }, firstSegment: 1, chain: chain >>> 0, isSeal: false, salt: 5,
    }, records)
    image.set(bytes, 4_096)
    const { report } = recoverLog(new Map([[1, image]]))
    expect([report.groups.get(1)?.entries.length ?? 0, report.tornBytes > 0]).toEqual([entries, entries === 0])
  }
})
