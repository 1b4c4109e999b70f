/**
 * Who is taken for lost, and who is only not heard: five nodes, four shards of three replicas, and a patience of five seconds.
 * topology/absences.ts says which silences count.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { movesOf } from '../../../actors/topology/clusterState.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { doorsOf } from '../../../sim/network.ts'
import { MUTE_PATIENCE } from '../../../topology/absences.ts'
import { nodeOf } from '../../../topology/ids.ts'
import { tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const PATIENCE_MS = 5_000
const KEYS = 10

const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody runs')
const leadsMeta = ({ node }: Machine): boolean => node?.parts()?.host.meta()?.raft.role() === 'leader'
const sees = (observer: Machine, of: Machine): string | undefined =>
  observer.node?.report().gossip?.peers.find(({ node }) => node === of.id)?.state

const replicasOn = ({ shards }: ClusterState, { id }: Machine): number =>
  shards.filter(({ replicas }) => replicas.some((replica) => nodeOf(replica) === id)).length

/** Nothing is left to do, and everybody knows. */
const isAtRest = (story: Story): boolean => story.nodes.some(({ node }) => {
  const meta = node?.parts()?.host.meta()?.actor
  return meta?.state() === 'leading.watching' && meta.status().state.epoch === stateOf(story).epoch
})

/** `before`: the map at rest. `leader` leads the meta group; `other` has replicas. */
const fiveNodes = (seed: number) => {
  const story = tellStory(seed, { nodes: 5, shards: 4, lostAfterMs: PATIENCE_MS })
  story.putMany('k', KEYS)
  story.until('nothing is left to do', () => isAtRest(story), 120_000)
  const before = stateOf(story)
  const leader = must(story.nodes.find(leadsMeta), 'somebody leads the meta group')
  const other = must(story.nodes.find((machine) => machine !== leader && replicasOn(before, machine) > 0), 'another has replicas')
  return { story, before, leader, other }
}

const untilMovedAway = (story: Story, machine: Machine): void => story.until(`${machine.id} has no replica`, () =>
  movesOf(stateOf(story)).length === 0 && replicasOn(stateOf(story), machine) === 0, 120_000)

const end = (story: Story): void => {
  for (let i = 0; i < KEYS; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
  story.end()
}

const connectionsOf = ({ id }: Machine): readonly string[] => [id, doorsOf(id), `${id}/control`]

test('an outage of the broker that lasts longer than anybody is waited for moves nothing, though not all are back at once', () => {
  const { story, before } = fiveNodes(931)
  const { broker } = story.simulation.cluster
  story.nodes.flatMap(connectionsOf).forEach(broker.disconnect)
  story.run(3 * PATIENCE_MS)
  for (const machine of story.nodes) {
    connectionsOf(machine).forEach(broker.reconnect)
    story.run(200)
  }
  story.run(3 * PATIENCE_MS)
  expect(stateOf(story)).toEqual(before)
  end(story)
})

test('nor does an outage that nobody was told of, in which all hold each other for dead', () => {
  const { story, before } = fiveNodes(932)
  const { network } = story.simulation
  network.cut(() => true)
  const pairs = story.nodes.flatMap((one) => story.nodes.filter((other) => other !== one).map((other) => [one, other] as const))
  story.until('all hold each other for dead', () => pairs.every(([one, other]) => sees(one, other) === 'dead'), 300_000)
  story.heal()
  story.run(3 * PATIENCE_MS)
  expect(stateOf(story)).toEqual(before)
  end(story)
})

test('a process that was stopped for longer than that takes nobody for lost when it wakes', () => {
  const { story, before } = fiveNodes(933)
  story.pause(...story.nodes)
  story.run(3 * PATIENCE_MS)
  for (const machine of story.nodes) {
    story.resume(machine)
    story.run(200)
  }
  story.run(3 * PATIENCE_MS)
  expect(stateOf(story)).toEqual(before)
  end(story)
})

test('two nodes that do not hear each other, while third ones hear both, keep their replicas', () => {
  const { story, before, leader, other } = fiveNodes(934)
  story.sever(leader, other)
  story.run(5 * PATIENCE_MS)
  expect([sees(leader, other), sees(other, leader), leadsMeta(leader)]).toEqual(['alive', 'alive', true])
  expect(stateOf(story)).toEqual(before)
  story.heal()
  end(story)
})

test('a node that has ended is replaced when it has been silent for so long, and no sooner', () => {
  const { story, before, other } = fiveNodes(935)
  story.kill(other)
  story.run(PATIENCE_MS - 1_000)
  expect(stateOf(story)).toEqual(before)
  story.until('it is being replaced', () => movesOf(stateOf(story)).length > 0, 30_000)
  untilMovedAway(story, other)
  end(story)
})

test('a node that gossips on without its data path is waited for many times as long, then replaced, and balanced in again', () => {
  const { story, before, leader, other } = fiveNodes(936)
  const { broker } = story.simulation.cluster
  broker.disconnect(other.id)
  story.run((MUTE_PATIENCE - 1) * PATIENCE_MS)
  expect(stateOf(story)).toEqual(before)
  untilMovedAway(story, other)
  expect(sees(leader, other)).toBe('alive')
  broker.reconnect(other.id)
  story.until('it has replicas again', () => replicasOn(stateOf(story), other) > 0 && isAtRest(story), 120_000)
  end(story)
})
