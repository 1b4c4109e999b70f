/**
 * An old copy of a directory, of a time when its node was alone, is put back once others have joined. A member that knows of no other may
 * elect itself at once; so it first hears whether the cluster's map has become another one, and halts where that names others beside it
 * (actors/raft/state.ts, topology/beaconRadio.ts, topology/outgrown.ts). A member that the others have left since is none of those.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { activeNodes } from '../../../actors/topology/clusterState.ts'
import { harm } from '../../../sim/atlas.ts'
import { META_GROUP, nodeOf, shardId } from '../../../topology/ids.ts'
import { decide, stateOf, untilMoved } from '../orders.ts'
import { tellStory } from '../story.ts'
import type { Wish } from '../../../actors/topology/protocol.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const GROWN_MS = 200_000

const order = (story: Story, wish: Wish): void => { expect(decide(story, wish)).toMatchObject({ kind: 'applied' }) }

/** One node becomes three; the first is put back to when it was alone, with whatever the others have acknowledged since. */
const putBackOfOne = (seed: number): { readonly story: Story; readonly first: Machine } => {
  const story = tellStory(seed, { nodes: 1, joiners: 2, shards: 2, replicationFactor: 3 })
  const [first, ...joiners] = story.nodes as [Machine, ...Machine[]]
  for (let i = 0; i < 5; i += 1) story.put(`k${i}`, 'old')
  story.run(2_000)
  story.losePower(first)
  const copy = first.disk.copy()
  story.start(first)
  story.put('k0', 'old')
  for (const joiner of joiners) story.simulation.cluster.join(joiner)
  story.until('there are three nodes', () => activeNodes(stateOf(story)).length === 3, GROWN_MS)
  order(story, { kind: 'setReplicationFactor', replicationFactor: 3 })
  untilMoved(story, 'every shard has three replicas', ({ shards }) => shards.every(({ replicas }) => replicas.length === 3), GROWN_MS)
  for (let i = 0; i < 5; i += 1) story.put(`k${i}`, 'new')
  story.losePower(first)
  for (let i = 0; i < 5; i += 1) story.put(`k${i}`, 'newest')
  first.disk.restore(copy)
  harm(first, story.simulation.watch.newestMap())
  first.mayExit = 'an old copy'
  return { story, first }
}

const leadsHere = ({ node }: Machine): boolean => node?.parts()?.host.all().some(({ raft }) => raft.role() === 'leader') === true

const expectHarmless = (seed: number): void => {
  const { story, first } = putBackOfOne(seed)
  story.start(first)
  const quarantined = new Set<number>()
  for (let turn = 0; turn < 300; turn += 1) {
    story.run(10)
    expect([turn, leadsHere(first)]).toEqual([turn, false])
    for (const { group } of first.node?.parts()?.host.damaged() ?? []) quarantined.add(group)
    for (let i = 0; i < 5; i += 1) if (turn % 20 === 0) expect(story.insist('get', `k${i}`).value).toBe('newest')
  }
  expect(quarantined).toEqual(new Set([0, 1, META_GROUP]))
  untilMoved(story, 'it has new replicas of everything', ({ shards }) => (first.node?.parts()?.host.damaged().length ?? 1) === 0
    && shards.every(({ replicas }) => replicas.some((replica) => nodeOf(replica) === first.id)), GROWN_MS)
  for (let i = 0; i < 5; i += 1) expect(story.get(`k${i}`)).toBe('newest')
  story.end()
}

/** Also where the copy had led, so that nobody can tell what it promised. */
test('a copy of when its node was alone serves nothing old, and is replaced', () => {
  for (const seed of [901, 7, 902, 903]) expectHarmless(seed)
})

test('a copy of when a shard lived there alone serves nothing old: the shard has moved away', () => {
  const story = tellStory(905, { nodes: 4, shards: 1, replicationFactor: 1 })
  story.put('k', 'old')
  const owner = story.settledLeader()
  story.losePower(owner)
  const copy = owner.disk.copy()
  story.start(owner)
  story.put('k', 'old')
  const other = must(story.nodes.find((machine) => machine !== owner), 'another')
  const remove = must(stateOf(story).shards[0]?.replicas[0], 'a replica')
  decide(story, { kind: 'pause' })
  for (const change of [{ add: other.id, remove: null }, { add: null, remove }]) {
    order(story, { kind: 'beginMove', group: shardId(0), ...change, isPlanned: false })
    untilMoved(story, 'it is done', ({ shards }) => shards[0]?.replicas.some((replica) => nodeOf(replica) === other.id) === true)
  }
  story.put('k', 'new')
  story.losePower(owner)
  story.put('k', 'newest')
  owner.disk.restore(copy)
  harm(owner, story.simulation.watch.newestMap())
  owner.mayExit = 'an old copy'
  story.start(owner)
  for (let turn = 0; turn < 300; turn += 1) {
    story.run(10)
    expect([turn, leadsHere(owner)]).toEqual([turn, false])
    if (turn % 20 === 0) expect(story.insist('get', 'k').value).toBe('newest')
  }
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
