/**
 * An old copy of a directory, of a time when its node was alone, is put back once others have joined. A member that knows of no other may
 * elect itself at once; so it first hears whether the cluster's map has become another one, and halts where that names others beside it
 * (actors/raft/state.ts, topology/beaconRadio.ts, topology/outgrown.ts). A member that the others have left since is none of those.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { harm } from '../../../sim/atlas.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { META_GROUP, nodeOf, shardId } from '../../../topology/ids.ts'
import { tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const GROWN_MS = 200_000
const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody has a map')

const setFactor = (story: Story, { node }: Machine, replicationFactor: number): void => {
  let isDecided = false
  let isAsking = false
  story.until('the replication factor is another one', () => {
    if (isDecided || isAsking) return isDecided
    isAsking = true
    const wish = { kind: 'setReplicationFactor', replicationFactor, expectedEpoch: stateOf(story).epoch } as const
    node?.propose({ ...wish, at: 1, by: 'story', request: '' }, (outcome) => {
      isDecided = outcome !== null && outcome.kind !== 'refused'
      isAsking = false
    })
    return false
  }, GROWN_MS)
}

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
  setFactor(story, first, 3)
  story.until('every shard has three replicas', () => movesOf(stateOf(story)).length === 0
    && stateOf(story).shards.every(({ replicas }) => replicas.length === 3), GROWN_MS)
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
  story.until('it has new replicas of everything', () => movesOf(stateOf(story)).length === 0
    && (first.node?.parts()?.host.damaged().length ?? 1) === 0
    && stateOf(story).shards.every(({ replicas }) => replicas.some((replica) => nodeOf(replica) === first.id)), GROWN_MS)
  for (let i = 0; i < 5; i += 1) expect(story.get(`k${i}`)).toBe('newest')
  story.end()
}

/** Also where the copy had led, so that nobody can tell what it promised. */
test('a copy of when its node was alone serves nothing old, and is replaced', () => {
  for (const seed of [901, 7, 902, 903]) expectHarmless(seed)
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
  setFactor(story, story.leader(), 1)
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
