/**
 * An old copy of a directory, of a time when its node was alone, is put back once others have joined. A member that knows of no other may
 * elect itself at once; so it first hears whether the cluster's map has become another one, and halts where that names others beside it
 * (actors/raft/state.ts, topology/beaconRadio.ts).
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { harm } from '../../../sim/atlas.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { META_GROUP, nodeOf } from '../../../topology/ids.ts'
import { tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const GROWN_MS = 200_000
const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody has a map')

const raiseFactor = (story: Story, { node }: Machine): void => {
  let isDecided = false
  let isAsking = false
  story.until('there are to be three replicas', () => {
    if (isDecided || isAsking) return isDecided
    isAsking = true
    const wish = { kind: 'setReplicationFactor', replicationFactor: 3, expectedEpoch: stateOf(story).epoch } as const
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
  raiseFactor(story, first)
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

test.each([901, 7, 902, 903])('a copy of when its node was alone serves nothing old, and is replaced (seed %d)', (seed) => {
  const { story, first } = putBackOfOne(seed)
  story.start(first)
  const quarantined = new Set<number>()
  for (let turn = 0; turn < 300; turn += 1) {
    story.run(10)
    expect([turn, leadsHere(first)]).toEqual([turn, false])
    for (const { group } of first.node?.parts()?.host.damaged() ?? []) quarantined.add(group)
    for (let i = 0; i < 5; i += 1) if (turn % 20 === 0) expect(story.insist('get', `k${i}`).value).toBe('newest')
  }
  // Also where the copy had led, so that nobody can tell what it promised.
  expect(quarantined).toEqual(new Set([0, 1, META_GROUP]))
  story.until('it has new replicas of everything', () => movesOf(stateOf(story)).length === 0
    && (first.node?.parts()?.host.damaged().length ?? 1) === 0
    && stateOf(story).shards.every(({ replicas }) => replicas.some((replica) => nodeOf(replica) === first.id)), GROWN_MS)
  for (let i = 0; i < 5; i += 1) expect(story.get(`k${i}`)).toBe('newest')
  story.end()
})
