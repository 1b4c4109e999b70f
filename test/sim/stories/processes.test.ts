/**
 * Processes that stop, sleep and die. Sources: docs/TESTING.md T21, T26; Jepsen's pause nemesis; etcd issue 15247 (a leader that slept
 * and still thought it led revoked leases). Words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { tellStory } from '../story.ts'

const patient = { 'Kv-Timeout-Ms': '30000' }

/** docs/TESTING.md T21, reproduced on a broker by us. */
test('a leader that was stopped for ten seconds wakes to its backlog and executes none of it', () => {
  const story = tellStory(3)
  story.put('n', '0')
  const old = story.leader()
  story.pause(old)
  const backlog = Array.from({ length: 5 }, () => story.send('incr', 'n'))
  story.run(10_000)
  const before = Number(story.get('n'))
  story.resume(old)
  story.run(5_000)
  expect(Number(story.get('n'))).toBe(before)
  expect(backlog.filter((pending) => pending.answer()?.status === 'OK').length).toBe(before)
  story.end()
})

/** docs/TESTING.md T26: what depends on the state is decided where it is applied. */
test('a leader that slept refuses nobody for a state that is no longer true', () => {
  const story = tellStory(902)
  const first = story.insist('put', 'k', 'old')
  const old = story.settledLeader()
  story.pause(old)
  const next = story.leaderBut(old)
  const second = story.insist('put', 'k', 'new', { 'Kv-If-Revision': String(first.revision) })
  const waiting = story.send('put', 'k', 'newer', { ...patient, 'Kv-If-Revision': String(second.revision) })
  story.resume(old)
  story.run(5_000)
  expect(waiting.answer()?.status).not.toBe('CONFLICT')
  expect(next).not.toBe(old)
  story.end()
})

/** etcd issue 15247: there it was the disk; issue 12528: the CPU. */
test.each(['its process', 'its disk'])('a leader that slept for a minute (%s) expires nothing by what it knew before', (what) => {
  const story = tellStory(903)
  story.insist('put', 'k', 'short', { 'Kv-Ttl-Ms': '20000' })
  const old = story.settledLeader()
  if (what === 'its process') story.pause(old)
  else old.disk.stallUntil(story.simulation.timeline.now() + 60_000)
  story.run(10_000)
  story.insist('touch', 'k', '', { 'Kv-Ttl-Ms': '600000' })
  story.run(50_000)
  story.resume(old)
  story.run(3_000)
  expect(story.get('k')).toBe('short')
  story.end()
})

/** An event loop that blocks just too short for an election. */
test('pauses shorter than an election timeout cost nobody its leadership', () => {
  const story = tellStory(904)
  const leader = story.settledLeader()
  const { term } = story.report(leader)
  for (let i = 0; i < 10; i += 1) {
    story.pause(leader)
    story.run(300)
    story.resume(leader)
    story.put('k', String(i))
  }
  expect([story.leader(), story.report(leader).term]).toEqual([leader, term])
  story.end()
})

/** Jepsen: pause a minority for half a minute. */
test('a sleeping minority costs no acknowledgement, and wakes to everything', () => {
  const story = tellStory(905, { nodes: 5, replicationFactor: 5 })
  story.settledLeader()
  const sleepers = story.followers().slice(0, 2)
  story.pause(...sleepers)
  story.putMany('k', 30)
  story.run(20_000)
  story.resume(...sleepers)
  story.until('they have them', () => sleepers.every((one) => story.revision(one) === story.revision(story.leader())))
  story.end()
})

/** All at once, as when a laptop sleeps. */
test('everybody sleeps for an hour at once, and goes on as if nothing had been', () => {
  const story = tellStory(906)
  story.put('k', 'before')
  story.pause(...story.nodes)
  story.run(3_600_000)
  story.resume(...story.nodes)
  story.put('k', 'after')
  expect(story.get('k')).toBe('after')
  story.end()
})

/** Kill, rolling. */
test('a member is killed every second for half a minute, each in turn, and every increment counts once', () => {
  const story = tellStory(907)
  for (let i = 0; i < 24; i += 1) {
    const victim = must(story.nodes[i % 3], 'there are three')
    story.kill(victim)
    story.insist('incr', 'n', '1', { 'Kv-Request-Id': `add${i}` })
    story.start(victim)
    story.until('it is back', () => victim.node?.state() === 'serving')
  }
  expect(story.get('n')).toBe('24')
  story.end()
})

/** A crash loop at the worst moment: right after the start. */
test('a member that dies again and again before it has started harms nobody and catches up in the end', () => {
  const story = tellStory(908)
  story.put('k', 'before')
  const victim = must(story.followers()[0], 'there is a follower')
  for (let ms = 0; ms < 60; ms += 4) {
    story.losePower(victim)
    story.start(victim)
    story.run(ms)
  }
  story.put('k', 'after')
  story.end()
  expect(story.revision(victim)).toBe(story.revision(story.leader()))
})

/** docs/TESTING.md T13; docs/GUARANTEES.md: every queue has a limit. */
test('a burst above every limit is refused with the time to wait, and the shard lives on', () => {
  const story = tellStory(909)
  story.settledLeader()
  const burst = Array.from({ length: 2_000 }, (_, i) => story.send('put', `k${i % 10}`, 'x'.repeat(20_000)))
  story.until('all are answered', () => burst.every((each) => each.answer() !== null))
  const statuses = new Set(burst.map((each) => each.answer()?.status))
  expect(statuses).toContain('OVERLOADED')
  story.put('k', 'after')
  story.end()
})

/** docs/TESTING.md T14, and a route between brokers that stalls: topology/twinCheck.ts. */
test('what an earlier life of its node said late stops nobody', () => {
  const story = tellStory(910)
  const { simulation: { cluster } } = story
  const leader = story.settledLeader()
  const route = cluster.broker.connect({ name: 'route' })
  const held: { readonly subject: string, readonly data: Uint8Array }[] = []
  const subscription = route.subscribe(`skv.*.map.all.${leader.id}`, ({ subject, data }) => held.push({ subject, data: data.slice() }))
  story.run(3_000)
  subscription.unsubscribe()
  story.kill(leader)
  story.start(leader)
  story.until('it serves', () => leader.node?.state() === 'serving')
  for (const { subject, data } of held) {
    route.publish(subject, data)
    story.run(500)
  }
  expect([held.length >= 3, leader.node?.state()]).toEqual([true, 'serving'])
  story.put('k', 'after')
  story.end()
})
