/**
 * The broker between everybody, and its own ways to fail. Sources: TigerBeetle's replica_test.zig ("Cluster: network: partition
 * client-primary ..."), NATS' documentation, docs/TESTING.md T12, T13, T21 to T23. Names are theirs, words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { byteBudget } from '../../../bus/budget.ts'
import { doorsOf } from '../../../sim/network.ts'
import { tellStory } from '../story.ts'
import type { Inbound } from '../../../bus/port.ts'
import type { Story } from '../story.ts'

const links = (story: Story): string[] => story.nodes.flatMap(({ id }) => [id, `${id}/control`])

/** docs/TESTING.md T12: a broker that restarts. */
test('while the broker is gone nothing is acknowledged, and afterwards everything goes on', () => {
  const story = tellStory(601)
  const { broker } = story.simulation.cluster
  story.put('k', 'before')
  links(story).forEach(broker.disconnect)
  const pending = story.send('put', 'k', 'meanwhile')
  story.run(5_000)
  expect(pending.answer()?.status).not.toBe('OK')
  links(story).forEach(broker.reconnect)
  story.put('k', 'after')
  expect(story.get('k')).toBe('after')
  story.end()
})

/** docs/TESTING.md T12, T13: a half-open link, then everything at once. */
test('a leader behind a half-open link gets ten seconds at once, and acknowledges nothing of it wrongly', () => {
  const story = tellStory(602)
  const { broker } = story.simulation.cluster
  story.put('n', '0')
  const old = story.settledLeader()
  broker.hold(old.id)
  const late = Array.from({ length: 10 }, () => story.send('incr', 'n', '1', { 'Kv-Timeout-Ms': '30000' }))
  story.leaderBut(old)
  for (let i = 0; i < 10; i += 1) story.insist('incr', 'n', '1', { 'Kv-Request-Id': `add${i}` })
  story.run(5_000)
  broker.release(old.id)
  story.run(3_000)
  const counted = Number(story.get('n'))
  expect(counted).toBeGreaterThanOrEqual(10 + late.filter((each) => each.answer()?.status === 'OK').length)
  expect(counted).toBeLessThanOrEqual(20)
  story.end()
})

/** docs/TESTING.md T12: a peer's link is half open. */
test('a follower behind a half-open link slows nobody, and reads its backlog in order', () => {
  const story = tellStory(603)
  const { broker } = story.simulation.cluster
  const leader = story.settledLeader()
  const behind = must(story.followers()[0], 'there is a follower')
  broker.hold(behind.id)
  story.putMany('k', 50)
  expect(story.leader()).toBe(leader)
  broker.release(behind.id)
  story.until('it has them', () => story.revision(behind) === story.revision(leader))
  story.end()
})

/** Planted bug M30: a leader's data path is cut while its control path, which carries beacons, lives. */
test('a leader that only beacons still reach is replaced', () => {
  const story = tellStory(604)
  story.put('k', 'before')
  const old = story.settledLeader()
  story.simulation.network.cut((from, to) => from === old.id || to === old.id)
  story.leaderBut(old)
  story.put('k', 'after')
  story.until('it has stepped down', () => story.report(old).role !== 'leader', 2_500)
  story.heal()
  expect(story.get('k')).toBe('after')
  story.end()
})

/** "Cluster: network: partition client-primary (asymmetric, drop requests)". */
test('a leader that clients do not reach hears no request: every attempt ends unanswered, and none happens', () => {
  const story = tellStory(605)
  story.put('k', 'before')
  story.hideFromClients(story.settledLeader(), 'requests')
  const failed = Array.from({ length: 3 }, () => story.request('put', 'k', 'unheard'))
  expect(failed.map(({ status, definite }) => [status, definite])).toEqual(failed.map(() => ['timeout', false]))
  story.heal()
  expect(story.get('k')).toBe('before')
  story.end()
})

/** "Cluster: network: partition client-primary (asymmetric, drop replies)"; "Cluster: repair: corrupt reply". */
test('a client that does not hear the answer may ask again under the same request id, and gets the first answer', () => {
  const story = tellStory(606)
  story.put('n', '7')
  story.hideFromClients(story.settledLeader(), 'answers')
  expect(story.request('incr', 'n', '1', { 'Kv-Request-Id': 'once' }).status).toBe('timeout')
  expect(story.request('incr', 'n', '1', { 'Kv-Request-Id': 'once' }).status).toBe('timeout')
  story.heal()
  const heard = story.insist('incr', 'n', '1', { 'Kv-Request-Id': 'once' })
  expect([heard.value, heard.revision, story.get('n')]).toEqual(['8', 2, '8'])
  story.end()
})

/** docs/SUBJECTS.md, "none of these": NATS itself answers. */
test('when nobody leads the broker says so, and what it refused never happens', () => {
  const story = tellStory(607)
  story.put('k', 'before')
  story.settledLeader()
  story.isolate(...story.followers().slice(0, 1))
  story.losePower(story.leader())
  story.run(3_000)
  const refused = story.request('put', 'k', 'refused')
  expect([refused.status, refused.definite]).toEqual(['noResponders', true])
  story.heal()
  expect(story.get('k')).toBe('before')
  story.end()
})

/** docs/TESTING.md T23. */
test.each([
  ['the broker', true],
  ['a node', false],
])('a value of exactly the byte budget is written and read back; a byte more is refused (routed by %s)', (_who, isMapped) => {
  const story = tellStory(608, { maxPayloadBytes: 64 * 1_024, isMapped })
  const { valueBytesMax } = byteBudget(64 * 1_024)
  story.settledLeader()
  story.put('k', 'x'.repeat(valueBytesMax))
  expect(story.get('k').length).toBe(valueBytesMax)
  const refused = story.request('put', 'k', 'y'.repeat(valueBytesMax + 1))
  // For certain where a node alone is asked: by the slot, whoever else holds it may have started with another budget.
  expect([refused.status, refused.definite]).toEqual(['TOO_LARGE', !isMapped])
  story.losePower(...story.nodes)
  story.start(...story.nodes)
  expect(story.get('k')[0]).toBe('x')
  story.end()
})

/** docs/TESTING.md T23: an answer to as many as a follower may forward at once. */
test('a turn of small reads that one message asks for and none could answer is answered all the same', () => {
  const story = tellStory(611, { maxPayloadBytes: 64 * 1_024, isMapped: false, shards: 1 })
  story.put('k', 'v'.repeat(40))
  story.settledLeader()
  // A third of them for each node, which gets them all in one turn: by bytes they fit one message, and their answers do not.
  const { broker } = story.simulation.cluster
  const doors = story.followers().map(({ id }) => doorsOf(id))
  doors.forEach(broker.hold)
  const reads = Array.from({ length: 4_000 }, () => story.send('get', 'k'))
  story.run(100)
  doors.forEach(broker.release)
  story.until('every one is answered', () => reads.every((read) => read.answer() !== null))
  expect(reads.filter((read) => read.answer()?.status !== 'OK')).toEqual([])
  story.end()
})

/** docs/TESTING.md T22: a reply must not become a message between nodes. */
test('a request that wants its answer on a subject of the nodes is dropped, and counted', () => {
  const story = tellStory(609)
  const { cluster } = story.simulation
  story.put('k', 'value')
  const leader = story.settledLeader()
  const forger = cluster.connectClient('c7').bus
  const target = `skv.${leader.node?.report().cluster}.node.n1.n2`
  const heard: string[] = []
  cluster.connectClient('c8').bus.subscribe(target, ({ subject, data }) => { heard.push(`${subject} ${new TextDecoder().decode(data)}`) })
  forger.publish('kv.get.k', new Uint8Array(0), { reply: target })
  story.run(1_000)
  expect(heard.filter((line) => line.includes('value'))).toEqual([])
  const counted = Object.entries(leader.node?.report().node.counters ?? {}).filter(([name, count]) => /reply/i.test(name) && count > 0)
  expect(counted).toHaveLength(1)
  story.end()
})

/** A presentation is bound to the start that it speaks for (docs/adr/0005-presentation.md). */
test('a presentation that is held up until its member has restarted refuses nobody', () => {
  const calm = { loss: 0, duplication: 0, delayMsMean: 1 }
  const story = tellStory(9, { network: { ...calm, reorderMsMax: 30_000 } })
  story.put('k', 'before')
  const victim = must(story.followers()[0], 'there is a follower')
  story.losePower(victim)
  story.run(1_000)
  // The first start presents itself into a link that holds everything for ten seconds; the second start's link is clear.
  for (const other of story.nodes) if (other !== victim) story.holdBack(victim, other, 10_000)
  story.start(victim)
  story.until('its members live', () => victim.node?.parts()?.host.all().length === 1)
  story.run(200)
  story.losePower(victim)
  story.heal()
  story.start(victim)
  for (let i = 0; i < 100; i += 1) story.put('k', `v${i}`)
  story.run(12_000)
  // Only this member and the leader are left: if the leader refuses it, nothing commits again.
  story.losePower(must(story.followers().find((machine) => machine !== victim), 'there is another follower'))
  story.put('k', 'after')
  story.end()
})

/** Planted bug M37b: the start lives, and it is its receiver that has restarted. */
test('a presentation that comes once more when its receiver has restarted refuses nobody', () => {
  const story = tellStory(610)
  const { cluster } = story.simulation
  const kept: Pick<Inbound, 'subject' | 'data'>[] = []
  const keep = ({ subject, data }: Inbound): void => { kept.push({ subject, data: data.slice() }) }
  const tap = cluster.connectClient('c8').bus.subscribe('skv.*.node.*.*', keep)
  story.until('they have presented themselves', () => kept.length >= 6)
  tap.unsubscribe()
  const restarted = story.settledLeader()
  story.losePower(restarted)
  story.leaderBut(restarted)
  story.start(restarted)
  story.until('it leads again', () => story.leader() === restarted)
  story.put('k', 'a promise to it')
  const late = cluster.connectClient('c7').bus
  for (const { subject, data } of kept) late.publish(subject, data)
  story.run(2_000)
  expect(story.nodes.map(({ node }) => node?.parts()?.host.damaged())).toEqual([[], [], []])
  story.end()
})
