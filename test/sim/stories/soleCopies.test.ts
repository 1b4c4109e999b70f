/**
 * An old copy of a directory, of a time when its node was alone, is put back once others have joined. A member that knows of no other may
 * elect itself at once; so it first hears whether the cluster's map has become another one, and halts where that names others beside it
 * (actors/raft/state.ts, topology/beaconRadio.ts, topology/outgrown.ts). A member that the others have left since is none of those.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { activeNodes } from '../../../actors/topology/clusterState.ts'
import { harm } from '../../../sim/atlas.ts'
import { META_GROUP, generationOf, nodeOf, shardId } from '../../../topology/ids.ts'
import { GENERATION_OF_GENESIS } from '../../../topology/knownReplicas.ts'
import { decide, isAtRest, stateOf, untilMoved } from '../orders.ts'
import { tellStory } from '../story.ts'
import type { Wish } from '../../../actors/topology/protocol.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const GROWN_MS = 200_000

const order = (story: Story, wish: Wish): void => { expect(decide(story, wish)).toMatchObject({ kind: 'applied' }) }

type Copy = ReturnType<Machine['disk']['copy']>

/** The directory as it is now, of a node that goes on with it. */
const copyOf = (story: Story, machine: Machine): Copy => {
  story.run(2_000)
  story.losePower(machine)
  const copy = machine.disk.copy()
  story.start(machine)
  story.put('k0', 'old')
  return copy
}

const putBack = (story: Story, machine: Machine, copy: Copy): void => {
  story.losePower(machine)
  machine.disk.restore(copy)
  harm(machine, story.simulation.watch.newestMap())
  machine.mayExit = 'an old copy'
  story.start(machine)
}

interface Grown { readonly story: Story; readonly first: Machine; readonly joiners: readonly Machine[]; readonly copy: Copy }

/** One node becomes three, of which the first has a copy of when it was alone. Its shards are there alone still. */
const joined = (seed: number, shards: number): Grown => {
  const story = tellStory(seed, { nodes: 1, joiners: 2, shards, replicationFactor: 3 })
  const [first, ...joiners] = story.nodes as [Machine, ...Machine[]]
  for (let i = 0; i < 5; i += 1) story.put(`k${i}`, 'old')
  const copy = copyOf(story, first)
  for (const joiner of joiners) story.simulation.cluster.join(joiner)
  story.until('there are three nodes', () => activeNodes(stateOf(story)).length === 3, GROWN_MS)
  return { story, first, joiners, copy }
}

/** And three replicas of everything. What the others have acknowledged since is nowhere else. */
const grown = (seed: number, shards: number): Grown => {
  const made = joined(seed, shards)
  const { story, first } = made
  order(story, { kind: 'setReplicationFactor', replicationFactor: 3 })
  untilMoved(story, 'everything has three replicas', ({ shards: all, meta }) =>
    [...all, meta].every(({ replicas }) => replicas.length === 3), GROWN_MS)
  for (let i = 0; i < 5; i += 1) story.put(`k${i}`, 'new')
  story.losePower(first)
  for (let i = 0; i < 5; i += 1) story.put(`k${i}`, 'newest')
  return made
}

/** One that is no newer than the copy. */
const leadsHere = ({ node }: Machine): boolean =>
  node?.parts()?.host.all().some(({ id, raft }) => generationOf(id) === GENERATION_OF_GENESIS && raft.role() === 'leader') === true

const leadsNever = (story: Story, machine: Machine, then: (turn: number) => void = () => {}): void => {
  for (let turn = 0; turn < 300; turn += 1) {
    story.run(10)
    expect([turn, leadsHere(machine)]).toEqual([turn, false])
    then(turn)
  }
}

const expectReplaced = (seed: number): void => {
  const { story, first, copy } = grown(seed, 2)
  putBack(story, first, copy)
  const quarantined = new Set<number>()
  leadsNever(story, first, (turn) => {
    for (const { group } of first.node?.parts()?.host.damaged() ?? []) quarantined.add(group)
    for (let i = 0; i < 5; i += 1) if (turn % 20 === 0) expect(story.insist('get', `k${i}`).value).toBe('newest')
  })
  expect(quarantined).toEqual(new Set([0, 1, META_GROUP]))
  untilMoved(story, 'it has new replicas of everything', ({ shards }) => (first.node?.parts()?.host.damaged().length ?? 1) === 0
    && shards.every(({ replicas }) => replicas.some((replica) => nodeOf(replica) === first.id)), GROWN_MS)
  for (let i = 0; i < 5; i += 1) expect(story.get(`k${i}`)).toBe('newest')
  story.end()
}

/** Also where the copy had led, so that nobody can tell what it promised. */
test('a copy of when its node was alone serves nothing old, and is replaced', () => {
  for (const seed of [901, 7, 902, 903]) expectReplaced(seed)
})

/** All of the half second would pass in one tick, which is given before what was sent to it meanwhile. */
test('a copy whose process stands still as it starts serves nothing old', () => {
  const { story, first, joiners, copy } = grown(922, 1)
  putBack(story, first, copy)
  story.until('it listens', () => first.node?.state() === 'joining')
  story.pause(first)
  // Everybody says once which map is in force, and it comes a moment after the process goes on.
  for (const joiner of joiners) story.holdBack(joiner, first, 1_150)
  story.run(1_100)
  story.resume(first)
  leadsNever(story, first)
  story.end()
})

/** It speaks, and one of them hears it: who hears that its map is old says so with the next tick. */
const untilHeard = (story: Story, machine: Machine, by: readonly Machine[]): void => {
  const startedAt = story.simulation.timeline.now()
  const isHeard = (): boolean => by.some(({ node }) => (node?.parts()?.beacon.heardAt(machine.id) ?? 0) > startedAt)
  for (let step = 0; step < 10_000 && !isHeard(); step += 1) story.run(0.1)
  expect(isHeard()).toBe(true)
}

test('a copy that hears of a newer map, and waits for it, serves nothing old', () => {
  const { story, first, joiners, copy } = grown(923, 1)
  putBack(story, first, copy)
  untilHeard(story, first, joiners)
  // Its question for the newer one is late.
  for (const joiner of joiners) story.holdBack(first, joiner, 900)
  leadsNever(story, first)
  story.end()
})

/** Seconds pass in one tick, which is given before what was sent to it meanwhile. */
test('a copy whose process stands still while it waits for a newer map serves nothing old', () => {
  const { story, first, joiners, copy } = grown(924, 1)
  putBack(story, first, copy)
  untilHeard(story, first, joiners)
  for (const joiner of joiners) story.holdBack(first, joiner, 4_500)
  story.run(1_000)
  story.pause(first)
  story.run(3_100)
  story.resume(first)
  leadsNever(story, first)
  story.end()
})

test('a copy that hears of the newest map, and gets an older one first, serves nothing old', () => {
  const { story, first, joiners, copy } = joined(925, 1)
  const [ahead, behind] = joiners as [Machine, Machine]
  story.until('the meta group has three', () => stateOf(story).meta.replicas.length === 3 && isAtRest(story), GROWN_MS)
  // By the map that this one keeps, the shard is where it was.
  story.isolate(behind)
  order(story, { kind: 'pause' })
  order(story, { kind: 'beginMove', group: shardId(0), add: ahead.id, remove: null, isPlanned: false })
  untilMoved(story, 'it has two replicas', ({ shards }) => shards[0]?.replicas.length === 2)
  story.put('k0', 'new')
  story.pause(ahead)
  putBack(story, first, copy)
  story.heal()
  story.sever(ahead, behind)
  untilHeard(story, first, [behind])
  // It asks for the older map, and the answer is late. Meanwhile it hears of the newest, whose bytes are later still.
  story.holdBack(first, behind, 300)
  story.holdBack(first, ahead, 1_100)
  story.run(60)
  story.resume(ahead)
  leadsNever(story, first)
  expect(first.node?.parts()?.host.damaged().map(({ group }) => group)).toContain(0)
})

test('a copy of before the second of its group had a vote serves nothing old, though its map is the newest', () => {
  const { story, first, copy } = joined(911, 1)
  story.until('the meta group has three', () => stateOf(story).meta.replicas.length === 3 && isAtRest(story), GROWN_MS)
  order(story, { kind: 'setReplicationFactor', replicationFactor: 3 })
  story.until('two vote, and the map does not say so yet', () => {
    const { voters, outgoing } = must(first.node?.parts()?.host.of(shardId(0)), 'it has the shard').raft.status().configuration
    const { replicas, move } = must(stateOf(story).shards[0], 'it is there')
    return voters.length === 2 && outgoing.length === 0 && replicas.length === 1 && move?.step === 'promoting'
  }, GROWN_MS)
  story.put('k0', 'new')
  putBack(story, first, copy)
  leadsNever(story, first)
  // It is no majority with the other: nobody serves what only that one has.
  expect(first.node?.parts()?.host.damaged().map(({ group }) => group)).toContain(0)
})

test('a copy of when a shard lived there alone serves nothing old: the shard has moved away', () => {
  const story = tellStory(905, { nodes: 4, shards: 1, replicationFactor: 1 })
  const owner = story.settledLeader()
  const copy = copyOf(story, owner)
  const other = must(story.nodes.find((machine) => machine !== owner), 'another')
  const remove = must(stateOf(story).shards[0]?.replicas[0], 'a replica')
  order(story, { kind: 'pause' })
  for (const change of [{ add: other.id, remove: null }, { add: null, remove }]) {
    order(story, { kind: 'beginMove', group: shardId(0), ...change, isPlanned: false })
    untilMoved(story, 'it is done', ({ shards }) => shards[0]?.replicas.some((replica) => nodeOf(replica) === other.id) === true)
  }
  story.losePower(owner)
  story.put('k0', 'newest')
  putBack(story, owner, copy)
  leadsNever(story, owner, (turn) => { if (turn % 20 === 0) expect(story.insist('get', 'k0').value).toBe('newest') })
  story.end()
})

/** Where the shard has one voter left, and the node does not know yet that the move is done. */
const leftAlone = (story: Story): Machine | undefined => story.nodes.find((machine) => {
  const hosted = machine.node?.parts()?.host.of(shardId(0))
  if (hosted === undefined) return false
  const { role, configuration: { voters, outgoing } } = hosted.raft.status()
  return role === 'leader' && voters.length === 1 && outgoing.length === 0
    && (machine.node?.parts()?.live.state().shards[0]?.replicas.length ?? 1) > 1
})

/** A node with a replica of the meta group learns of each map at once. */
test('shards of one replica get a leader while the map changes all the time', () => {
  const story = tellStory(926, { nodes: 5, shards: 10, replicationFactor: 1 })
  story.settledLeader()
  const back = must(story.nodes[1], 'a second')
  const own = stateOf(story).shards.filter(({ replicas }) => replicas.some((replica) => nodeOf(replica) === back.id)).length
  expect(own).toBeGreaterThan(0)
  story.losePower(back)
  story.start(back)
  const { timeline } = story.simulation
  const startedAt = timeline.now()
  const led = (): number => back.node?.parts()?.host.all().filter(({ raft }) => raft.role() === 'leader').length ?? 0
  for (let turn = 0; led() < own && timeline.now() - startedAt < 15_000; turn += 1) {
    order(story, { kind: turn % 2 === 0 ? 'pause' : 'resume' })
    story.run(150)
  }
  expect(led()).toBe(own)
  story.end()
})

test('whom the others have left serves on, though its own map names them still', () => {
  const story = tellStory(904, { nodes: 3, shards: 1, replicationFactor: 3 })
  story.putMany('k', 5)
  order(story, { kind: 'setReplicationFactor', replicationFactor: 1 })
  story.until('one is left alone', () => leftAlone(story) !== undefined, GROWN_MS)
  const last = must(leftAlone(story), 'one is left alone')
  story.isolate(last)
  const { actor, raft } = must(last.node?.parts()?.host.of(shardId(0)), 'it has the shard')
  story.until('a snapshot is all that it needs', () => {
    actor.send({ type: 'shard.snapshotWanted' })
    return raft.status().baseIndex > 0
  })
  story.losePower(last)
  story.start(last)
  story.until('it leads', () => leadsHere(last))
  story.heal()
  story.until('the map says so, too', () => stateOf(story).shards[0]?.replicas.length === 1, GROWN_MS)
  for (let i = 0; i < 5; i += 1) expect(story.get(`k${i}`)).toBe(`${i}`)
  story.end()
})
