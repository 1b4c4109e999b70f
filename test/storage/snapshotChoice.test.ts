/** What a replica starts from, and when what is on the disk says that something is missing. */

import { describe, expect, test } from '@jest/globals'
import { chooseSnapshot } from '../../storage/snapshotChoice.ts'
import { createSnapshotRig, fillOf, headerOf } from '../../torture/snapshotRig.ts'
import { entriesOf, vote } from '../../torture/rig.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'
import type { SnapshotChoice } from '../../storage/snapshotChoice.ts'
import type { SnapshotRig } from '../../torture/snapshotRig.ts'

const { group, term } = headerOf(1)
const nothing: RecoveredGroup = { group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] }

const holding = (...indexes: readonly number[]): SnapshotRig => {
  const rig = createSnapshotRig()
  for (const index of indexes) rig.write(index, fillOf(index, 100))
  return rig
}

/** The index of the snapshot it starts from, and why it never votes. */
const choiceOf = (rig: SnapshotRig, recovered: RecoveredGroup): readonly [number | undefined, string | undefined] => {
  const choice = rig.ask<SnapshotChoice>((done) => chooseSnapshot(rig.store, recovered, done))?.result
  return [choice?.snapshot?.index, choice?.recovered.quarantined]
}

describe('a replica starts', () => {
  test('from the newest snapshot that the log vouches for', () => {
    const entries = entriesOf(4, 7, { term })
    expect(choiceOf(holding(3, 5, 9), { ...nothing, snapshot: { index: 3, term }, entries })).toEqual([5, undefined])
    expect(choiceOf(holding(3, 5), { ...nothing, snapshot: { index: 3, term }, entries: entriesOf(4, 7, { term: term + 1 }) }))
      .toEqual([3, undefined])
  })

  test('from nothing, where there is nothing, or only what an installation left that crashed before its record', () => {
    expect(choiceOf(holding(), nothing)).toEqual([undefined, undefined])
    const hardState = { term, vote: vote('b') }
    expect(choiceOf(holding(9), { ...nothing, hardState })).toEqual([undefined, undefined])
    expect(choiceOf(holding(9), { ...nothing, entries: entriesOf(1, 2, { term }) })).toEqual([undefined, undefined])
  })

  test('quarantined, when no good snapshot reaches the beginning of its log', () => {
    expect(choiceOf(holding(3), { ...nothing, snapshot: { index: 5, term } })).toEqual([undefined, expect.stringMatching(/index 5/)])
  })

  /**
   * Story: 1. n1 has voted, acknowledged and written snapshots. 2. Its `wal` directory is gone; the rest is there. 3. It starts. From
   * nothing, as a replica of the genesis, it would vote again in terms it has voted in, and vouch for a log that lacks what it
   * acknowledged.
   */
  test('quarantined, when its log knows nothing of it and a snapshot tells of an earlier life', () => {
    const isGone = expect.stringMatching(/log.*is gone/)
    expect(choiceOf(holding(5), nothing)).toEqual([undefined, isGone])
    const damaged = holding(5)
    damaged.disk.corrupt(damaged.pathOf(5), (bytes) => bytes.fill(0, 100))
    expect(choiceOf(damaged, nothing)).toEqual([undefined, isGone])
    expect(choiceOf(holding(5), { ...nothing, quarantined: 'the node is damaged' })).toEqual([undefined, 'the node is damaged'])
  })
})
