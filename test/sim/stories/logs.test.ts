/**
 * What becomes of entries: replaced, committed late, delivered twice or out of order. Sources: etcd-io/raft raft_test.go, TigerBeetle's
 * replica_test.zig, etcd's robustness track record (issue numbers). Names are theirs, words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { calmDisk } from '../../../sim/options.ts'
import { memberOf, tellStory } from '../story.ts'

const noTail = { raftLimits: { tailEntriesMax: 0, tailBytesMax: 0 } }

/** TestLeaderElectionOverwriteNewerLogs; docs/TESTING.md T21, T26. */
test('what only a deposed leader has is replaced, and nobody ever heard OK for it', () => {
  const story = tellStory(201)
  story.put('k', 'before')
  const old = story.settledLeader()
  story.isolate(old)
  const lost = Array.from({ length: 5 }, (_, i) => story.send('put', 'lost', String(i)))
  story.leaderBut(old)
  story.put('kept', 'yes')
  story.run(3_000)
  story.heal()
  story.run(3_000)
  expect(lost.filter((each) => each.answer()?.status === 'OK')).toEqual([])
  expect(story.request('get', 'lost').status).toBe('NOT_FOUND')
  expect(story.get('kept')).toBe('yes')
  story.end()
})

/** TestCommitWithoutNewTermEntry, TestCannotCommitWithoutNewTermEntry. */
test('an entry of an earlier term commits with the first entry of the next, without a new write', () => {
  const story = tellStory(202)
  story.put('k', 'before')
  const old = story.settledLeader()
  story.deafen(old)
  const pending = story.send('put', 'k', 'everywhere')
  story.run(100)
  expect(pending.answer()).toBe(null)
  story.losePower(old)
  expect(story.get('k')).toBe('everywhere')
  story.end()
})

/**
 * docs/TESTING.md T5; etcd-io/raft rawnode.go. The disk of one is so slow that it answers for an entry of the first leader when the second
 * has put another in its place, and a third leads.
 */
test('an answer of the disk that comes two terms late says nothing of the entry that stands there by then', () => {
  const story = tellStory(206, { nodes: 5, replicationFactor: 5, disk: { ...calmDisk, syncMsMean: 20 } })
  story.put('k', 'before')
  const old = story.settledLeader()
  const slow = must(story.followers()[0], 'there is a follower')
  const stalledUntil = story.simulation.timeline.now() + 10_000
  const statusOf = () => memberOf(slow).raft.status()
  story.isolate(old, slow)
  slow.disk.stallUntil(stalledUntil)
  const lost = story.send('put', 'lost', '1')
  story.until('it has the entry', () => statusOf().lastIndex > statusOf().durableIndex)
  const { durableIndex, term } = statusOf()
  const second = story.leaderBut(old)
  story.put('k', 'after')
  story.heal()
  story.isolate(old)
  story.until('another stands there', () => statusOf().lastTerm > term)
  story.handOver(second, must(story.followers().find((machine) => machine !== slow && machine !== old), 'an heir'))
  story.until('it follows a third leader', () => statusOf().term > term + 1)
  expect([story.simulation.timeline.now() < stalledUntil, statusOf().durableIndex]).toEqual([true, durableIndex])
  const backlogOf = (): number => must(slow.node?.parts(), 'it runs').wal.backlogBytes()
  const backlog = backlogOf()
  story.until('its disk answers', () => backlogOf() < backlog)
  story.losePower(slow)
  story.start(slow)
  story.run(3_000)
  expect(lost.answer()?.status).not.toBe('OK')
  expect(story.get('k')).toBe('after')
  story.end()
})

/** TestOldMessages, TestStepIgnoreOldTermMsg. */
test('messages of an old leader that arrive a term late change nothing', () => {
  const story = tellStory(203)
  story.put('k', 'before')
  const old = story.settledLeader()
  for (const follower of story.followers()) story.holdBack(old, follower, 8_000)
  for (let i = 0; i < 5; i += 1) story.send('put', 'late', String(i))
  story.leaderBut(old)
  story.put('k', 'after')
  const { term } = story.report(story.leader())
  story.run(8_000)
  expect(story.report(story.leader()).term - term).toBeLessThanOrEqual(1)
  expect(story.request('get', 'late').status).toBe('NOT_FOUND')
  expect(story.get('k')).toBe('after')
  story.end()
})

/** TestLogReplicationWithReorderedMessage; docs/TESTING.md T11. */
test('a network that doubles and reorders every second message neither loses nor repeats an increment', () => {
  const story = tellStory(204, { network: { loss: 0.05, duplication: 0.5, delayMsMean: 10, reorderMsMax: 500 } })
  for (let i = 0; i < 40; i += 1) story.insist('incr', 'n', '1', { 'Kv-Request-Id': `add${i}` })
  expect(story.get('n')).toBe('40')
  story.end()
})

/** "Cluster: repair: partition 2-1, then backup fast-forward 1 checkpoint". */
test('a follower that was away while many snapshots were made catches up from the log that is still kept', () => {
  const story = tellStory(205, { snapshotLogBytes: 2_048 })
  story.put('k', 'before')
  const away = must(story.followers()[0], 'there is a follower')
  story.isolate(away)
  story.putMany('k', 60, 100)
  story.heal()
  story.until('it has them', () => story.report(away).revision === story.report(story.leader()).revision)
  story.end()
})

/** "Cluster: repair: ack committed prepare". */
test('a write whose leader died right after the OK is there, although no follower had heard that it was committed', () => {
  const story = tellStory(206)
  for (let i = 0; i < 5; i += 1) {
    story.put('k', String(i))
    const leader = story.leader()
    story.losePower(leader)
    expect(story.get('k')).toBe(String(i))
    story.start(leader)
  }
  story.end()
})

/** etcd issue 13766: revisions must not part when a member crashes under high load. */
test('a member that is killed under load again and again has the revisions of the others', () => {
  const story = tellStory(207, { snapshotLogBytes: 4_096 })
  const victim = must(story.followers()[0], 'there is a follower')
  for (let life = 0; life < 6; life += 1) {
    for (let i = 0; i < 15; i += 1) story.send('incr', `n${i % 3}`)
    story.run(20 + life * 7)
    story.kill(victim)
    for (let i = 0; i < 15; i += 1) story.send('incr', `n${i % 3}`)
    story.run(200)
    story.start(victim)
    story.run(1_500)
  }
  story.end()
  const [first, ...others] = story.nodes.map((one) => story.report(one).revision)
  expect(others).toEqual([first, first])
  expect(first).toBe(180)
})

/** TestProposalByProxy; docs/SUBJECTS.md: how it works on a broker without the mapping. */
test('on a broker that maps nothing, any node forwards to the leader, through a change of leaders too', () => {
  const story = tellStory(208, { isMapped: false })
  story.put('k', 'before')
  const old = story.leader()
  story.losePower(old)
  story.put('k', 'after')
  expect(story.get('k')).toBe('after')
  story.start(old)
  story.end()
})

/** "Cluster: network: partition 2-1" twice: the second minority is not the first. */
test('two followers that are away in turn leave no hole behind them', () => {
  const story = tellStory(209, noTail)
  story.put('k', 'before')
  const [a, b] = story.followers()
  story.isolate(must(a, 'a'))
  story.putMany('x', 30)
  story.heal()
  story.isolate(must(b, 'b'))
  story.putMany('y', 30)
  story.heal()
  story.losePower(story.leader())
  for (let i = 0; i < 30; i += 1) expect([story.get(`x${i}`), story.get(`y${i}`)]).toEqual([String(i), String(i)])
  story.end()
})
