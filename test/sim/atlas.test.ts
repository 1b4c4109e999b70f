/** Damage leaves a majority of good copies of every shard. */

import { expect, test } from '@jest/globals'
import { mayDamage } from '../../sim/atlas.ts'
import { calmOptions } from '../../sim/options.ts'
import { createSimulation } from '../../sim/simulation.ts'

test('of five copies two may be damaged, of three one, and the same one again', () => {
  for (const [nodes, permitted] of [[3, 1], [5, 2]] as const) {
    const { cluster } = createSimulation({ options: calmOptions(1, { nodes, replicationFactor: nodes }) })
    let damaged = 0
    for (const machine of cluster.machines) {
      if (!mayDamage(cluster, machine)) continue
      machine.isDamaged = true
      damaged += 1
    }
    expect(damaged).toBe(permitted)
    expect(cluster.machines.map((machine) => mayDamage(cluster, machine))).toEqual(cluster.machines.map(({ isDamaged }) => isDamaged))
  }
})
