/** Worlds and timelines: the same state whether records are followed one by one or jumped to; pictures, health and history made of them. */

import { describe, expect, test } from '@jest/globals'
import { happeningsOf } from '../../../observe/page/happenings.ts'
import { healthOf } from '../../../observe/page/health.ts'
import { lanesOf } from '../../../observe/page/lanes.ts'
import { pictureOf } from '../../../observe/page/picture.ts'
import { createTimeline, densityOf } from '../../../observe/page/timeline.ts'
import { applyActors, applyRecord, createWorld } from '../../../observe/page/world.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'

let seq = 0
const record = (at: number, node: string, more: Partial<ActorRecord>): ActorRecord => {
  seq += 1
  return { at, seq, node, actor: 'raft/0', kind: 'state', event: 'follower', ...more }
}

const state = (at: number, node: string, event: string, term: number): ActorRecord => record(at, node, { event, term, shard: 0 })

const verdict = (at: number, by: string, peer: string, is: string): ActorRecord =>
  record(at, by, { actor: 'gossip', kind: 'note', event: `${peer} is ${is}`, peer, detail: { is } })

/** n1 leads, dies, and n2 is elected in the next term. */
const failover = (): ActorRecord[] => [
  state(10, 'n1', 'leader.serving', 1), state(11, 'n2', 'follower', 1), state(12, 'n3', 'follower', 1),
  verdict(1_000, 'n2', 'n1', 'suspect'),
  state(1_100, 'n2', 'preCandidate', 1), state(1_120, 'n2', 'candidate', 2), state(1_150, 'n3', 'follower', 2),
  state(1_200, 'n2', 'leader.serving', 2),
  record(1_201, 'n2', { kind: 'note', event: 'serves as leader of shard 0', term: 2, shard: 0 }),
  verdict(3_000, 'n3', 'n1', 'dead'),
]

const after = (records: readonly ActorRecord[]) => {
  const world = createWorld()
  for (const one of records) applyRecord(world, one)
  return world
}

describe('a world', () => {
  test('a leader of an older term is none, once another is elected', () => {
    const [before, then] = [failover().slice(0, 3), failover().slice(0, 8)].map((records) => pictureOf(after(records), null).shards[0])
    expect(before).toMatchObject({ leader: 'n1', term: 1 })
    expect(then).toMatchObject({ leader: 'n2', term: 2 })
  })

  test('a shard whose only leader is dead has none, and health says which', () => {
    const picture = pictureOf(after([...failover().slice(0, 3), verdict(2_000, 'n3', 'n1', 'dead')]), null)
    expect(picture.shards[0]).toMatchObject({ leader: null, isLeaderless: true })
    expect(picture.nodes.find(({ node }) => node === 'n1')).toMatchObject({ condition: 'dead', leads: 0 })
    const health = healthOf(picture, null)
    expect(health.level).toBe('bad')
    expect(health.reasons[0]?.text).toContain('Shard 0 has no leader')
    expect(health.reasons.some(({ text }) => text.startsWith('n1 is held for dead'))).toBe(true)
  })

  test('a recording that begins after the election shows the leader as soon as it is seen to lead, none as leaderless before', () => {
    const late = [state(500, 'n2', 'follower', 7), record(501, 'n3', { actor: 'node', event: 'serving' })]
    expect(pictureOf(after(late), null).shards[0]).toMatchObject({ leader: null, isLeaderless: false })
    const followed = record(600, 'n2', { kind: 'note', event: 'follows n3', peer: 'n3', term: 7, shard: 0 })
    expect(pictureOf(after([...late, followed]), null).shards[0]).toMatchObject({ leader: 'n3', term: 7 })
    const proposed = record(600, 'n3', { actor: 'shard/0', kind: 'batch', event: 'proposal', term: 7, shard: 0 })
    expect(pictureOf(after([...late, proposed]), null).shards[0]).toMatchObject({ leader: 'n3' })
    const stale = record(700, 'n1', { kind: 'note', event: 'follows n1', peer: 'n1', term: 6, shard: 0 })
    expect(pictureOf(after([...late, proposed, stale]), null).shards[0]).toMatchObject({ leader: 'n3' })
  })

  test('all is well, and says so, while every shard is led', () => {
    expect(healthOf(pictureOf(after(failover().slice(0, 3)), null), null)).toMatchObject({ level: 'good', reasons: [] })
  })

  test('a node that starts again has only the actors that it starts', () => {
    const world = after([...failover(), record(4_000, 'n1', { actor: 'node', event: 'booting' })])
    expect([...world.actors.keys()].filter((key) => key.startsWith('n1 '))).toEqual(['n1 node'])
    expect(pictureOf(world, null).nodes.find(({ node }) => node === 'n1')).toMatchObject({ condition: 'starting' })
  })

  test('an answer does not undo what was heard since', () => {
    const world = after(failover())
    const old = { actor: 'raft/0', machine: 'raft', state: 'follower', since: 11, counters: { term: 1 } }
    applyActors(world, [{ node: 'n2', at: 900, actors: [old], operations: [] }])
    expect(world.actors.get('n2 raft/0')).toMatchObject({ state: 'leader.serving', term: 2 })
  })

  test('an answer ends what it does not name; one that leaves some out ends sessions alone', () => {
    const world = after([...failover(), record(1_300, 'n2', { actor: 'connection/ab', event: 'open' })])
    applyActors(world, [{ node: 'n2', at: 5_000, actors: [], operations: [], shortened: { actors: 2 } }])
    expect([...world.actors.keys()].filter((key) => key.startsWith('n2'))).toEqual(['n2 raft/0'])
    applyActors(world, [{ node: 'n2', at: 5_001, actors: [], operations: [] }])
    expect([...world.actors.keys()].filter((key) => key.startsWith('n2'))).toEqual([])
  })
})

describe('a timeline', () => {
  /** Long enough for several checkpoints. */
  const long = Array.from({ length: 7_001 }, (_, i) =>
    state(1_000 + i, `n${(i % 3) + 1}`, ['follower', 'candidate', 'leader.serving'][(i * 7) % 5 % 3] ?? '', Math.floor(i / 9)))

  test('a jump shows what following would have shown', () => {
    const timeline = createTimeline(long)
    for (const count of [0, 1, 1_999, 2_000, 2_001, 5_500, long.length]) {
      expect(timeline.worldAfter(count)).toEqual(after(long.slice(0, count)))
    }
  })

  test('a moment has the records up to it, and records of several nodes are put in order', () => {
    const timeline = createTimeline(failover().toReversed())
    expect(timeline.records.map(({ at }) => at)).toEqual(failover().map(({ at }) => at))
    expect([9, 10, 1_000, 1_199, 9_999].map(timeline.countAt)).toEqual([0, 1, 4, 7, 10])
  })

  test('every record is in one stretch of the strip', () => {
    const bins = densityOf(createTimeline(failover()), 7)
    expect(bins.reduce((sum, { all }) => sum + all, 0)).toBe(10)
  })
})

describe('history', () => {
  test('an election is told once, by its winner, with the reason for which it stood', () => {
    const records = failover().map((one) => (one.event === 'preCandidate' ? { ...one, detail: { reason: 'no leader is heard' } } : one))
    const told = happeningsOf(records, []).filter(({ topic }) => topic === 'elections')
    expect(told).toEqual([{ at: 1_201, topic: 'elections', who: 'n2', what: 'leads shard 0 in term 2: no leader is heard' }])
  })

  test('elections that a node wins together are one line', () => {
    const win = (at: number, shard: number): ActorRecord =>
      record(at, 'n2', { actor: `raft/${shard}`, kind: 'note', event: `serves as leader of shard ${shard}`, term: 2, shard })
    expect(happeningsOf([win(100, 3), win(150, 1), win(9_000, 2)], []).map(({ what }) => what))
      .toEqual(['leads shard 2 in term 2', 'leads shards 1, 3 in term 2'])
  })
})

describe('swim lanes', () => {
  test('a band ends where the next begins, and what began before is cut at the edge', () => {
    const lanes = lanesOf(failover(), { actor: 'raft/0', from: 500, to: 2_000, now: [] })
    expect(lanes.find(({ node }) => node === 'n2')?.bands.map(({ from, to, state: what, term }) => [from, to, what, term])).toEqual([
      [500, 1_100, 'follower', 1], [1_100, 1_120, 'preCandidate', 1], [1_120, 1_200, 'candidate', 2], [1_200, 2_000, 'leader.serving', 2],
    ])
    expect(lanes.map(({ node }) => node)).toEqual(['n1', 'n2', 'n3'])
  })

  test('a member that goes on following in the next term is in that term', () => {
    const follows = record(1_000, 'n3', { kind: 'note', event: 'follows n2', peer: 'n2', term: 2, shard: 0 })
    const bandsOf = (now: number) => lanesOf([state(12, 'n3', 'follower', 0), follows], {
      actor: 'raft/0', from: 500, to: 2_000, now: [{ node: 'n3', state: 'follower', since: 12, term: now }],
    })[0]?.bands.map(({ from, to, term }) => [from, to, term])
    expect(bandsOf(2)).toEqual([[500, 1_000, 0], [1_000, 2_000, 2]])
    expect(bandsOf(3)).toEqual([[500, 1_000, 0], [1_000, 2_000, 3]])
  })

  test('a member without a recorded change is shown as it is', () => {
    const now = [{ node: 'n9', state: 'follower', since: 5, term: 3 }]
    expect(lanesOf([], { actor: 'raft/0', from: 500, to: 900, now })[0]?.bands).toEqual([
      { from: 500, to: 900, state: 'follower', term: 3, because: '' },
    ])
  })
})
