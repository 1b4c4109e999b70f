/**
 * Disks that forget, lie, fill, stall and decay. Sources: TigerBeetle's replica_test.zig ("Cluster: recovery: ..."), etcd issue 14370,
 * docs/TESTING.md T4 to T8, T16, T17, T24. Names are theirs, words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { calmDisk } from '../../../sim/options.ts'
import { shardId } from '../../../topology/ids.ts'
import { putBackOldCopy, tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const one = { nodes: 1, replicationFactor: 1 }
/** A sync takes longer than a round trip: what is answered too early is lost with the power. */
const slow = { disk: { ...calmDisk, syncMsMean: 20 } }
const smallSegments = { segmentBytes: 12 * 1_024, snapshotLogBytes: 1_024 * 1_024 }

const isQuarantined = (machine: Machine): boolean =>
  machine.node?.report().replicas.some(({ quarantined }) => quarantined !== undefined) === true

/** docs/TESTING.md T4; TiKV issue 994. */
test('all members lose power at once, with everything unsynced: what was acknowledged is there', () => {
  const story = tellStory(2, slow)
  story.putMany('k', 20)
  story.losePower(...story.nodes)
  story.start(...story.nodes)
  for (let i = 0; i < 20; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
  story.end()
})

/** etcd issue 14370: a cluster of one lost an acknowledged write. docs/TESTING.md T4. */
test('a cluster of one that loses power right after an OK has the write', () => {
  const story = tellStory(502, { ...one, ...slow })
  for (let i = 0; i < 8; i += 1) {
    story.put('k', String(i))
    story.losePower(...story.nodes)
    story.start(...story.nodes)
    expect(story.get('k')).toBe(String(i))
  }
  story.end()
})

/** "Cluster: recovery: WAL prepare corruption (R=1, corrupt between checkpoint and head)". */
test('a cluster of one whose log is damaged serves nothing rather than less than it acknowledged', () => {
  const story = tellStory(503, { ...one, ...smallSegments })
  story.putMany('k', 60, 200)
  const [only] = story.nodes
  const machine = must(only, 'there is one')
  story.kill(machine)
  story.damage(machine, 'log')
  story.start(machine)
  story.until('it says so', () => isQuarantined(machine))
  story.run(5_000)
  const answers = Array.from({ length: 10 }, (_, i) => story.request('get', `k${i}`))
  expect(answers.filter(({ status }) => status === 'OK' || status === 'NOT_FOUND')).toEqual([])
})

/** "Cluster: view-change: DVC, 1+1/2 faulty header stall, 2+1/3 faulty header succeed"; docs/TESTING.md T24. */
test('a damaged member does not complete a quorum; with the third one everything is there again', () => {
  const story = tellStory(504, smallSegments)
  story.putMany('k', 10, 200)
  const [late, damaged] = story.followers()
  const third = story.leader()
  story.losePower(must(late, 'late'))
  story.putMany('k', 60, 200)
  story.kill(must(damaged, 'damaged'), third)
  story.damage(must(damaged, 'damaged'), 'log')
  story.start(must(late, 'late'), must(damaged, 'damaged'))
  story.run(10_000)
  expect([story.report(must(late, 'late')).role, story.request('get', 'k59').status]).not.toContain('leader')
  story.start(third)
  for (let i = 0; i < 60; i += 1) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
  story.end()
})

/** "Cluster: view-change: DVC, 2/3 faulty header stall"; "... (R=3, corrupt left of head, 3/3 corrupt)". */
test('when two of three logs are damaged the cluster stands still: it shows nothing that is less than what it acknowledged', () => {
  const story = tellStory(505, smallSegments)
  story.putMany('k', 60, 200)
  const victims = story.followers()
  story.kill(...story.nodes)
  for (const victim of victims) story.damage(victim, 'log')
  story.start(...story.nodes)
  story.until('both say so', () => victims.every((victim) => isQuarantined(victim)))
  story.run(5_000)
  const answers = Array.from({ length: 10 }, (_, i) => story.request('get', `k${i * 6}`))
  expect(answers.filter(({ status }) => status === 'OK' || status === 'NOT_FOUND')).toEqual([])
})

/** "Cluster: recovery: WAL prepare corruption (R=3, corrupt right of head)". docs/TESTING.md T7. */
test('a minority with damaged logs costs nothing but the damaged member', () => {
  const story = tellStory(6, smallSegments)
  for (let i = 0; i < 60; i += 1) story.put(`k${i % 7}`, `v${i}`)
  const victim = must(story.followers()[0], 'there is a follower')
  story.kill(victim)
  story.damage(victim, 'log')
  story.start(victim)
  story.until('it is quarantined', () => isQuarantined(victim))
  for (let i = 53; i < 60; i += 1) expect(story.get(`k${i % 7}`)).toBe(`v${i}`)
  story.put('k', 'still')
})

/** docs/TESTING.md T7: a torn tail is no damage. NATS issue 7549. */
test('torn pages of what was never synced are cut off, and nobody is quarantined for them', () => {
  const story = tellStory(507, { disk: { ...calmDisk, syncMsMean: 10, torn: 1 } })
  const tornBytes = (): number => story.simulation.trace.lines()
    .reduce((sum, line) => sum + Number(/log recovered .*tornBytes=(\d+)/.exec(line)?.[1] ?? 0), 0)
  for (let i = 0; i < 8; i += 1) {
    story.insist('incr', 'n', '1', { 'Kv-Request-Id': `add${i}` })
    for (let j = 0; j < 10; j += 1) story.send('put', `junk${j}`, 'x'.repeat(3_000))
    story.run(4 + i)
    story.losePower(...story.nodes)
    story.start(...story.nodes)
  }
  expect(story.get('n')).toBe('8')
  expect(tornBytes()).toBeGreaterThan(0)
  expect(story.nodes.filter((machine) => isQuarantined(machine))).toEqual([])
  story.end()
})

/** docs/TESTING.md T8; NATS issue 7556. "Cluster: recovery: grid corruption (disjoint)", for one member. */
test('a damaged snapshot is not believed: its member has everything from elsewhere, or says that it has not', () => {
  const story = tellStory(508, { snapshotLogBytes: 4_096, raftLimits: { tailEntriesMax: 0, tailBytesMax: 0 } })
  story.putMany('k', 80, 200)
  const victim = must(story.followers()[0], 'there is a follower')
  story.kill(victim)
  story.damage(victim, 'snapshot')
  story.start(victim)
  story.put('k', 'after')
  story.until('it stands', () => isQuarantined(victim) || story.revision(victim) === story.revision(story.leader()))
  for (let i = 0; i < 80; i += 1) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
  story.run(1_000)
  expect(isQuarantined(victim) || story.contents(victim) === story.contents(story.leader())).toBe(true)
})

/** docs/TESTING.md T14. */
test('an old data directory that is put back is quarantined, and nothing is lost', () => {
  const story = tellStory(5)
  const victim = putBackOldCopy(story)
  story.until('it is quarantined', () => isQuarantined(victim))
  expect(story.get('k')).toBe('new9')
})

/** docs/TESTING.md T24; CTRL (FAST'18). */
test('a quarantined member stays out when it is restarted, and lends its vote to nobody', () => {
  const story = tellStory(510, smallSegments)
  story.putMany('k', 60, 200)
  const victim = must(story.followers()[0], 'there is a follower')
  story.kill(victim)
  story.damage(victim, 'log')
  story.start(victim)
  story.until('it is quarantined', () => isQuarantined(victim))
  story.kill(victim)
  story.start(victim)
  story.until('it still is', () => isQuarantined(victim))
  story.losePower(must(story.followers().find((machine) => machine !== victim), 'there is another'))
  story.run(5_000)
  expect(['timeout', 'noResponders', 'NO_QUORUM']).toContain(story.request('put', 'k', 'with one vote').status)
})

/** The node's log is handed what none of its callers may: an assertion ends the process. */
const breakDown = ({ node }: Machine): void =>
  must(node?.parts(), 'it runs').wal.send({ type: 'wal.retire', group: shardId(0), generation: -1, ticket: 0 })

test('a node that ends by a failure is excused neither by damage of long ago, nor by a drain, nor by a sync that was to fail', () => {
  for (const mayExit of ['', 'drain', 'syncError']) {
    const story = tellStory(520, smallSegments)
    story.putMany('k', 60, 200)
    const victim = must(story.followers()[0], 'there is a follower')
    story.kill(victim)
    story.damage(victim, 'log')
    story.start(victim)
    story.until('it is quarantined', () => isQuarantined(victim))
    victim.mayExit = mayExit
    breakDown(victim)
    expect(() => story.run(1_000)).toThrow('nodes end only when they must')
  }
})

/** docs/TESTING.md T16. */
test('a full disk refuses writes, serves reads, and recovers by itself', () => {
  const story = tellStory(4)
  story.put('k', 'before')
  for (const { disk } of story.nodes) disk.fill(0)
  const pending = Array.from({ length: 40 }, (_, i) => story.send('put', 'big', 'x'.repeat(4_000) + String(i)))
  story.run(4_000)
  expect(pending.some((each) => each.answer()?.status === 'NO_SPACE')).toBe(true)
  expect(story.get('k')).toBe('before')
  for (const { disk } of story.nodes) disk.makeRoom()
  expect(story.insist('put', 'k', 'after').status).toBe('OK')
  story.end()
})

/**
 * Found by the story above under another seed: the leader moved its leadership to the preferred leader, whose voters could not
 * write their votes, since these wait behind the entries that had no room. Nobody led until somebody made room, so nobody could read.
 */
test('a leader whose voters have full disks does not give its leadership away, and reads go on', () => {
  const story = tellStory(517)
  story.run(15_000)
  const preferred = story.leader()
  story.losePower(preferred)
  const other = story.leaderBut(preferred)
  story.put('k', 'before')
  story.start(preferred)
  story.until('it is back', () => preferred.node?.state() === 'serving')
  const full = story.nodes.filter((one) => one !== preferred)
  for (const { disk } of full) disk.fill(0)
  for (let i = 0; i < 40; i += 1) story.send('put', 'big', 'x'.repeat(4_000) + String(i))
  story.until('two disks are full', () => full.every((one) => one.node?.report().node.diskFull === true))
  for (let second = 0; second < 20; second += 1) {
    story.run(1_000)
    expect(story.request('get', 'k').value).toBe('before')
  }
  expect(story.leader()).toBe(other)
  for (const { disk } of full) disk.makeRoom()
  story.put('k', 'after')
  story.end()
})

/** A follower's next sync fails while the others take a write, which ends its process; the next one serves. */
const putThroughFailedSync = (story: Story): void => {
  const victim = must(story.followers()[0], 'there is a follower')
  const { lives } = victim
  victim.mayExit = 'syncError'
  victim.disk.failNextSync()
  story.put('k', 'after')
  story.until('it has ended and lives again', () => victim.lives === lives + 1 && victim.node?.state() === 'serving')
}

/** docs/TESTING.md T17: fsyncgate. */
test('a failed sync ends the process: it is never tried again, and the others have everything', () => {
  const story = tellStory(512)
  story.put('k', 'before')
  putThroughFailedSync(story)
  expect(story.get('k')).toBe('after')
  story.end()
})

/** docs/TESTING.md T17, where one call writes and syncs. The cache of the process still has what the disk has not. */
test('a failed write that syncs ends the process, and what it had not acknowledged by then is no loss when all lose power', () => {
  const story = tellStory(519, { disk: { ...calmDisk, syncMsMean: 5, hasSyncedWrites: true } })
  story.put('k', 'before')
  putThroughFailedSync(story)
  story.losePower(...story.nodes)
  story.start(...story.nodes)
  expect(story.get('k')).toBe('after')
  story.end()
})

/** docs/TESTING.md T17: the restart is the sync that is tried again. The third member was away; the leader does not come back. */
test('a failed sync, a restart, an acknowledgement, then power lost by both: the acknowledged write is there', () => {
  const story = tellStory(518, slow)
  story.put('k', 'before')
  const leader = story.settledLeader()
  const victim = must(story.followers()[0], 'there is a follower')
  const away = must(story.followers()[1], 'there is another')
  const { lives } = victim
  story.losePower(away)
  victim.mayExit = 'syncError'
  victim.disk.failNextSync()
  story.put('k', 'after')
  expect(victim.lives).toBe(lives + 1)
  story.losePower(leader, victim)
  story.start(victim, away)
  story.leaderBut(leader)
  expect(story.get('k')).toBe('after')
  story.start(leader)
  story.end()
})

/** The slowest disk of three decides nothing. */
test('a follower whose disk stalls for ten seconds holds nobody up', () => {
  const story = tellStory(513)
  const leader = story.settledLeader()
  const { term } = story.report(leader)
  const slow = must(story.followers()[0], 'there is a follower')
  slow.disk.stallUntil(story.simulation.timeline.now() + 10_000)
  const startedAt = story.simulation.timeline.now()
  story.putMany('k', 50)
  expect(story.simulation.timeline.now() - startedAt).toBeLessThan(5_000)
  expect([story.leader(), story.report(leader).term]).toEqual([leader, term])
  story.end()
})

/** The commit stall of actors/raft/checkQuorum.ts. */
test('a leader whose disk stalls for half a minute gives way to one whose disk does not', () => {
  const story = tellStory(514)
  story.put('k', 'before')
  const stuck = story.settledLeader()
  stuck.disk.stallUntil(story.simulation.timeline.now() + 30_000)
  const startedAt = story.simulation.timeline.now()
  story.putMany('k', 5)
  expect(story.simulation.timeline.now() - startedAt).toBeLessThan(15_000)
  story.end()
})

/** Jepsen's kill nemesis on NATS: the page cache lives, the process does not. */
test('all members are killed at once, four times in a row, and count on', () => {
  const story = tellStory(515)
  for (let i = 0; i < 4; i += 1) {
    story.insist('incr', 'n', '1', { 'Kv-Request-Id': `add${i}` })
    story.kill(...story.nodes)
    story.start(...story.nodes)
  }
  expect(story.get('n')).toBe('4')
  story.end()
})

/** Jepsen's NATS schedule: a minority sleeps, one loses its unsynced writes, and these form the majority. NATS issue 7564. */
test('two sleepers and one that lost its unsynced bytes form a majority, and it has every acknowledged write', () => {
  const story = tellStory(516, { ...slow, nodes: 5, replicationFactor: 5 })
  story.put('k', 'before')
  const leader = story.settledLeader()
  const [a, b, c, d] = story.followers()
  story.pause(must(a, 'a'), must(b, 'b'))
  story.putMany('k', 20)
  story.losePower(must(c, 'c'))
  story.isolate(leader, must(d, 'd'))
  story.resume(must(a, 'a'), must(b, 'b'))
  story.start(must(c, 'c'))
  story.leaderBut(leader, must(d, 'd'))
  for (let i = 0; i < 20; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
  story.end()
})
