/** What a person sees of damage, by what the replica and the map say. */

import { expect, test } from '@jest/globals'
import { healthOf } from '../../topology/replicaHealth.ts'
import type { Move } from '../../actors/topology/clusterState.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { ReplicaHealth } from '../../topology/report.ts'

const [old, fresh, away] = ['n1:1', 'n1:7', 'n4:7'] as unknown as [ReplicaId, ReplicaId, ReplicaId]
const moving = (add: ReplicaId | null, remove: ReplicaId | null, step: Move['step'] = 'adding'): Move =>
  ({ id: 1, add, remove, step, orderedAt: 2 })

const cases: readonly [name: string, id: ReplicaId, is: 'well' | 'quarantined' | 'suspect', move: Move | null, ReplicaHealth | null][] = [
  ['well', old, 'well', null, null],
  ['with damaged files, and no verdict yet', old, 'suspect', null, 'suspect'],
  ['quarantined', old, 'quarantined', null, 'quarantined'],
  ['quarantined, and its replacement on its own node is under way', old, 'quarantined', moving(fresh, old), 'repairing'],
  ['gone already, and its replacement is under way', old, 'well', moving(fresh, old, 'promoting'), 'repairing'],
  ['the replacement itself', fresh, 'well', moving(fresh, old), 'repairing'],
  ['quarantined, and its replacement elsewhere is under way', old, 'quarantined', moving(away, old), 'repairing'],
  ['well, and leaves', old, 'well', moving(away, old), null],
  ['what comes in the place of another on another node', away, 'well', moving(away, old), null],
  ['quarantined, and its replacement is cancelled', old, 'quarantined', moving(fresh, old, 'undoing'), 'quarantined'],
  ['quarantined, while the group gains another', old, 'quarantined', moving(away, null), 'quarantined'],
]

for (const [name, id, is, move, expected] of cases) {
  test(`a replica that is ${name}: ${expected ?? 'nothing'}`, () => {
    const placement = { replicas: [old], move }
    expect(healthOf({ id, isQuarantined: is === 'quarantined', isSuspect: is === 'suspect' }, placement)).toBe(expected)
  })
}
