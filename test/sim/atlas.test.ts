/** Damage leaves a majority of good copies of every group, whatever has moved since the cluster was born. */

import { expect, test } from '@jest/globals'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { harm, hasDamage, isHarmed, mayDamage } from '../../sim/atlas.ts'
import { META_GROUP, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { after, genesisOf } from '../actors/topology/states.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { GroupId } from '../../topology/ids.ts'

const machinesOf = ({ nodes }: ClusterState) => nodes.map(({ id }) =>
  ({ id, isDamaged: false, soundFrom: 0, rotten: new Map<GroupId, number>() }))
const n1 = nodeId('n1')

test('of five copies two may be damaged, of three one, and the same one again', () => {
  for (const [size, permitted] of [[3, 1], [5, 2]] as const) {
    const state = adoptGenesis(genesisOf({ size, replicationFactor: size }))
    const machines = machinesOf(state)
    let damaged = 0
    for (const machine of machines) {
      if (!mayDamage(machines, state, machine)) continue
      Object.assign(machine, { isDamaged: true, soundFrom: state.nextGeneration })
      damaged += 1
    }
    expect(damaged).toBe(permitted)
    expect(machines.map((machine) => mayDamage(machines, state, machine))).toEqual(machines.map(({ isDamaged }) => isDamaged))
  }
})

test('once the damaged one is replaced another may be, and not before', () => {
  const state = adoptGenesis(genesisOf({ size: 3, shardCount: 1 }))
  const machines = machinesOf(state)
  const [first, second] = machines as [Parameters<typeof harm>[0], Parameters<typeof harm>[0], Parameters<typeof harm>[0]]
  harm(first, state)
  let now = state
  for (const group of [shardId(0), 'meta' as const]) {
    const { nextMove: move } = now
    now = after(now, { kind: 'beginMove', group, add: n1, remove: replicaId(n1, 1), isPlanned: true }, { kind: 'promote', move })
    expect(mayDamage(machines, now, second)).toBe(false)
    now = after(now, { kind: 'finish', move, result: 'moved' })
  }
  expect(mayDamage(machines, now, second)).toBe(true)
  expect([isHarmed(first, META_GROUP, replicaId(n1, 1)), isHarmed(first, META_GROUP, replicaId(n1, 2))]).toEqual([true, false])
})

test('a damaged snapshot harms its group, and the replicas that were there', () => {
  const state = adoptGenesis(genesisOf({ size: 3, shardCount: 2 }))
  const machines = machinesOf(state)
  const [first, second] = machines as [Parameters<typeof harm>[0], Parameters<typeof harm>[0], Parameters<typeof harm>[0]]
  harm(first, state, 'snapshots/1/00000000000000000012-3.snap at 40')
  const harmed = (generation: number): boolean[] => [0, 1, META_GROUP].map((group) => isHarmed(first, group, replicaId(n1, generation)))
  expect([harmed(1), harmed(state.nextGeneration)]).toEqual([[false, true, false], [false, false, false]])
  expect([first.isDamaged, hasDamage(first), hasDamage(second)]).toEqual([false, true, false])
  expect([mayDamage(machines, state, second), mayDamage(machines, state, first)]).toEqual([false, true])
  harm(second, state, '1.wal at 4096')
  expect(second.isDamaged).toBe(true)
})
