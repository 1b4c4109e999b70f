/** Replicas that the map names and the log does not know, in a directory that may not be the one they were in; and what files say. */

import { expect, test } from '@jest/globals'
import { createStage, held, logOf, named, replicasOf, withVote } from './replicaStage.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'

const ofMove = { generation: 6, isRemoved: false }
/** Its log begins behind a snapshot. */
const lacking: RecoveredGroup = { ...held(0, ofMove), snapshot: { index: 5, term: 4 }, entries: [] }

test('a replica of the genesis begins where nothing says that it was here before: the cluster is being born', () => {
  const stage = createStage({ isMapLost: true, named: [named(0, 1)] })
  expect([replicasOf(stage), stage.host.damaged()]).toEqual([['n1:1'], []])
})

/** A directory that joined before genesis files said so, and has lost its map. */
test('a replica of the genesis that the log does not know is quarantined where the map is lost and the log knows of later ones', () => {
  const given = { named: [named(0, 1)], log: [held(1, ofMove)] }
  const stage = createStage({ ...given, isMapLost: true })
  expect([logOf(stage, 0).quarantined, stage.host.damaged()]).toEqual([expect.stringContaining('n1:1'), [{ group: 0, id: 'n1:1' }]])
  expect(createStage(given).host.damaged()).toEqual([])
})

test('what the files alone say against a replica is kept in its log, and what the log says is not written again', () => {
  const stage = createStage({ named: [named(0, 6)], log: [lacking] })
  expect([logOf(stage, 0).quarantined, stage.quarantines, stage.wal(), stage.isReplaced()]).toEqual([
    expect.stringContaining('index 5'), [{ type: 'wal.quarantine', group: 0, ticket: 0, reason: expect.stringContaining('index 5') }],
    [], false,
  ])
  const known = createStage({ named: [named(0, 6)], log: [{ ...lacking, quarantined: 'no good snapshot' }] })
  expect([known.quarantines, known.wal(), known.isReplaced()]).toEqual([[], [], false])
})

test('of a snapshot that could not be read the log keeps nothing: the next start may find it good', () => {
  const stage = createStage({ named: [named(0, 6)], log: [lacking], files: { good: [], damaged: ['5'], isUnread: true } })
  expect([logOf(stage, 0).quarantined, stage.quarantines, stage.wal(), stage.isReplaced()])
    .toEqual([expect.stringContaining('index 5'), [], [], false])
})

test('one that could not be read makes room for another by the newest map alone: the next start may find it good', () => {
  const given = { named: [withVote(0, 6), named(0, 7)], log: [lacking] }
  const stage = createStage({ ...given, files: { good: [], damaged: ['5'], isUnread: true } })
  expect([stage.wal(), stage.host.asksWhatIsNew(), stage.host.damaged()]).toEqual([[], true, [{ group: 0, id: 'n1:6' }]])
  stage.confirm()
  expect(stage.wal()).toEqual(['retire 0 n1:6'])
  expect(createStage(given).wal()).toEqual(['retire 0 n1:6'])
})
