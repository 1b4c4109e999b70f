/**
 * What a node hosts follows from its map and its log: real Raft members and shards, over a log and a store of snapshots that say what the
 * test lets them say (replicaStage.ts).
 */

import { describe, expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { META_GROUP, generationOf, nodeId, replicaId } from '../../topology/ids.ts'
import { createNamed } from '../../topology/namedReplicas.ts'
import { batchEntry, put } from '../actors/shard/entries.ts'
import { after } from '../actors/topology/states.ts'
import {
  NEXT_GENERATION, createStage, genesis, held, logOf, n1, named, own, replicasOf, tombstone, undone, withVote,
} from './replicaStage.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'
import type { FileError } from '../../storage/fileSystem.ts'
import type { GroupId, ReplicaId, ShardId } from '../../topology/ids.ts'

describe('a replica', () => {
  test('of the genesis opens from what the log holds of it, or from nothing, and asks nothing of the log', () => {
    const stage = createStage({ named: [named(0, 1), named(META_GROUP, 1)], log: [held(0)] })
    expect(replicasOf(stage)).toEqual([own(1), own(1)])
    expect(logOf(stage, 0)).toMatchObject({ term: 4, lastIndex: 2 })
    expect(logOf(stage, META_GROUP)).toMatchObject({ term: 0, lastIndex: 0 })
    expect([stage.host.all().length, stage.host.meta()?.id, stage.wal(), stage.isOpened()]).toEqual([1, own(1), [], true])
  })

  test('that was adopted in an earlier life opens from what the log holds of it', () => {
    const stage = createStage({ named: [named(0, 7)], log: [held(0, { generation: 7, isRemoved: false })] })
    expect(logOf(stage, 0)).toMatchObject({ term: 4, lastIndex: 2 })
    expect(stage.wal()).toEqual([])
  })

  test('that had begun and said nothing before its node crashed opens when the files of an earlier one are gone', () => {
    const begun: RecoveredGroup = { ...tombstone(0, 2), replica: { generation: 2, isRemoved: false } }
    const stage = createStage({ named: [named(0, 2)], log: [begun] })
    expect([stage.wal(), stage.clearing(), replicasOf(stage), stage.isOpened()]).toEqual([[], [0], [], false])
    stage.cleared()
    expect([replicasOf(stage), stage.isOpened()]).toEqual([[own(2)], true])
  })

  test('opens from a snapshot with the members that it carries', () => {
    const configuration = { epoch: 9, voters: [own(1), replicaId(nodeId('n2'), 4)], outgoing: [], learners: [own(6)] }
    const stage = createStage({
      named: [named(0, 1)], log: [{ ...held(0), snapshot: { index: 5, term: 4 }, entries: [] }],
      files: { good: [{ group: 0, index: 5, term: 4, configuration, totalBytes: 10 }], damaged: [] },
    })
    expect(stage.host.memberOf(0)?.raft.status().configuration).toEqual(configuration)
  })

  test('that a move adds opens when its beginning is on disk and the files of an earlier one are gone', () => {
    const stage = createStage({})
    stage.learn(named(1, 5))
    expect([stage.wal(), replicasOf(stage), stage.clearing()]).toEqual([['adopt 1 n1:5'], [], []])
    stage.written()
    expect([replicasOf(stage), stage.clearing()]).toEqual([[], [1]])
    stage.cleared()
    expect(replicasOf(stage)).toEqual([own(5)])
    expect(logOf(stage, 1)).toMatchObject({ term: 0, lastIndex: 0 })
  })

  test('is opened once, however often the map is learned while it begins', () => {
    const stage = createStage({})
    stage.learn(named(1, 5))
    stage.learn(named(1, 5), named(0, 6))
    expect(stage.wal()).toEqual(['adopt 1 n1:5', 'adopt 0 n1:6'])
  })

  test('that a newer map names no longer ends, and its files go once the tombstone is on disk', () => {
    const stage = createStage({ named: [named(0, 1), named(1, 1)], log: [held(0), held(1)] })
    stage.learn(named(1, 1))
    expect([stage.wal(), replicasOf(stage), stage.ended, stage.clearing()]).toEqual([['retire 0 n1:1'], [own(1)], [0], []])
    stage.written()
    expect(stage.clearing()).toEqual([0])
    stage.cleared()
    expect([stage.host.isEmpty(), replicasOf(stage)]).toEqual([false, [own(1)]])
    stage.learn()
    stage.written()
    expect(stage.host.isEmpty()).toBe(false)
    stage.cleared()
    expect(stage.host.isEmpty()).toBe(true)
  })

  test('that the map takes away while it begins ends as soon as it has begun', () => {
    const stage = createStage({})
    stage.learn(named(1, 5))
    stage.learn()
    expect(stage.wal()).toEqual(['adopt 1 n1:5'])
    stage.written()
    stage.cleared()
    expect(stage.wal()).toEqual(['adopt 1 n1:5', 'retire 1 n1:5'])
    expect(replicasOf(stage)).toEqual([])
  })

  test('that is written to as another of its node is writes its snapshots at other times', () => {
    const stage = createStage({ named: [named(0, 1), named(1, 1)] })
    const bigWrite = put('k', 'v'.repeat(100_000))
    for (let index = 1; index <= 45; index += 1) {
      const before = stage.snapshotted.length
      for (const { actor } of stage.host.all()) actor.send({ type: 'raft.committed', entries: [batchEntry(index, 1, [bigWrite])] })
      expect(stage.snapshotted.length - before).toBeLessThan(2)
    }
    expect(new Set(stage.snapshotted)).toEqual(new Set([0, 1]))
  })

  test('is not made by a message', () => {
    const stage = createStage({ named: [named(0, 1)] })
    expect([stage.host.memberOf(1), stage.host.of(1 as ShardId)]).toEqual([undefined, undefined])
    stage.learn(named(0, 1))
    expect([replicasOf(stage), stage.wal()]).toEqual([[own(1)], []])
  })

  test('on a node whose log is damaged is opened as the log has it, quarantined: it may have been here before', () => {
    const stage = createStage({ named: [named(0, 1), named(1, 5)], damagedNode: 'segment 3 is unreadable' })
    expect(stage.wal()).toEqual([])
    expect(logOf(stage, 0).quarantined).toContain('segment 3')
    expect(logOf(stage, 1).quarantined).toContain('segment 3')
  })

  test('that is new since the node with the damaged log started begins there: it can not have been here before', () => {
    const stage = createStage({ named: [named(0, 1)], damagedNode: 'segment 3 is unreadable' })
    stage.learn(named(0, 1), named(0, NEXT_GENERATION))
    expect(stage.wal()).toEqual(['retire 0 n1:1'])
    stage.written()
    stage.cleared()
    expect(stage.wal()).toEqual(['retire 0 n1:1', `adopt 0 n1:${NEXT_GENERATION}`])
    stage.written()
    stage.cleared()
    expect([replicasOf(stage), logOf(stage, 0).quarantined, stage.host.damaged()])
      .toEqual([[own(NEXT_GENERATION)], undefined, [{ group: 0, id: own(1) }]])
    // Not while the one that was damaged may have to be looked at: until its replacement has its vote.
    expect(stage.isReplaced()).toBe(false)
    stage.learn(withVote(0, NEXT_GENERATION))
    expect(stage.isReplaced()).toBe(true)
  })

  test('where log and map were damaged together, begins only if it was ordered after the map was read anew', () => {
    const stage = createStage({ named: [named(0, 1)], damagedNode: 'segment 3 is unreadable', isMapLost: true })
    // It may have been begun in an earlier life, and have voted: the map that would tell is lost.
    stage.learn(named(0, 1), named(0, NEXT_GENERATION))
    expect([stage.wal(), stage.host.asksWhatIsNew()]).toEqual([['retire 0 n1:1'], true])
    stage.written()
    stage.cleared()
    expect([replicasOf(stage), stage.host.damaged()])
      .toEqual([[own(NEXT_GENERATION)], [NEXT_GENERATION, 1].map((generation) => ({ group: 0, id: own(generation) }))])
    stage.read({ ...adoptGenesis(genesis), nextGeneration: NEXT_GENERATION + 1 })
    expect(stage.host.asksWhatIsNew()).toBe(false)
    stage.learn(named(0, NEXT_GENERATION), named(0, NEXT_GENERATION + 1))
    stage.written()
    stage.cleared()
    expect(stage.wal().slice(1)).toEqual([`retire 0 n1:${NEXT_GENERATION}`, `adopt 0 n1:${NEXT_GENERATION + 1}`])
    stage.written()
    stage.cleared()
    expect([replicasOf(stage), stage.host.damaged()]).toEqual([[own(NEXT_GENERATION + 1)], [{ group: 0, id: own(NEXT_GENERATION) }]])
  })

  test('that has a vote and is not in the log was lost with it: it is quarantined, and does not begin again', () => {
    const stage = createStage({ named: [withVote(0, 9)], log: [held(0, { generation: 2, isRemoved: false })] })
    expect([stage.wal(), stage.host.damaged()]).toEqual([[], [{ group: 0, id: own(9) }]])
    expect(logOf(stage, 0)).toMatchObject({ lastIndex: 0, quarantined: expect.stringContaining('n1:9') })
  })

  test('that the map promotes had caught up: where the log is an old copy it is quarantined, and does not begin again', () => {
    const namedIn = createNamed(genesis)
    const adding = after(adoptGenesis(genesis), { kind: 'beginMove', group: 0 as ShardId, add: n1, remove: own(1), isPlanned: true })
    const promoting = after(adding, { kind: 'promote', move: 1 })
    const begun = createStage({ named: namedIn(adding), log: [tombstone(0, 1)] })
    expect(begun.wal()).toContain('adopt 0 n1:2')
    const stage = createStage({ named: namedIn(promoting), log: [tombstone(0, 1)] })
    expect(stage.wal()).toEqual([])
    expect(stage.host.damaged()).toEqual([2, 1].map((generation) => ({ group: 0, id: own(generation) })))
    stage.learn(...namedIn(after(promoting, { kind: 'cancel', move: 1 }, { kind: 'finish', move: 1, result: 'moved' },
      { kind: 'beginMove', group: 0 as ShardId, add: n1, remove: own(2), isPlanned: true })))
    expect(stage.wal()).toEqual(['retire 0 n1:2'])
    stage.written()
    stage.cleared()
    expect(stage.wal()).toEqual(['retire 0 n1:2', 'adopt 0 n1:3'])
  })

  test('whose move is undone does not begin, unless the undoing came too late: then it was here, and is quarantined', () => {
    const stage = createStage({ named: [undone(0, 9)], log: [tombstone(0, 2)] })
    expect([stage.wal(), replicasOf(stage), stage.host.damaged(), stage.isOpened()]).toEqual([[], [], [], true])
    stage.learn(withVote(0, 9))
    expect([stage.wal(), stage.host.damaged()]).toEqual([[], [{ group: 0, id: own(9) }]])
  })

  test('whose move is undone goes on until the map names it no longer, where the log has it', () => {
    const stage = createStage({ named: [undone(0, 9)], log: [held(0, { generation: 9, isRemoved: false })] })
    expect([replicasOf(stage), logOf(stage, 0).lastIndex, stage.host.damaged()]).toEqual([[own(9)], 2, []])
    stage.learn()
    expect(stage.wal()).toEqual(['retire 0 n1:9'])
  })

  test('whose files can not be removed opens all the same: no start of it builds on what is left of the one before it', () => {
    const stage = createStage({})
    stage.learn(named(1, 5))
    stage.written()
    stage.cleared(Object.assign(new Error('EPERM'), { code: 'EPERM' }) as FileError)
    expect([stage.failures, replicasOf(stage)]).toEqual([[], [own(5)]])
    stage.learn()
    stage.written()
    stage.cleared(Object.assign(new Error('EPERM'), { code: 'EPERM' }) as FileError)
    expect([stage.failures, stage.host.isEmpty()]).toEqual([[], true])
  })
})

test('a newer replica of a group ends the one before it, and begins from nothing once both are on disk', () => {
  const stage = createStage({ named: [named(0, 2)], log: [held(0, { generation: 2, isRemoved: false })] })
  expect(logOf(stage, 0).lastIndex).toBe(2)
  stage.learn(named(0, 9))
  expect(stage.wal()).toEqual(['retire 0 n1:2'])
  stage.written()
  stage.cleared()
  expect([stage.wal(), replicasOf(stage)]).toEqual([['retire 0 n1:2', 'adopt 0 n1:9'], []])
  stage.written()
  stage.cleared()
  expect([replicasOf(stage), logOf(stage, 0)]).toEqual([[own(9)], { term: 0, lastIndex: 0, quarantined: undefined }])
})

describe('a quarantined replica', () => {
  const ill = (group: GroupId): RecoveredGroup => ({ ...held(group), quarantined: 'the record of entry 2 is damaged' })

  test('is told of, and makes room for the one that is ordered in its place, though no map was learned yet', () => {
    const stage = createStage({ named: [named(0, 1), named(0, 7), named(1, 1)], log: [ill(0), held(1)] })
    expect([stage.wal(), replicasOf(stage)]).toEqual([['retire 0 n1:1'], [own(1)]])
    stage.written()
    stage.cleared()
    expect(stage.wal()).toEqual(['retire 0 n1:1', 'adopt 0 n1:7'])
    stage.written()
    stage.cleared()
    expect([replicasOf(stage), logOf(stage, 0)]).toEqual([[own(7), own(1)], { term: 0, lastIndex: 0, quarantined: undefined }])
  })

  test('says that it has gone, all the while that another is in its place, until the map names it no longer', () => {
    const stage = createStage({ named: [named(0, 1), named(0, 7)], log: [ill(0)] })
    const steps: readonly (() => void)[] = [stage.written, stage.cleared, stage.written, stage.cleared]
    for (const step of [() => {}, ...steps]) {
      step()
      expect([stage.wal().at(-1), stage.host.damaged()]).toEqual([expect.anything(), [{ group: 0, id: own(1) }]])
    }
    stage.learn(named(0, 1), undone(0, 7))
    expect(stage.host.damaged()).toEqual([{ group: 0, id: own(1) }])
    stage.learn(named(0, 7))
    expect([replicasOf(stage), stage.host.damaged()]).toEqual([[own(7)], []])
  })

  test('stays while nothing takes its place', () => {
    const stage = createStage({ named: [named(0, 1)], log: [ill(0)] })
    stage.learn(named(0, 1))
    expect([stage.wal(), stage.host.damaged(), replicasOf(stage)]).toEqual([[], [{ group: 0, id: own(1) }], [own(1)]])
  })

  test('does not come back when its replacement is cancelled: it has gone, and says so', () => {
    const stage = createStage({ named: [named(0, 1), named(0, 7)], log: [ill(0)] })
    for (let step = 0; step < 2; step += 1) {
      stage.written()
      stage.cleared()
    }
    stage.learn(named(0, 1))
    stage.written()
    stage.cleared()
    expect([stage.wal().at(-1), replicasOf(stage), stage.host.damaged()]).toEqual(['retire 0 n1:7', [], [{ group: 0, id: own(1) }]])
    stage.learn(named(0, 1), named(0, 8))
    expect(stage.wal().at(-1)).toBe('adopt 0 n1:8')
  })

  test('whose place was taken before its node crashed is not opened again: the one that was ordered begins', () => {
    const stage = createStage({ named: [named(0, 1), named(0, 7)], log: [tombstone(0, 1)] })
    expect(stage.wal()).toEqual(['adopt 0 n1:7'])
  })
})

test('a newer replica than the log holds begins from nothing: what is there is of another. The node does not wait for it', () => {
  const stage = createStage({ named: [named(0, 9), named(1, 1)], log: [held(0, { generation: 2, isRemoved: false })] })
  expect([stage.wal(), replicasOf(stage), stage.isOpened()]).toEqual([['adopt 0 n1:9'], [own(1)], true])
  stage.written()
  stage.cleared()
  expect(logOf(stage, 0)).toEqual({ term: 0, lastIndex: 0, quarantined: undefined })
})

describe('a disk that stands still', () => {
  const everybody = [named(0, 1), named(META_GROUP, 1)]

  test('is told by the replicas of every group, the meta group\'s among them, and by those that open meanwhile', () => {
    const stage = createStage({ named: everybody })
    stage.host.noteStalled(true)
    stage.learn(...everybody, named(1, 5))
    stage.written()
    stage.cleared()
    expect([0, 1, META_GROUP].map(stage.saysStalled)).toEqual([true, true, true])
    stage.host.noteStalled(false)
    expect([0, 1, META_GROUP].map(stage.saysStalled)).toEqual([false, false, false])
  })

  test('because it is full is told by those that open meanwhile, too, until there is room again', () => {
    const stage = createStage({ named: everybody })
    stage.host.onWalNotice({ type: 'wal.spaceChanged', full: true })
    stage.learn(...everybody, named(1, 5))
    stage.written()
    stage.cleared()
    expect([0, 1, META_GROUP].map(stage.saysStalled)).toEqual([true, true, true])
    stage.host.onWalNotice({ type: 'wal.spaceChanged', full: false })
    expect([0, 1, META_GROUP].map(stage.saysStalled)).toEqual([false, false, false])
  })
})

describe('an old map', () => {
  test('brings no replica back that has left a tombstone, nor an older one', () => {
    const stage = createStage({
      named: [named(0, 3), named(1, 2), named(META_GROUP, 1)],
      log: [tombstone(0, 3), held(1, { generation: 4, isRemoved: false }), tombstone(META_GROUP, 2)],
    })
    expect([replicasOf(stage), stage.wal(), stage.isOpened()]).toEqual([[], [], true])
  })

  test('does not keep a newer replica than the tombstone from beginning', () => {
    const stage = createStage({ named: [named(0, 4)], log: [tombstone(0, 3)] })
    expect(stage.wal().map((line) => generationOf(line.split(' ')[2] as ReplicaId))).toEqual([4])
  })
})

test('what the log holds and the map does not name stays until a map was learned, and ends then', () => {
  const log = [held(0), held(1, { generation: 3, isRemoved: false }), tombstone(META_GROUP, 2)]
  const stage = createStage({ named: [named(0, 1)], log })
  expect([stage.wal(), stage.isOpened()]).toEqual([[], true])
  stage.learn(named(0, 1))
  expect(stage.wal()).toEqual(['retire 1 n1:3'])
  stage.written()
  stage.cleared()
  expect([replicasOf(stage), stage.wal().length]).toEqual([[own(1)], 1])
})

test('what the log holds stays under a map that is older than it, and opens when a newer one names it', () => {
  const log = [held(0), held(1, { generation: 3, isRemoved: false })]
  const stage = createStage({ named: [named(0, 1)], log, isMapLost: true })
  stage.learnOld(3, named(0, 1))
  expect(stage.wal()).toEqual([])
  stage.learn(named(0, 1), withVote(1, 3))
  expect([stage.wal(), replicasOf(stage)]).toEqual([[], [own(1), own(3)]])
  expect(logOf(stage, 1)).toEqual({ term: 4, lastIndex: 2, quarantined: undefined })
})

describe('a replica that is well, and was ordered away', () => {
  const given = { named: [withVote(0, 1), named(0, 7)], log: [held(0)] }

  /** It could not be read at one start, was to be replaced, and is whole at the next, which is told no newer map than it has. */
  test('makes room once the map that its node starts with is known for the newest, and stays until then', () => {
    const stage = createStage(given)
    expect([stage.wal(), stage.host.asksWhatIsNew()]).toEqual([[], true])
    stage.confirm()
    expect([stage.wal(), stage.host.asksWhatIsNew()]).toEqual([['retire 0 n1:1'], false])
    stage.written()
    stage.cleared()
    expect(stage.wal()).toEqual(['retire 0 n1:1', 'adopt 0 n1:7'])
  })

  test('stays as long as its group has no majority without it, and is asked about again', () => {
    const stage = createStage(given)
    stage.confirm(false)
    expect([stage.wal(), stage.host.asksWhatIsNew()]).toEqual([[], true])
    stage.confirm()
    expect([stage.wal(), stage.host.asksWhatIsNew()]).toEqual([['retire 0 n1:1'], false])
  })

  test('stays under a map that is learned and may be old: it was ordered back since', () => {
    const stage = createStage({ named: [withVote(0, 1)], log: [held(0)] })
    expect(stage.host.asksWhatIsNew()).toBe(false)
    stage.confirm()
    stage.learn(...given.named)
    expect([stage.wal(), stage.host.asksWhatIsNew()]).toEqual([[], true])
    stage.learn(withVote(0, 1))
    stage.confirm()
    expect([stage.wal(), replicasOf(stage), stage.host.asksWhatIsNew()]).toEqual([[], [own(1)], false])
  })

  test('stays while what was ordered in its place is being undone, however new the map is, and though it halts in this life', () => {
    const undoing = [withVote(0, 1), undone(0, 7)]
    const stage = createStage({ named: [withVote(0, 1)], log: [held(0)] })
    stage.learn(...undoing)
    stage.confirm()
    expect([stage.wal(), replicasOf(stage), stage.host.asksWhatIsNew()]).toEqual([[], [own(1)], false])
    const halted = createStage({ named: undoing, log: [{ ...held(0), quarantined: 'no good snapshot' }] })
    halted.confirm()
    expect([halted.wal(), halted.host.damaged()]).toEqual([[], [{ group: 0, id: own(1) }]])
    halted.learn(withVote(0, 1), named(0, 8))
    expect(halted.wal()).toEqual(['retire 0 n1:1'])
  })
})

test('an answer of the log to something else, or after the end, changes nothing', () => {
  const stage = createStage({})
  stage.learn(named(1, 5))
  stage.host.onWalNotice({ type: 'wal.adopted', group: 1, ticket: 99 })
  stage.host.onWalNotice({ type: 'wal.retired', group: 1, ticket: 1 })
  expect(stage.clearing()).toEqual([])
  stage.host.stop()
  stage.written()
  expect(stage.clearing()).toEqual([1])
  stage.cleared()
  expect(replicasOf(stage)).toEqual([])
})

/**
 * Story: 1. A node that joined later loses its map and a part of its log. 2. It starts from the genesis, which names nothing here, takes
 * that for "all is replaced", and the log frees what is damaged. 3. It starts once more: its log is sound, and what has lost
 * acknowledged entries votes.
 */
test('with its map lost no damage is called replaced before a map that is new enough is in force', () => {
  const stage = createStage({ named: [], isMapLost: true, damagedNode: 'segment 1: its header is damaged' })
  expect(stage.isReplaced()).toBe(false)
  stage.learnOld(3)
  stage.read({ ...adoptGenesis(genesis), nextGeneration: NEXT_GENERATION })
  expect(stage.isReplaced()).toBe(false)
  stage.learn()
  expect(stage.isReplaced()).toBe(true)
})

/** Story: the tombstone is durable, the process ends before the files have gone. Nothing looked for them ever again. */
test('files of a replica that has left its tombstone go at the next start, once a map was learned that does not name it', () => {
  const stage = createStage({ named: [named(1, 1)], log: [tombstone(0, 3)] })
  expect(stage.clearing()).toEqual([])
  stage.learn(named(1, 1))
  expect([stage.clearing(), stage.wal(), stage.host.isEmpty()]).toEqual([[0], [], false])
  stage.cleared()
  stage.learn(named(1, 1))
  expect([stage.clearing(), stage.wal(), replicasOf(stage)]).toEqual([[], [], [own(1)]])
  stage.learn(named(1, 1), named(0, 4))
  expect(stage.wal()).toEqual(['adopt 0 n1:4'])
})

test('what a node has to let go of goes without a newer map, once the one it starts with is known for the newest', () => {
  const log = [held(0), held(1, { generation: 3, isRemoved: false }), tombstone(META_GROUP, 2)]
  const stage = createStage({ named: [named(0, 1)], log })
  expect([stage.wal(), stage.clearing(), stage.host.asksWhatIsNew()]).toEqual([[], [], true])
  stage.confirm()
  expect([stage.wal(), stage.clearing(), stage.host.asksWhatIsNew()]).toEqual([['retire 1 n1:3'], [META_GROUP], false])
  expect(createStage({ named: [named(0, 1)], log: [held(0)] }).host.asksWhatIsNew()).toBe(false)
})

test('files stay where a damaged log may have lost that a newer replica was begun, or an old map does not know', () => {
  const harmed = createStage({ named: [], log: [tombstone(0, 3)], damagedNode: 'segment 1: its header is damaged' })
  harmed.learn()
  expect(harmed.clearing()).toEqual([])
  const early = createStage({ named: [], log: [tombstone(0, 3)], isMapLost: true })
  early.learnOld(3)
  expect(early.clearing()).toEqual([])
  early.learn()
  expect(early.clearing()).toEqual([0])
})
