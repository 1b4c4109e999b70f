/** What the meta leader wishes for by itself (actors/topology/leading.ts), beside what the group's tests show. */

import { expect, test } from '@jest/globals'
import { apply } from '../../../actors/topology/apply.ts'
import { BALANCE_NAME, defaultBalanceLimits } from '../../../actors/topology/balance.ts'
import { decodeCommand } from '../../../actors/topology/codec.ts'
import { createTopologyCore } from '../../../actors/topology/core.ts'
import { think } from '../../../actors/topology/leading.ts'
import { defaultPlanLimits, plan } from '../../../actors/topology/plan.ts'
import { STILL_MS } from '../../../actors/topology/standstill.ts'
import { wantedOf } from '../../../actors/topology/wanted.ts'
import { nodeOf } from '../../../topology/ids.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { after, asked, genesisOf, n } from './states.ts'
import type { TopologyCore, TopologyLimits } from '../../../actors/topology/core.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Preference } from '../../../actors/topology/protocol.ts'
import type { ReplicaId, ShardId } from '../../../topology/ids.ts'

const BIRTH = { size: 3, shardCount: 16 }
const LIMITS: TopologyLimits = {
  ...defaultPlanLimits, waitingMax: 1_024, snapshotLogBytes: 256 * 1_024, heldEntryBytesMax: 1_048_576, balance: defaultBalanceLimits,
}

/** What it proposes, until it wishes for nothing more. */
const settle = (core: TopologyCore): string[] => {
  const kinds: string[] = []
  for (;;) {
    think(core, 0)
    const proposed = core.effects.splice(0).find(({ type }) => type === 'raft.propose')
    if (proposed?.type !== 'raft.propose') return kinds
    const command = decodeCommand(proposed.payload)
    if ('reason' in command) throw new Error(command.reason)
    kinds.push(command.kind)
    core.state = apply(core.state, command).state
    core.isDeciding = false
  }
}

/** Two shards that trade their leaders, so that each node leads as many as before. */
const trade = (state: ClusterState): readonly Preference[] => {
  const led = state.shards.map(({ replicas }, shard) =>
    ({ shard: shard as ShardId, replicas, leader: nodeOf(must(replicas[0], 'a replica')) }))
  const one = must(led[0], 'a shard')
  const other = must(led.find(({ leader }) => leader !== one.leader), 'another leader')
  const first = (replicas: readonly ReplicaId[], node: string): ReplicaId[] => replicas.toSorted((a, b) =>
    Number(nodeOf(b) === node) - Number(nodeOf(a) === node))
  return [
    { shard: one.shard, replicas: first(one.replicas, other.leader) }, { shard: other.shard, replicas: first(other.replicas, one.leader) },
  ]
}

test('what load has moved is not taken back by the planner', () => {
  const core = createTopologyCore(genesisOf(BIRTH), LIMITS)
  settle(core)
  const preferences = trade(core.state)
  const step = { ...asked(core.state, { kind: 'prefer', preferences }), by: `${BALANCE_NAME}: load of n1 2.00, of n2 0.50 of even` }
  const { state, outcome } = apply(core.state, step)
  expect(outcome.kind).toBe('applied')
  core.state = state
  expect(settle(core)).toEqual([])
})

test('a move that nothing comes of keeps others waiting for a few minutes, and no longer', () => {
  const core = createTopologyCore(genesisOf(BIRTH), { ...LIMITS, movesMax: 1 })
  core.state = after(core.state, { kind: 'addNode', node: n(4), weight: 1, zone: '' })
  expect(settle(core)).toEqual(['beginMove'])
  core.now += STILL_MS - 1
  expect(settle(core)).toEqual([])
  core.now += 1
  expect(settle(core)).toEqual(['beginMove'])
})

/** A follower of one shard goes from n1 to n4, one of another from n4 to n1: every node carries and leads as many as before. */
const exchange = (state: ClusterState): ClusterState => {
  const followerOn = (from: string, to: string): { readonly group: ShardId, readonly remove: ReplicaId } => {
    const group = state.shards.findIndex(({ replicas: [, ...followers], replicas }) =>
      followers.some((replica) => nodeOf(replica) === from) && replicas.every((replica) => nodeOf(replica) !== to)) as ShardId
    return { group, remove: must(state.shards[group]?.replicas.find((replica) => nodeOf(replica) === from), 'a follower') }
  }
  return [{ ...followerOn(n(1), n(4)), add: n(4) }, { ...followerOn(n(4), n(1)), add: n(1) }].reduce((now, move) => {
    const begun = after(now, { kind: 'beginMove', ...move, isPlanned: false })
    const { id } = must(begun.shards[move.group]?.move, 'it has begun')
    return after(begun, { kind: 'promote', move: id }, { kind: 'finish', move: id, result: 'moved' })
  }, state)
}

test('what was moved by hand under a pause stays, where the plan that is shown says that nothing is left to do', () => {
  const core = createTopologyCore(genesisOf({ ...BIRTH, size: 4 }), LIMITS)
  expect(settle(core)).not.toContain('beginMove')
  core.state = after(core.state, { kind: 'pause' })
  settle(core)
  core.state = exchange(core.state)
  expect(settle(core)).toEqual([])
  const { state, limits } = core
  expect(plan({ state, wanted: wantedOf(state, []), lost: [], limits }).all).toEqual([])
  core.state = after(core.state, { kind: 'resume' })
  expect(settle(core)).toEqual([])
})
