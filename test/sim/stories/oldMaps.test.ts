/**
 * Nodes that start with an old map, or none. A replica that was ordered away while its node was down, and is whole, makes room when the
 * meta group's leader says that the order stands, and by nobody else's word; by the same word one begins of which the log has no trace.
 * docs/adr/0009-replacement.md.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { harm } from '../../../sim/atlas.ts'
import { adoptGenesis } from '../../../actors/topology/clusterState.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { generationOf, nodeOf, shardId } from '../../../topology/ids.ts'
import { tellStory } from '../story.ts'
import type { Placement } from '../../../actors/topology/clusterState.ts'
import type { Wish } from '../../../actors/topology/protocol.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { ReplicaId } from '../../../topology/ids.ts'
import type { Story } from '../story.ts'

const SETTLED_MS = 60_000

/** Which shard a story is about. */
type Of = Story & { readonly shard?: number }

const placementOf = ({ simulation, shard = 0 }: Of): Placement =>
  must(newestState(simulation.cluster)?.shards[shard], 'somebody has a map')
const epochOf = ({ node }: Machine): number => node?.parts()?.live.state().epoch ?? 0
const hosted = ({ shard = 0 }: Of, { node }: Machine): ReplicaId | undefined => node?.parts()?.host.of(shardId(shard))?.id
const own = (story: Of, { id }: Machine): ReplicaId =>
  must(placementOf(story).replicas.find((replica) => nodeOf(replica) === id), `${id} has a replica of it`)
const isOrdered = ({ shard = 0 }: Of, { node }: Machine): boolean => (node?.parts()?.live.state().shards[shard]?.move ?? null) !== null

const decide = (story: Story, machine: Machine, wish: Wish): void => {
  let isDecided = false
  let askedAt = Number.NEGATIVE_INFINITY
  story.until(`${wish.kind} is decided`, () => {
    if (story.simulation.timeline.now() - askedAt < 1_000) return isDecided
    askedAt = story.simulation.timeline.now()
    machine.node?.propose({ ...wish, expectedEpoch: epochOf(machine), at: 1, by: 'story', request: '' }, (outcome) => {
      isDecided ||= outcome?.kind === 'applied'
    })
    return isDecided
  })
}

/** As for a node whose snapshots could not be read for a moment: the order is there, and the replica is whole again. */
const orderAway = (story: Of, victim: Machine): void => {
  const remove = own(story, victim)
  const asked = must(story.nodes.find(({ node }) => node !== null), 'another node')
  decide(story, asked, { kind: 'beginMove', group: shardId(story.shard ?? 0), add: nodeOf(remove), remove, isPlanned: true })
}

const orderBack = (story: Of, asked: Machine): void => {
  decide(story, asked, { kind: 'cancel', move: must(placementOf(story).move, 'a move is under way').id })
  story.until('the order is undone', () => placementOf(story).move === null)
}

const putMap = ({ disk }: Machine, map: Uint8Array): void => {
  const { files, directories } = disk.copy()
  disk.restore({ files: new Map(files).set('map.bin', map), directories })
}
const loseMap = ({ disk }: Machine): void => {
  const { files, directories } = disk.copy()
  disk.restore({ files: new Map([...files].filter(([path]) => path !== 'map.bin')), directories })
}
const mapOf = ({ disk, id }: Machine): Uint8Array => must(disk.copy().files.get('map.bin'), `${id} has a map`)

const untilReplaced = (story: Of, victim: Machine): void => story.until('its successor is there, and well', () =>
  placementOf(story).move === null && generationOf(own(story, victim)) > 1 && hosted(story, victim) === own(story, victim), SETTLED_MS)

test('a replica that is whole again after it was ordered away makes room, though its node has the newest map from its file', () => {
  const story = tellStory(941)
  story.putMany('k', 20)
  const victim = must(story.followers()[0], 'a follower')
  const other = must(story.nodes.find((machine) => machine !== victim), 'another')
  story.kill(victim)
  orderAway(story, victim)
  story.until('others have the map', () => isOrdered(story, other))
  story.run(1_000)
  putMap(victim, mapOf(other))
  // It counted for nothing then.
  harm(victim, story.simulation.watch.newestMap())
  story.start(victim)
  untilReplaced(story, victim)
  story.losePower(must(story.followers().find((machine) => machine !== victim), 'the other follower'))
  story.put('k', 'with the new one')
  expect(story.get('k19')).toBe('19')
  story.end()
})

test('a replica that is whole again after it was ordered away stays as long as its shard has no majority without it', () => {
  const story = tellStory(945, { nodes: 5 })
  story.putMany('k', 20)
  const leader = story.leader()
  const [victim, other] = story.followers()
  const back = must(victim, 'a follower')
  const late = must(other, 'the other follower')
  const id = own(story, back)
  story.kill(back, late)
  story.run(5_000)
  orderAway(story, back)
  story.until('the third has the map', () => isOrdered(story, leader))
  story.run(1_000)
  putMap(back, mapOf(leader))
  harm(back, story.simulation.watch.newestMap())
  story.start(back)
  story.put('k', 'with the two that are there')
  story.run(10_000)
  expect([hosted(story, back), story.get('k')]).toEqual([id, 'with the two that are there'])
  story.start(late)
  untilReplaced(story, back)
  story.end()
})

/** An order is given while the node is down, and taken back: the map between is what the test puts where it likes. */
const orderedAndBack = (story: Of, victim: Machine) => {
  story.kill(victim)
  orderAway(story, victim)
  const keeperNow = (): Machine | undefined => story.nodes.find((machine) => isOrdered(story, machine))
  story.until('somebody has the map', () => keeperNow() !== undefined)
  const keeper = must(keeperNow(), 'it was there just now')
  story.run(500)
  const map = mapOf(keeper)
  orderBack(story, keeper)
  story.run(3_000)
  return { map, epoch: must(newestState(story.simulation.cluster), 'a map').epoch }
}

const expectWhole = (story: Of, victim: Machine, id: ReplicaId, epoch: number): void => {
  story.until('it has the newest map', () => epochOf(victim) >= epoch)
  story.run(10_000)
  expect([hosted(story, victim), victim.node?.parts()?.host.damaged(), epochOf(victim)]).toEqual([id, [], epoch])
  expect(story.get('k19')).toBe('19')
  story.end()
}

test('an old copy of the map, put back, ends no replica that was ordered away and back', () => {
  const simple = tellStory(942, { nodes: 4, shards: 4 })
  simple.putMany('k', 20)
  // It is told of maps by others alone.
  const victim = must(simple.nodes.find(({ node }) => node?.parts()?.host.meta() === undefined), 'a node without the meta group')
  const story = { ...simple, shard: must(victim.node?.parts()?.host.all().find(({ actor }) => !actor.isServing()), 'it follows').shard }
  const id = own(story, victim)
  const { map, epoch } = orderedAndBack(story, victim)
  putMap(victim, map)
  story.start(victim)
  expectWhole(story, victim, id, epoch)
})

test('an old copy of the map stays one while the newer map that is known waits for room on the disk', () => {
  const story = tellStory(946, { nodes: 5 })
  story.putMany('k', 20)
  const victim = must(story.followers()[0], 'a follower')
  const id = own(story, victim)
  const { map, epoch } = orderedAndBack(story, victim)
  putMap(victim, map)
  story.start(victim)
  victim.disk.fill(0)
  story.until('it knows of the newer map', () => victim.node?.parts()?.live.learnedEpoch() === epoch)
  story.run(10_000)
  expect([hosted(story, victim), epochOf(victim) < epoch]).toEqual([id, true])
  victim.disk.makeRoom()
  expectWhole(story, victim, id, epoch)
})

test('nodes with the same old copy of the map do not confirm it to each other', () => {
  const simple = tellStory(947, { nodes: 7, shards: 7 })
  simple.putMany('k', 20)
  const isWithoutMeta = ({ node }: Machine): boolean => node?.parts()?.host.meta() === undefined
  const outsider = must(simple.nodes.find(isWithoutMeta), 'a node without the meta group')
  const story = { ...simple, shard: must(outsider.node?.parts()?.host.all()[0], 'it has a replica').shard }
  const hosts = story.nodes.filter((machine) => hosted(story, machine) !== undefined)
  const victim = must(hosts.find((machine) => machine !== outsider), 'another one with a replica of that shard')
  const id = own(story, victim)
  const { map, epoch } = orderedAndBack(story, victim)
  story.kill(...story.nodes.filter(({ node }) => node !== null))
  for (const machine of hosts) putMap(machine, map)
  // They have a majority of the shard's replicas, and none of the meta group's: nobody can tell them.
  story.start(...hosts)
  story.run(15_000)
  expect(hosts.map(({ node }) => node?.parts()?.host.of(shardId(story.shard))?.id)).toEqual(hosts.map((machine) => own(story, machine)))
  story.start(...story.nodes.filter((machine) => !hosts.includes(machine)))
  expectWhole(story, victim, id, epoch)
})

test('a node with an old map that learns a newer one from a member that is behind ends nothing that was ordered back since', () => {
  const story = tellStory(944, { nodes: 5 })
  story.putMany('k', 20)
  const victim = must(story.followers()[0], 'a follower')
  const id = own(story, victim)
  const behind = must(story.nodes.find((machine) => hosted(story, machine) === undefined), 'a member without a replica of it')
  story.kill(victim)
  orderAway(story, victim)
  story.until('the one that will be behind has the map', () => isOrdered(story, behind))
  const old = epochOf(behind)
  story.kill(behind)
  orderBack(story, story.leader())
  const epoch = must(newestState(story.simulation.cluster), 'a map').epoch
  story.isolate(victim, behind)
  story.start(victim, behind)
  story.until('it has learned the old map', () => epochOf(victim) === old)
  story.run(10_000)
  expect(hosted(story, victim)).toBe(id)
  story.heal()
  expectWhole(story, victim, id, epoch)
})

/**
 * Three nodes hear the first one, and not each other: a shard of these three has never had a leader. Two of them have replicas of a move
 * beside it: their logs know nothing of the shard, and do know that they have had newer maps.
 */
const withoutATrace = (seed: number) => {
  const story = tellStory(seed, { nodes: 4, shards: 8 })
  const [hub, ...others] = story.nodes as [Machine, Machine, Machine, Machine]
  for (const [at, one] of others.entries()) for (const other of others.slice(at + 1)) story.sever(one, other)
  const born = adoptGenesis(must(story.simulation.cluster.genesis[0], 'a genesis')).shards
  const isIn = ({ replicas }: Placement, { id }: Machine): boolean => replicas.some((replica) => nodeOf(replica) === id)
  const shard = born.findIndex((placement) => !isIn(placement, hub))
  const victims = others.slice(0, 2)
  decide(story, hub, { kind: 'pause' })
  for (const victim of victims) {
    const other = born.findIndex((placement) => !isIn(placement, victim))
    const remove = must(born[other]?.replicas.find((replica) => nodeOf(replica) !== hub.id), 'a replica')
    decide(story, hub, { kind: 'beginMove', group: shardId(other), add: victim.id, remove, isPlanned: false })
    story.until('it has begun', () => generationOf(hosted({ ...story, shard: other }, victim) ?? own(story, hub)) > 1)
  }
  const memberOf = ({ node }: Machine) => node?.parts()?.host.of(shardId(shard))?.raft
  expect(victims.map((victim) => memberOf(victim)?.status().term)).toEqual([0, 0])
  return { story, shard, victims, hasLeader: () => others.some((machine) => memberOf(machine)?.role() === 'leader') }
}

test('a shard that never had a leader elects its first, though two of its three nodes have lost their maps', () => {
  const { story, shard, victims, hasLeader } = withoutATrace(945)
  story.kill(...victims)
  for (const victim of victims) loseMap(victim)
  story.heal()
  story.start(...victims)
  story.until('it has one', hasLeader)
  expect(victims.map((victim) => [hosted({ ...story, shard }, victim), victim.node?.parts()?.host.damaged()]))
    .toEqual(victims.map(({ id }) => [`${id}:1`, []]))
  story.end()
})
