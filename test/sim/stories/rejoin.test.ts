/**
 * A machine that is set up anew and joins under the name it had before. The genesis of its cluster gives that name replicas that the
 * machine has lost, with all that they had promised: whatever map it starts from, they do not come back.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { movesOf, nodeIn } from '../../../actors/topology/clusterState.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { emptyImage } from '../../../storage/memoryFileSystem.ts'
import { generationOf } from '../../../topology/ids.ts'
import { tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody runs')
const isAtRest = (story: Story): boolean => movesOf(stateOf(story)).length === 0
const knowsTheMap = (story: Story, { node }: Machine): boolean => node?.parts()?.live.state().epoch === stateOf(story).epoch
const hasFirstOnes = ({ node }: Machine): boolean => {
  const host = node?.parts()?.host
  return [...host?.all() ?? [], host?.meta()].some((member) => member !== undefined && generationOf(member.id) === 1)
}

/** A cluster that grew from n1 alone, which has left since. */
const grownFrom = (seed: number): { readonly story: Story; readonly first: Machine } => {
  const story = tellStory(seed, { nodes: 1, joiners: 2, shards: 4, replicationFactor: 1 })
  const [first, second, third] = story.nodes as [Machine, Machine, Machine]
  story.putMany('k', 10)
  for (const machine of [second, third]) story.simulation.cluster.join(machine)
  story.until('they are in', () => isAtRest(story) && stateOf(story).nodes.length === 3, 120_000)
  let isAsking = false
  story.until('the first is drained, and has left', () => {
    const state = nodeIn(stateOf(story), first.id)?.state
    if (state === 'active' && !isAsking) {
      isAsking = true
      const order = { kind: 'drainNode', node: first.id, isForced: true, expectedEpoch: stateOf(story).epoch } as const
      second.node?.propose({ ...order, at: 1, by: 'story', request: '' }, () => { isAsking = false })
    }
    return state === 'left'
  }, 120_000)
  story.until('its process has ended', () => first.node === null)
  return { story, first }
}

/** Started with nothing but its genesis, it holds none of the replicas that this names, until it knows the map; then it gets its share. */
const comesBack = (story: Story, first: Machine): void => {
  story.start(first)
  let held = false
  story.until('it knows the map', () => {
    held ||= hasFirstOnes(first)
    return knowsTheMap(story, first)
  })
  expect(held).toBe(false)
  story.until('it has its share', () => isAtRest(story) && (first.node?.parts()?.host.all().length ?? 0) > 0, 120_000)
  for (let i = 0; i < 10; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
}

test('a machine that joins anew under a name of the genesis, and dies before it has a map, brings no replica of the genesis back', () => {
  const { story, first } = grownFrom(991)
  first.disk.restore(emptyImage)
  first.hasJoined = true
  first.isInUse = true
  first.isJoining = true
  comesBack(story, first)
  // What it has since is in its log, and the map alone is lost.
  story.kill(first)
  const { files, directories } = first.disk.copy()
  first.disk.restore({ files: new Map([...files].filter(([path]) => path !== 'map.bin')), directories })
  comesBack(story, first)
  story.end()
})
