/**
 * Leadership that moves on purpose: drains, and the way back to the preferred leader. Source: etcd-io/raft raft_test.go
 * (TestLeaderTransfer...). Names are theirs, words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'

/** What `shardkv stop` does: the process hands over and ends; the supervisor starts it again. */
const drain = (machine: Machine): void => {
  machine.mayExit = 'drain'
  machine.node?.drain()
}

/** TestLeaderTransferToUpToDateNode. */
test('a leader that is drained hands over before it ends: one term, and no election timeout in between', () => {
  const story = tellStory(801)
  const old = story.settledLeader()
  const { term } = story.report(old)
  const { lives } = old
  drain(old)
  const startedAt = story.simulation.timeline.now()
  expect(story.report(story.leaderBut(old)).term).toBe(term + 1)
  expect(story.simulation.timeline.now() - startedAt).toBeLessThan(1_500)
  story.until('it has ended and lives again', () => old.lives > lives)
  story.put('k', 'after')
  story.end()
})

/** TestLeaderTransferToSlowFollower: the one that is behind is not asked. */
test('a drained leader hands over to the follower that has everything, not to the one that lags', () => {
  const story = tellStory(802)
  const old = story.settledLeader()
  const [slow, good] = story.followers()
  must(slow, 'slow').disk.stallUntil(story.simulation.timeline.now() + 20_000)
  story.putMany('k', 10)
  drain(old)
  const startedAt = story.simulation.timeline.now()
  expect(story.leaderBut(old)).toBe(must(good, 'good'))
  expect(story.simulation.timeline.now() - startedAt).toBeLessThan(1_500)
  expect(story.get('k9')).toBe('9')
  story.end()
})

/** TestLeaderTransferTimeout: nobody to hand over to. */
test('a leader that is drained while nobody can follow it ends all the same, and nothing is lost', () => {
  const story = tellStory(803)
  story.put('k', 'before')
  const old = story.settledLeader()
  const { lives } = old
  story.isolate(old)
  drain(old)
  story.until('it has ended and lives again', () => old.lives > lives, 12_000)
  story.heal()
  expect(story.get('k')).toBe('before')
  story.end()
})

/** TestLeaderTransferBack; a rolling restart as an operator does it. */
test('all members are drained one after the other under load, and every increment counts once', () => {
  const story = tellStory(804)
  story.settledLeader()
  let added = 0
  for (const machine of story.nodes) {
    const { lives } = machine
    drain(machine)
    story.until('it lives again', () => {
      story.insist('incr', 'n', '1', { 'Kv-Request-Id': `add${added}` })
      added += 1
      return machine.lives > lives && machine.node?.state() === 'serving'
    })
  }
  expect(story.get('n')).toBe(String(added))
  story.end()
})

/** TestLeaderTransferIgnoreProposal: what arrives during the hand-over is refused for certain, or happens. */
test('requests that meet a hand-over either happen or certainly do not', () => {
  const story = tellStory(805)
  const old = story.settledLeader()
  drain(old)
  const sent = Array.from({ length: 30 }, (_, i) => {
    story.run(10)
    return { i, pending: story.send('put', `k${i}`, 'v') }
  })
  story.until('all are answered', () => sent.every(({ pending }) => pending.answer() !== null))
  for (const { i, pending } of sent) {
    const answer = pending.answer()
    let found = ''
    story.until('it can be read', () => {
      found = story.request('get', `k${i}`).status
      return found === 'OK' || found === 'NOT_FOUND'
    })
    if (answer?.status === 'OK') expect(found).toBe('OK')
    else if (answer?.definite === true) expect(found).toBe('NOT_FOUND')
  }
  expect(sent.filter(({ pending }) => pending.answer()?.status === 'OK').length).toBeGreaterThan(5)
  story.end()
})

/** topology/leadership.ts: towards the preferred leader while all is well. */
test('a leader that was away and comes back gets its leadership again, and no write is lost on either way', () => {
  const story = tellStory(806)
  story.put('k', 'before')
  story.run(15_000)
  const preferred = story.leader()
  story.losePower(preferred)
  story.leaderBut(preferred)
  story.put('k', 'meanwhile')
  story.start(preferred)
  story.until('it leads again', () => story.leader() === preferred, 60_000)
  expect(story.get('k')).toBe('meanwhile')
  story.end()
})

/** TestLeaderTransferToNonExistingNode, TestTransferNonMember: a target that dies in between. */
test('when the successor dies during the hand-over, the third member leads', () => {
  const story = tellStory(807, { nodes: 5, replicationFactor: 5 })
  story.put('k', 'before')
  const old = story.settledLeader()
  drain(old)
  const next = story.leaderBut(old)
  story.losePower(next)
  const last = story.leaderBut(next)
  expect(last).not.toBe(next)
  expect(story.get('k')).toBe('before')
  story.end()
})
