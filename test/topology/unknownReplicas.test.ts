/** Replicas that the map names and the log does not know, in a directory that may not be the one they were in; and what files say. */

import { describe, expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { createStage, genesis, held, logOf, named, replicasOf, withVote } from './replicaStage.ts'
import type { Placement } from '../../actors/topology/clusterState.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'
import type { Stage } from './replicaStage.ts'

const ofMove = { generation: 6, isRemoved: false }
/** Its log begins behind a snapshot. */
const lacking: RecoveredGroup = { ...held(0, ofMove), snapshot: { index: 5, term: 4 }, entries: [] }

test('a replica of the genesis begins where nothing says that it was here before: the cluster is being born', () => {
  const stage = createStage({ isMapLost: true, named: [named(0, 1)] })
  expect([replicasOf(stage), stage.host.damaged()]).toEqual([['n1:1'], []])
})

/** The directory may be one that joined before genesis files said so. */
describe('a replica of the genesis that the log does not know, where the map is lost and the log knows of later ones', () => {
  const given = { named: [named(0, 1), withVote(1, 6)], log: [held(1, ofMove)] }
  const lost = { ...given, isMapLost: true }
  const born = adoptGenesis(genesis)
  const look = (stage: Stage): unknown => [replicasOf(stage), stage.host.damaged(), stage.host.asksWhatIsNew()]

  test('waits for a read of the newest map, as no other replica does, and counts for nothing meanwhile', () => {
    const stage = createStage(lost)
    expect([look(stage), stage.isOpened()]).toEqual([[['n1:6'], [], true], true])
    stage.learn(...given.named)
    expect(look(stage)).toEqual([['n1:6'], [], true])
    expect(look(createStage(given))).toEqual([['n1:1', 'n1:6'], [], false])
  })

  test('waits all the same where the map is older than a replica of the log: the directory may be younger than it', () => {
    expect(look(createStage({ ...given, nextGeneration: 6 }))).toEqual([['n1:6'], [], true])
    expect(look(createStage({ ...given, nextGeneration: 7 }))).toEqual([['n1:1', 'n1:6'], [], false])
  })

  test('keeps its place while it waits, whatever is ordered there: that may have been undone since', () => {
    const stage = createStage(lost)
    stage.learn(...given.named, named(0, 7))
    expect([stage.wal(), stage.host.missing()]).toEqual([[], [0]])
    stage.read(born)
    expect([replicasOf(stage), stage.host.missing()]).toEqual([['n1:1', 'n1:6'], []])
  })

  test('begins once such a read names it, and is trusted: its node never left, and its log has no promise', () => {
    const stage = createStage(lost)
    stage.read(born)
    expect([look(stage), logOf(stage, 0).quarantined]).toEqual([[['n1:1', 'n1:6'], [], false], undefined])
  })

  test('never begins, whatever map it learns, where the newest has moved it away: another directory may have had it', () => {
    const stage = createStage(lost)
    const [first, second] = born.shards as [Placement, Placement]
    stage.read({ ...born, shards: [{ ...first, replicas: first.replicas.filter((id) => id !== 'n1:1') }, second] })
    stage.learn(...given.named)
    expect(look(stage)).toEqual([['n1:6'], [], true])
    stage.learn(withVote(1, 6))
    expect(look(stage)).toEqual([['n1:6'], [], false])
  })

  test('is quarantined where the log is damaged, too, whatever the map says', () => {
    const stage = createStage({ ...lost, damagedNode: 'segment 3 is unreadable' })
    stage.read(born)
    expect(logOf(stage, 0).quarantined).toBe('segment 3 is unreadable')
  })
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

test('one of a log that could not be read makes room where the others are a majority alone: the next start may find it whole', () => {
  const damagedNode = 'segment 3 can not be read'
  const given = { named: [withVote(0, 6), named(0, 7)], log: [{ ...held(0, ofMove), quarantined: damagedNode }], damagedNode }
  const stage = createStage({ ...given, isLogUnread: true })
  expect([stage.wal(), stage.host.asksWhatIsNew(), stage.host.damaged()]).toEqual([[], true, [{ group: 0, id: 'n1:6' }]])
  stage.confirm(false)
  expect([stage.wal(), stage.quarantines]).toEqual([[], []])
  stage.confirm()
  expect(stage.wal()).toEqual(['retire 0 n1:6'])
  expect(createStage(given).wal()).toEqual(['retire 0 n1:6'])
})

test('what was said of an older map makes no room once a newer one was read: what was ordered may have been undone there', () => {
  let isSpared = false
  const stage = createStage({ named: [withVote(0, 6), named(0, 7)], log: [held(0, ofMove)] })
  stage.host.noteNewest(() => isSpared)
  isSpared = true
  stage.read(adoptGenesis(genesis))
  expect([stage.wal(), stage.host.asksWhatIsNew()]).toEqual([[], true])
  stage.confirm()
  expect(stage.wal()).toEqual(['retire 0 n1:6'])
})

test('one that could not be read makes room for another by the newest map alone: the next start may find it good', () => {
  const given = { named: [withVote(0, 6), named(0, 7)], log: [lacking] }
  const stage = createStage({ ...given, files: { good: [], damaged: ['5'], isUnread: true } })
  expect([stage.wal(), stage.host.asksWhatIsNew(), stage.host.damaged()]).toEqual([[], true, [{ group: 0, id: 'n1:6' }]])
  stage.confirm()
  expect(stage.wal()).toEqual(['retire 0 n1:6'])
  expect(createStage(given).wal()).toEqual(['retire 0 n1:6'])
})
