/**
 * Reads are never stale. Sources: etcd-io/raft raft_test.go (TestReadOnly...), etcd issues, docs/TESTING.md T1 to T3.
 * Words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { calmDisk } from '../../../sim/options.ts'
import { tellStory } from '../story.ts'

const patient = { 'Kv-Timeout-Ms': '30000' }

/** docs/TESTING.md T1; Redis-Raft issue 19, dqlite issue 258. */
test('a deposed leader answers no read, and its successor shows the newest write', () => {
  const story = tellStory(1)
  story.put('k', 'old')
  const old = story.settledLeader()
  story.isolate(old)
  const stale = story.send('get', 'k')
  story.leaderBut(old)
  story.put('k', 'new')
  story.run(3_000)
  expect([null, 'timeout']).toContain(stale.answer()?.status ?? null)
  expect(story.get('k')).toBe('new')
  story.end()
})

/** TestReadOnlyForNewLeader. */
test('a new leader shows what its predecessor acknowledged last, from its very first read', () => {
  const story = tellStory(302)
  for (let i = 0; i < 5; i += 1) {
    const leader = story.leader()
    story.put('k', `v${i}`)
    story.kill(leader)
    expect(story.insist('get', 'k').value).toBe(`v${i}`)
    story.start(leader)
  }
  story.end()
})

/** docs/TESTING.md T2; etcd issue 20418: an answer to an earlier round must not confirm a later read. */
test('confirmations that were on their way for eight seconds confirm nothing', () => {
  const story = tellStory(303)
  story.put('k', 'old')
  const old = story.settledLeader()
  for (const follower of story.followers()) story.holdBack(follower, old, 8_000)
  const read = story.send('get', 'k', '', patient)
  story.leaderBut(old)
  story.put('k', 'new')
  story.run(10_000)
  expect(read.answer()?.value ?? 'new').not.toBe('old')
  expect(story.get('k')).toBe('new')
  story.end()
})

/**
 * docs/TESTING.md T2. Between the two reads there is no heartbeat, so that the answers which are under way are to the very round before the
 * second; and the next leader needs no timeout, so that all of it happens before the old one gives up.
 */
test('answers that were under way before another leader committed confirm no read that came after', () => {
  const story = tellStory(308, { raftTiming: { heartbeatTicks: 5, quietHeartbeatTicks: 5, electionTicksMin: 10, electionTicksMax: 20 } })
  story.put('k', 'old')
  const old = story.settledLeader()
  const heir = must(story.followers()[0], 'there is a follower')
  for (const follower of story.followers()) story.holdBack(follower, old, 400)
  const first = story.send('get', 'k', '', patient)
  story.run(20)
  story.handOver(old, heir)
  story.leaderBut(old)
  story.put('k', 'new')
  const second = story.send('get', 'k', '', patient)
  story.run(50)
  expect([first.answer(), second.answer()?.value, story.report(old).role]).toEqual([null, 'new', 'leader'])
  story.run(1_000)
  expect(first.answer()?.value).toBe('old')
  story.end()
})

/** docs/TESTING.md T3: a lease that outlived a pause. */
test('a leader that was stopped answers no lease read of its backlog with what has changed meanwhile', () => {
  const story = tellStory(304)
  story.put('k', 'old')
  const old = story.settledLeader()
  story.pause(old)
  const reads = Array.from({ length: 5 }, () => story.send('get', 'k', '', { ...patient, 'Kv-Consistency': 'lease' }))
  story.leaderBut(old)
  story.put('k', 'new')
  story.resume(old)
  story.run(3_000)
  expect(reads.filter((read) => read.answer()?.value === 'old')).toEqual([])
  story.end()
})

/** docs/TESTING.md T3: wall clocks are nobody's business. */
test('wall clocks that jump by an hour, each another way, make no lease read stale', () => {
  const story = tellStory(305)
  story.put('k', 'old')
  const old = story.settledLeader()
  story.nodes.forEach((one, i) => { one.wallOffsetMs = [-3_600_000, 3_600_000, 0][i] ?? 0 })
  story.isolate(old)
  story.leaderBut(old)
  story.put('k', 'new')
  const reads = Array.from({ length: 5 }, () => story.request('get', 'k', '', { 'Kv-Consistency': 'lease' }))
  expect(reads.filter(({ value }) => value === 'old')).toEqual([])
  story.heal()
  expect(story.get('k')).toBe('new')
  story.end()
})

/** TestReadOnlyOptionSafe; a read at a minority. */
test('a minority answers no read at all, while the majority answers each', () => {
  const story = tellStory(306, { nodes: 5, replicationFactor: 5 })
  story.put('k', 'old')
  const old = story.settledLeader()
  const friend = story.followers()[0]
  if (friend === undefined) throw new Error('five have followers')
  story.isolate(old, friend)
  const reads = Array.from({ length: 10 }, () => story.send('get', 'k'))
  story.leaderBut(old, friend)
  story.put('k', 'new')
  story.run(2_500)
  expect(reads.filter((read) => read.answer()?.value === 'old').length).toBe(0)
  expect(story.get('k')).toBe('new')
  story.end()
})

/** On a slow disk the followers know an entry long before they know that it has committed. */
test('reads that follow an acknowledged write see it, however slow the disks are', () => {
  const story = tellStory(307, { disk: { ...calmDisk, syncMsMean: 20 } })
  story.settledLeader()
  for (let i = 0; i < 10; i += 1) {
    const write = story.send('put', 'k', String(i))
    story.until('it is acknowledged', () => write.answer() !== null)
    const reads = Array.from({ length: 3 }, () => story.send('get', 'k'))
    story.until('all are answered', () => reads.every((read) => read.answer() !== null))
    expect(reads.map((read) => read.answer()?.value)).toEqual([String(i), String(i), String(i)])
  }
  story.end()
})
