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
