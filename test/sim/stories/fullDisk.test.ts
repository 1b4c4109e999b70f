/**
 * A full disk and the cluster's map: a node that can take nothing more still learns who is in the cluster and lets go of what moved away,
 * since that is what makes room.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { shardOfKey } from '../../../sim/history.ts'
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

const fillUp = (story: Story, machine: Machine, bytes = 4_000): void => {
  machine.disk.fill(FREE_BYTES)
  let i = 0
  story.until('its disk is full', () => {
    story.send('put', `big${i}`, 'x'.repeat(bytes))
    i += 1
    return isFull(machine)
  }, 60_000)
}

const drain = (story: Story, machine: Machine): void => {
  const asked = must(story.nodes.find((one) => one !== machine && !isFull(one)), 'another node')
  let isDecided = false
  story.until('the drain is decided', () => {
    const expectedEpoch = epochOf(asked)
    const wish = { kind: 'drainNode', node: machine.id, isForced: true, expectedEpoch, at: 1, by: 'story', request: '' } as const
    if (!isDecided) asked.node?.propose(wish, (outcome) => { isDecided ||= outcome?.kind === 'applied' })
    return isDecided
  })
}

test('a node whose disk is full is drained: it learns what has moved away, lets go of it, and leaves', () => {
  const story = tellStory(1904, { ...options, nodes: 4 })
  story.putMany('k', 20)
  const [first] = story.nodes as [Machine]
  fillUp(story, first)
  drain(story, first)
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

/**
 * Story: 1. A small shard moves to a node whose disk is full. Its snapshot fits, so it has caught up, and is to vote. 2. No leader takes a
 * voter whose disk writes nothing. 3. The operator drains that node.
 */
test('a move whose last step stands still, because its target\'s disk is full, is taken back when that node is drained', () => {
  const story = tellStory(1906, { nodes: 5, shards: 6, segmentBytes: SEGMENT_BYTES, snapshotLogBytes: 8 * 1_024 })
  story.putMany('k', 20)
  const countOf = (machine: Machine): number =>
    stateOf(story).shards.filter(({ replicas }) => replicas.some((replica) => nodeOf(replica) === machine.id)).length
  const [target, ...others] = [...story.nodes].sort((a, b) => countOf(a) - countOf(b)) as [Machine, ...Machine[]]
  fillUp(story, target, 1_000)
  drain(story, must(others.at(-1), 'the one with most'))
  const isLastStep = (): boolean =>
    movesOf(stateOf(story)).some(({ move: { add, step } }) => step === 'promoting' && add !== null && nodeOf(add) === target.id)
  story.until('the last step of a move to it is ordered', isLastStep, MOVED_MS)
  story.run(MOVED_MS)
  expect(isLastStep()).toBe(true)
  drain(story, target)
  story.until('it is taken back', () => !isLastStep(), MOVED_MS)
  for (let i = 0; i < 20; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
})

/**
 * Story: 1. n1's disk is full. Shard 0 is written on: what n1 is sent of it waits. 2. Its leadership moves; n1's new term may not overtake
 * what waits. 3. That went along, as far as it fitted, into what n1 keeps for votes and tombstones. 4. n1 is drained: all has moved
 * away, no tombstone finds a place, and n1 carries its replicas for ever.
 */
test('a node whose disk is full and that is sent more of a busy shard is drained all the same', () => {
  const story = tellStory(1907, { ...options, nodes: 4, raftLimits: { appendsInFlightMax: 64 } })
  story.putMany('k', 20)
  const first = must(story.followers()[0], 'a follower of shard 0')
  fillUp(story, first)
  const waiting = (): number => first.node?.parts()?.wal.backlogBytes() ?? 0
  const keys = Array.from({ length: 100 }, (_, i) => `busy${i}`)
  const key = must(keys.find((each) => shardOfKey(each, options.shards) === 0), 'a key of shard 0')
  story.until('much of shard 0 waits', () => {
    story.send('put', key, 'x'.repeat(4_000))
    return waiting() > SEGMENT_BYTES
  })
  const from = story.leaderBut(first)
  const to = must(story.followers().find((machine) => machine !== first), 'one more of shard 0')
  story.handOver(from, to)
  story.until('it is led by another', () => story.leaderBut(first) !== from)
  story.run(1_000)
  expect([isFull(first), waiting() > 0]).toEqual([true, true])
  drain(story, first)
  story.until('it has left', () => !first.isInUse, MOVED_MS)
  for (let k = 0; k < 20; k += 1) expect(story.get(`k${k}`)).toBe(String(k))
})
