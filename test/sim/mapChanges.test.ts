/** Changes of the cluster's map as faults: what they may not do together, what they leave alone, their marks, and who must have heard. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { bitFlip } from '../../sim/diskFaults.ts'
import { mapChanges } from '../../sim/mapChanges.ts'
import { maps } from '../../sim/marks/maps.ts'
import { lateMaps } from '../../sim/mapLiveness.ts'
import { newestState } from '../../sim/mapFaults.ts'
import { calmOptions, drawOptions, mapChangeKinds } from '../../sim/options.ts'
import { runSeed } from '../../sim/run.ts'
import { nodeOf, shardId } from '../../topology/ids.ts'
import { must } from '../../actors/kernel/assert.ts'
import { after, n, newborn } from '../actors/topology/states.ts'
import { tellStory } from './story.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { Wish } from '../../actors/topology/protocol.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { FaultAction } from '../../sim/faultContext.ts'
import type { World } from '../../sim/marks/world.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { Story } from './story.ts'

const SAFETY_MS = 6_000

const faultsOf = (seed: number, options: Partial<SimOptions>): readonly string[] => {
  const calm = calmOptions(seed, { joiners: 1, safetyMs: SAFETY_MS, faultEveryMs: 400, mapChangeEveryMs: 400, ...options })
  const { trace, violation } = runSeed({ ...calm, workload: { ...calm.workload, clients: 1 } })
  expect(violation).toBe(null)
  return trace.filter((line) => / sim +fault /.test(line))
}

const strikeIn = (story: Story, action: FaultAction, machine: Machine): void => {
  const { cluster, network, timeline, trace, watch } = story.simulation
  action({
    cluster, network, timeline, trace, random: createRandom(7), leaders: () => [], newestMap: watch.newestMap, isActive: () => true,
    lostAfterMs: story.simulation.options.lostAfterMs, restart: cluster.start,
  }, machine)
}
const firstOf = ({ nodes }: Story): Machine => must(nodes[0], 'a machine')

describe('in one run', () => {
  test('no disk is damaged where replicas were to be given up', () => {
    const story = tellStory(918)
    story.put('k', 'v')
    strikeIn(story, mapChanges.setReplicas, firstOf(story))
    story.until('fewer are asked for', () => story.simulation.cluster.isThinned)
    strikeIn(story, bitFlip, firstOf(story))
    expect(story.nodes.map(({ lives }) => lives)).toEqual([1, 1, 1])
    story.until('they are fewer', () => newestState(story.simulation.cluster)?.shards[0]?.replicas.length === 1, 60_000)
    story.end()
  })

  test.each(['setReplicas', 'forceDrain'] as const)('replicas are not given up where a disk is damaged (%s)', (kind) => {
    const story = tellStory(919)
    story.put('k', 'v')
    firstOf(story).isDamaged = true
    strikeIn(story, mapChanges[kind], firstOf(story))
    story.run(3_000)
    expect([story.simulation.cluster.isThinned, newestState(story.simulation.cluster)?.epoch]).toEqual([false, 1])
    firstOf(story).isDamaged = false
    story.end()
  })
})

test('the other faults are drawn as they are without them', () => {
  const jumps = (changes: SimOptions['mapChanges']): readonly string[] =>
    faultsOf(4, { faults: ['wallJump'], mapChanges: changes }).filter((line) => line.includes('wallJump'))
  expect(jumps(['rezone']).length).toBeGreaterThan(3)
  expect(jumps(['rezone'])).toEqual(jumps([]))
})

test('they are drawn where members change anyway, and not where the faults are given', () => {
  const drawn = Array.from({ length: 100 }, (_, seed) => drawOptions(seed + 1))
  const changing = drawn.filter((options) => options.mapChanges.length > 0)
  expect(changing.length).toBeGreaterThan(10)
  expect(changing.every(({ joiners }) => joiners > 0)).toBe(true)
  expect(new Set(changing.flatMap((options) => options.mapChanges))).toEqual(new Set(mapChangeKinds))
  expect(changing.map(({ seed }) => drawOptions(seed, { faults: [] }).mapChanges.length)).toEqual(changing.map(() => 0))
})

/** The marks that the changes from one state to the next hit. */
const marksOf = (...states: ClusterState[]): readonly string[] => {
  const hits: string[] = []
  const { onMap } = maps.observe((mark) => { hits.push(mark) }, {} as World)
  states.forEach((state, i) => { if (i > 0) onMap?.(state, must(states[i - 1], 'one before it')) })
  return hits
}

test('marks are hit by what they are named after', () => {
  const born = newborn({ size: 3 })
  const chain = (...wishes: Wish[]): readonly string[] =>
    marksOf(...wishes.reduce((states, wish) => [...states, after(must(states.at(-1), 'a state'), wish)], [born]))
  const drained: Wish = { kind: 'drainNode', node: n(1), isForced: true }
  const activated: Wish = { kind: 'activateNode', node: n(1) }
  const first = must(born.shards[0]?.replicas.find((replica) => nodeOf(replica) === n(1)), 'its replica')
  const leaving: Wish = { kind: 'beginMove', group: shardId(0), add: null, remove: first, isPlanned: true }
  const fourth: Wish = { kind: 'addNode', node: n(4), weight: 1, zone: '' }
  expect(chain(drained, activated)).toEqual(['a drain left fewer nodes than replicas', 'a drain was undone'])
  expect(chain(drained, leaving, activated).at(-1)).toBe('a drain was undone while replicas moved away')
  expect(chain(fourth, drained)).toEqual([])
  expect(chain(fourth, { kind: 'removeNode', node: n(4) }, fourth)).toEqual(['a node without replicas was removed'])
  expect(chain({ kind: 'setReplicationFactor', replicationFactor: 1 }, { kind: 'setReplicationFactor', replicationFactor: 3 })).toEqual([
    'shards were to have fewer replicas', 'shards were to have one replica each', 'shards were to have more replicas',
  ])
  expect(chain({ kind: 'setWeight', node: n(2), weight: 3 }, { kind: 'setZone', node: n(2), zone: 'east' }, { kind: 'pause' }))
    .toEqual(['a node changed its weight', 'a node changed its zone'])
})

test('a node that is cut off while the map changes is behind, and has it once all is healed', () => {
  const story = tellStory(917)
  story.put('k', 'v')
  const [follower] = story.followers()
  const cut = must(follower, 'a follower')
  const asked = must(story.nodes.find((machine) => machine !== cut), 'another')
  story.isolate(cut)
  story.until('the map is another', () => {
    asked.node?.propose({ kind: 'setWeight', node: asked.id, weight: 2, expectedEpoch: 1, at: 1, by: 'story', request: 'w' }, () => {})
    return newestState(story.simulation.cluster)?.epoch === 2
  })
  const late = lateMaps(story.simulation, story.nodes)
  story.until('only one is behind', () => late()?.startsWith(`${cut.id} has the map of epoch 1`) === true)
  story.heal()
  story.until('nobody is behind', () => late() === null, 10_000)
  story.end()
})
