/** Scenarios: the named ways to lose data or to lie about it, each as a story on real nodes. */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { tellStory } from './story.ts'
import type { Machine } from '../../sim/cluster.ts'

const isServing = ({ node }: Machine): boolean => node?.parts()?.host.all()[0]?.actor.status().serving === true

test('a deposed leader answers no read, and its successor shows the newest write', () => {
  const story = tellStory(1)
  story.insist('put', 'k', 'old')
  const old = story.leader()
  story.isolate(old)
  const stale = story.send('get', 'k')
  story.until('another leads', () => story.nodes.some((machine) => machine !== old && isServing(machine)))
  story.insist('put', 'k', 'new')
  story.run(3_000)
  expect([null, 'timeout']).toContain(stale.answer()?.status ?? null)
  expect(story.insist('get', 'k').value).toBe('new')
  story.end()
})

test('all members lose power at once, with everything unsynced: what was acknowledged is there', () => {
  const story = tellStory(2)
  for (let i = 0; i < 20; i += 1) story.insist('put', `k${i}`, `v${i}`)
  for (const node of story.nodes) story.simulation.cluster.losePower(node)
  for (const node of story.nodes) story.simulation.cluster.start(node)
  for (let i = 0; i < 20; i += 1) expect(story.insist('get', `k${i}`).value).toBe(`v${i}`)
  story.end()
})

test('a leader that was stopped for ten seconds wakes to its backlog and executes none of it', () => {
  const story = tellStory(3)
  story.insist('put', 'n', '0')
  const old = story.leader()
  story.simulation.cluster.pause(old)
  const backlog = Array.from({ length: 5 }, () => story.send('incr', 'n'))
  story.run(10_000)
  const before = Number(story.insist('get', 'n').value)
  story.simulation.cluster.resume(old)
  story.run(5_000)
  expect(Number(story.insist('get', 'n').value)).toBe(before)
  expect(backlog.filter((pending) => pending.answer()?.status === 'OK').length).toBe(before)
  story.end()
})

test('a full disk refuses writes, serves reads, and recovers by itself', () => {
  const story = tellStory(4)
  story.insist('put', 'k', 'before')
  for (const { disk } of story.nodes) disk.fill(0)
  const pending = Array.from({ length: 40 }, (_, i) => story.send('put', 'big', 'x'.repeat(4_000) + String(i)))
  story.run(4_000)
  expect(pending.some((each) => each.answer()?.status === 'NO_SPACE')).toBe(true)
  expect(story.insist('get', 'k').value).toBe('before')
  for (const { disk } of story.nodes) disk.makeRoom()
  expect(story.insist('put', 'k', 'after').status).toBe('OK')
  story.end()
})

test('an old data directory that is put back is quarantined, and nothing is lost', () => {
  const story = tellStory(5)
  story.insist('put', 'k', 'old')
  const victim = must(story.followers()[0], 'there is a follower')
  story.simulation.cluster.losePower(victim)
  const copy = victim.disk.copy()
  story.simulation.cluster.start(victim)
  story.run(3_000)
  for (let i = 0; i < 10; i += 1) story.insist('put', 'k', `new${i}`)
  story.run(1_000)
  story.simulation.cluster.losePower(victim)
  victim.disk.restore(copy)
  victim.isDamaged = true
  story.simulation.cluster.start(victim)
  story.until('it is quarantined', () => victim.node?.parts()?.host.all()[0]?.raft.status().quarantined !== undefined)
  expect(story.insist('get', 'k').value).toBe('new9')
})

test('a minority with damaged logs costs nothing but the damaged member', () => {
  const story = tellStory(6, { segmentBytes: 12 * 1_024 })
  for (let i = 0; i < 60; i += 1) story.insist('put', `k${i % 7}`, `v${i}`)
  const victim = must(story.followers()[0], 'there is a follower')
  story.simulation.cluster.kill(victim)
  victim.isDamaged = true
  victim.mayExit = 'damaged'
  expect(victim.disk.flipBit('log')).not.toBe(null)
  story.simulation.cluster.start(victim)
  story.run(3_000)
  for (let i = 53; i < 60; i += 1) expect(story.insist('get', `k${i % 7}`).value).toBe(`v${i}`)
  expect(story.insist('put', 'k', 'still').status).toBe('OK')
})

test('a request id that is sent to two leaders in turn takes effect once', () => {
  const story = tellStory(7)
  const first = story.insist('incr', 'n', '5', { 'Kv-Request-Id': 'once' })
  story.simulation.cluster.losePower(story.leader())
  const second = story.insist('incr', 'n', '5', { 'Kv-Request-Id': 'once' })
  expect([first.value, second.value, second.revision]).toEqual(['5', '5', first.revision])
  story.end()
})

test.each([
  ['by appends', 100 * 1_024 * 1_024],
  ['by a snapshot', 16 * 1_024],
])('on a broker with a small payload a follower that was away catches up %s', (_how, snapshotLogBytes) => {
  const story = tellStory(8, { maxPayloadBytes: 64 * 1_024, snapshotLogBytes, raftLimits: { tailEntriesMax: 0, tailBytesMax: 0 } })
  story.insist('put', 'k', 'before')
  const [away] = story.followers()
  if (away === undefined) throw new Error('three nodes have followers')
  story.isolate(away)
  for (let i = 0; i < 20; i += 1) story.insist('put', `k${i}`, `${i}`.repeat(9_000))
  story.heal()
  story.end()
})

test('a presentation that is held up until its member has restarted refuses nobody', () => {
  const calm = { loss: 0, duplication: 0, delayMsMean: 1 }
  const story = tellStory(9, { network: { ...calm, reorderMsMax: 30_000 } })
  const { cluster, network, timeline } = story.simulation
  story.insist('put', 'k', 'before')
  const victim = must(story.followers()[0], 'there is a follower')
  cluster.losePower(victim)
  story.run(1_000)
  // The first start presents itself into a link that holds everything for ten seconds; the second start's link is clear.
  network.clog((from, to) => from === victim.id && to !== victim.id, timeline.now() + 10_000)
  cluster.start(victim)
  story.until('its members live', () => victim.node?.parts()?.host.all().length === 1)
  story.run(200)
  cluster.losePower(victim)
  network.heal()
  cluster.start(victim)
  for (let i = 0; i < 100; i += 1) story.insist('put', 'k', `v${i}`)
  story.run(12_000)
  // Only this member and the leader are left: if the leader refuses it, nothing commits again.
  cluster.losePower(must(story.followers().find((machine) => machine !== victim), 'there is another follower'))
  expect(story.insist('put', 'k', 'after').status).toBe('OK')
  story.end()
})
