/**
 * A full disk and the cluster's map: a node that can take nothing more still learns who is in the cluster and lets go of what moved away,
 * since that is what makes room.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { nodeOf } from '../../../topology/ids.ts'
import { tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const SEGMENT_BYTES = 64 * 1_024
/** Less than the next segment needs, enough for a map. */
const FREE_BYTES = 32 * 1_024
const MOVED_MS = 120_000

const options = { shards: 4, segmentBytes: SEGMENT_BYTES, snapshotLogBytes: 1_024 * 1_024 }

const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody runs')
const epochOf = ({ node }: Machine): number => node?.parts()?.live.state().epoch ?? 0
const isFull = ({ node }: Machine): boolean => node?.report().node.diskFull === true

const fillUp = (story: Story, machine: Machine): void => {
  machine.disk.fill(FREE_BYTES)
  let i = 0
  story.until('its disk is full', () => {
    story.send('put', `big${i}`, 'x'.repeat(4_000))
    i += 1
    return isFull(machine)
  }, 60_000)
}

test('a node whose disk is full is drained: it learns what has moved away, lets go of it, and leaves', () => {
  const story = tellStory(1904, { ...options, nodes: 4 })
  story.putMany('k', 20)
  const [first, second] = story.nodes as [Machine, Machine]
  fillUp(story, first)
  let isDecided = false
  story.until('the drain is decided', () => {
    const expectedEpoch = epochOf(second)
    const wish = { kind: 'drainNode', node: first.id, isForced: false, expectedEpoch, at: 1, by: 'story', request: '' } as const
    if (!isDecided) second.node?.propose(wish, (outcome) => { isDecided ||= outcome?.kind === 'applied' })
    return isDecided
  })
  story.until('it has left', () => !first.isInUse, MOVED_MS)
  for (let i = 0; i < 20; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
})

/**
 * Story: 1. n1's disk is full, and it keeps the map of three nodes. 2. n4 joins, and takes places of n2 and n3. 3. n1 refuses the frames of
 * n4, whom its map does not name. 4. n2 dies: of a shard of n1, n2 and n4 a majority lives, and nobody can be elected.
 */
test('a node whose disk is full knows who joined since, so that a majority with it elects a leader', () => {
  const story = tellStory(1905, { ...options, nodes: 3, joiners: 1 })
  story.putMany('k', 20)
  const [first, , , fourth] = story.nodes as [Machine, Machine, Machine, Machine]
  fillUp(story, first)
  story.simulation.cluster.join(fourth)
  const placesOf = (): string[][] => stateOf(story).shards.map(({ replicas }) => replicas.map(nodeOf))
  story.until('the fourth has its share', () =>
    movesOf(stateOf(story)).length === 0 && placesOf().filter((nodes) => nodes.includes(fourth.id)).length === 3, MOVED_MS)
  story.until('the full one knows', () => epochOf(first) === stateOf(story).epoch, 10_000)
  expect(isFull(first)).toBe(true)
  const places = placesOf()
  const shard = places.findIndex((nodes) => nodes.includes(first.id) && nodes.includes(fourth.id))
  const other = must(story.nodes.find((one) => one !== first && one !== fourth && places[shard]?.includes(one.id)), 'one more')
  story.kill(other)
  const isServing = ({ node }: Machine): boolean =>
    node?.report().replicas.some((replica) => replica.shard === shard && replica.state === 'leading.serving') === true
  story.until('the shard is led', () => story.nodes.some((one) => one !== other && isServing(one)), 60_000)
})
