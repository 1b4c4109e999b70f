/**
 * Followers that are too far behind for the log. Sources: TigerBeetle's replica_test.zig ("Cluster: sync: ..."), etcd-io/raft
 * raft_test.go and testdata. Names are theirs, words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { harm } from '../../../sim/atlas.ts'
import { tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

/** The log is kept only as far as the newest snapshot, and snapshots travel in small pieces. */
const small = { snapshotLogBytes: 4_096, raftLimits: { tailEntriesMax: 0, tailBytesMax: 0, chunkBytesMax: 512 } }

const someFollower = (story: Story): Machine => must(story.followers()[0], 'there is a follower')
const hasAll = (story: Story, machine: Machine): boolean => story.revision(machine) === story.revision(story.leader())

/** slow_follower_after_compaction.txt; docs/TESTING.md T23. */
test.each([
  ['by appends', 100 * 1_024 * 1_024],
  ['by a snapshot', 16 * 1_024],
])('on a broker with a small payload a follower that was away catches up %s', (_how, snapshotLogBytes) => {
  const story = tellStory(8, { maxPayloadBytes: 64 * 1_024, snapshotLogBytes, raftLimits: { tailEntriesMax: 0, tailBytesMax: 0 } })
  story.put('k', 'before')
  story.isolate(someFollower(story))
  for (let i = 0; i < 20; i += 1) story.insist('put', `k${i}`, `${i}`.repeat(9_000))
  story.heal()
  story.end()
})

/** "Cluster: sync: partition, lag, sync (transition from idle)"; snapshot_succeed_via_app_resp.txt. */
test('a follower that comes back to an idle cluster catches up without another write', () => {
  const story = tellStory(402, small)
  story.put('k', 'before')
  const away = someFollower(story)
  story.isolate(away)
  story.putMany('k', 100, 100)
  story.run(2_000)
  story.heal()
  story.until('it has them', () => hasAll(story, away))
  story.end()
})

/** "Cluster: sync: sync, bump target, sync". */
test('a follower that is cut off while it receives a snapshot takes a newer one later', () => {
  const story = tellStory(403, small)
  const away = someFollower(story)
  story.isolate(away)
  story.putMany('k', 100, 200)
  story.heal()
  story.run(130)
  story.isolate(away)
  story.putMany('more', 100, 200)
  story.heal()
  story.until('it has them', () => hasAll(story, away))
  story.losePower(story.leader())
  expect([story.get('k99'), story.get('more99')].map(Number.parseFloat)).toEqual([99, 99])
  story.end()
})

/** docs/TESTING.md T8: the old one is kept until the new one is verified. */
test('a follower that loses power while it receives a snapshot starts from what it had, and catches up', () => {
  const story = tellStory(404, small)
  story.putMany('early', 30, 100)
  const away = someFollower(story)
  story.isolate(away)
  story.putMany('k', 100, 200)
  story.heal()
  for (const ms of [105, 120, 140, 170]) {
    story.run(ms)
    story.losePower(away)
    story.start(away)
  }
  story.until('it has them', () => hasAll(story, away))
  story.end()
})

/** TestSlowNodeRestore; the sender of a snapshot dies. */
test('a leader that dies while it sends a snapshot is succeeded by one that sends its own', () => {
  const story = tellStory(405, { ...small, nodes: 5, replicationFactor: 5 })
  const away = someFollower(story)
  story.isolate(away)
  story.putMany('k', 100, 200)
  story.heal()
  story.run(130)
  const old = story.leader()
  story.losePower(old)
  story.leaderBut(old)
  story.until('it has them', () => hasAll(story, away))
  story.end()
})

/** TestRestoreIgnoreSnapshot: whoever has more than the snapshot keeps it. */
test('snapshots while everybody is up to date change nothing for anybody', () => {
  const story = tellStory(406, { ...small, network: { loss: 0, duplication: 0.5, delayMsMean: 5, reorderMsMax: 1_000 } })
  story.putMany('k', 150, 100)
  for (let i = 0; i < 150; i += 25) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
  story.end()
})

/** docs/TESTING.md T10, planted bug M14: what was remembered must be in the snapshot. */
test('a repeated request is recognised by a leader that knows the first only from a snapshot', () => {
  const story = tellStory(407, small)
  story.settledLeader()
  const away = someFollower(story)
  story.isolate(away)
  const first = story.insist('incr', 'n', '5', { 'Kv-Request-Id': 'once' })
  story.putMany('k', 100, 100)
  story.heal()
  story.until('it has them', () => hasAll(story, away))
  const old = story.leader()
  const third = must(story.nodes.find((one) => one !== old && one !== away), 'there are three')
  story.isolate(third)
  story.putMany('last', 1)
  story.until('it has that too', () => hasAll(story, away))
  story.losePower(old)
  story.heal()
  expect(story.leaderBut(old)).toBe(away)
  const second = story.insist('incr', 'n', '5', { 'Kv-Request-Id': 'once' })
  expect([second.value, second.revision]).toEqual([first.value, first.revision])
  story.end()
})

/** "Cluster: sync: R=4, 2/4 ahead + idle, 2/4 lagging, sync", with a group of five. */
test('two that lag and two that are ahead: the laggards catch up together while nobody writes', () => {
  const story = tellStory(408, { ...small, nodes: 5, replicationFactor: 5 })
  const [a, b] = story.followers()
  story.losePower(must(a, 'a'), must(b, 'b'))
  story.putMany('k', 100, 100)
  story.start(must(a, 'a'), must(b, 'b'))
  story.end()
  expect(new Set(story.nodes.map((one) => story.report(one).revision)).size).toBe(1)
})

/** "Cluster: repair: primary checkpoint, backup crash before checkpoint, primary prepare". */
test('a member that dies while it writes its own snapshot starts from the one before', () => {
  const story = tellStory(409, small)
  const victim = someFollower(story)
  for (let life = 0; life < 5; life += 1) {
    story.putMany(`k${life}-`, 25, 150)
    story.losePower(victim)
    story.start(victim)
    story.until('it is back', () => victim.node?.state() === 'serving')
  }
  story.until('it has all', () => hasAll(story, victim))
  story.end()
})

/** Its shard is written faster than a snapshot travels: three newer ones are stored before the first has arrived. */
test('a follower that needs a snapshot catches up while everybody writes', () => {
  const raftLimits = { ...small.raftLimits, chunksInFlightMax: 1 }
  const story = tellStory(410, { ...small, raftLimits, network: { loss: 0, duplication: 0, delayMsMean: 10, reorderMsMax: 0 } })
  story.settledLeader()
  const away = someFollower(story)
  story.isolate(away)
  for (let i = 0; i < 60; i += 1) story.insist('put', `k${i}`, 'v'.repeat(600))
  story.heal()
  const isNear = (): boolean => story.revision(story.leader()) - story.revision(away) < 5
  let writes = 0
  while (!isNear() && writes < 200) story.insist('put', `k${writes += 1}`, 'w'.repeat(600))
  expect(isNear()).toBe(true)
  story.end()
})

/** A transfer that was given up was spoken of no more: its file and its descriptor stayed as long as the process. */
test('transfers that are given up one after the other leave no file behind', () => {
  const raftLimits = { ...small.raftLimits, chunksInFlightMax: 1, transferLogBytesMax: 1_000 }
  const network = { loss: 0, duplication: 0, delayMsMean: 10, reorderMsMax: 0 }
  const story = tellStory(4714, { ...small, snapshotLogBytes: 20_000, segmentBytes: 65_536, raftLimits, network })
  story.putMany('k', 40, 500)
  const away = someFollower(story)
  const receives = (): string[] => [...away.disk.copy().files.keys()].filter((path) => path.endsWith('.receive'))
  story.isolate(away)
  story.putMany('k', 80, 500)
  const seen = new Set<string>()
  for (let attempt = 0; attempt < 3; attempt += 1) {
    story.heal()
    story.until('a transfer begins', () => receives().some((path) => !seen.has(path)))
    for (const path of receives()) seen.add(path)
    expect(receives()).toHaveLength(1)
    story.sever(story.leader(), away)
    // More than the state weighs: a newer snapshot takes the place of the one that is being sent.
    story.putMany('k', 80, 500)
    story.putMany('k', 80, 500)
    story.run(2_500)
  }
  story.heal()
  story.until('it has them', () => hasAll(story, away))
  expect(receives()).toEqual([])
  story.end()
})

type Rot = 'flipBit' | 'cutShort'

/** A bit of the leader's newest snapshot of shard 0 turns over while it leads, or its end is gone. */
const rotNewest = (story: Story, leader: Machine, rot: Rot): void => {
  const newest = (): readonly [string, Uint8Array] => must([...leader.disk.copy().files]
    .filter(([path]) => path.startsWith('snapshots/0/') && path.endsWith('.snap')).sort().at(-1), 'a snapshot')
  const [path, before] = newest()
  harm(leader, story.simulation.watch.newestMap(), path)
  while (Buffer.from(newest()[1]).equals(Buffer.from(before))) leader.disk[rot]('snapshot')
  expect(newest()[0]).toBe(path)
}

/** docs/TESTING.md T8. The same file was sent again and again, and its leader called itself well. */
test.each<[string, number, Rot]>([
  ['while nobody writes', 0, 'flipBit'], ['while everybody writes', 20, 'flipBit'], ['cut short while nobody writes', 0, 'cutShort'],
])('a snapshot that rots under its living leader is written anew and sent: %s', (_when, writes, rot) => {
  const raftLimits = { ...small.raftLimits, chunkBytesMax: 1_024 }
  const story = tellStory(4715, { ...small, snapshotLogBytes: 20_000, segmentBytes: 65_536, raftLimits })
  story.putMany('k', 40, 500)
  const leader = story.settledLeader()
  const away = someFollower(story)
  story.isolate(away)
  story.putMany('k', 80, 500)
  story.run(1_000)
  rotNewest(story, leader, rot)
  story.heal()
  for (let i = 0; i < writes; i += 1) story.putMany(`w${i}-`, 10, 500)
  let wasSuspect = false
  story.until('it is there', () => {
    wasSuspect ||= story.report(leader).health === 'suspect'
    return hasAll(story, away)
  }, 20_000)
  // Where everybody writes it may have a newer one before anybody looks.
  expect(wasSuspect || writes > 0).toBe(true)
  expect([story.leader().id, story.report(leader).health]).toEqual([leader.id, undefined])
  story.end()
})
