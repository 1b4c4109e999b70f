/** Commands of every kind, drawn at random: most of them make sense for a small cluster, some do not. */

import fc from 'fast-check'
import { replicaId, shardId } from '../../../topology/ids.ts'
import { n } from './states.ts'
import type { Wish } from '../../../actors/topology/protocol.ts'

const node = fc.integer({ min: 1, max: 7 }).map(n)
const shard = fc.integer({ min: 0, max: 4 }).map(shardId)
const replica = fc.tuple(node, fc.integer({ min: 1, max: 9 })).map(([id, generation]) => replicaId(id, generation))
const zone = fc.constantFrom('', 'a', 'b', 'C')
const move = fc.integer({ min: 0, max: 12 })
const level = fc.integer({ min: 1, max: 4 })
const weight = fc.integer({ min: 0, max: 66 })

export const wishArb: fc.Arbitrary<Wish> = fc.oneof(
  fc.record({ kind: fc.constant('addNode' as const), node, weight, zone }),
  fc.record({ kind: fc.constant('addNode' as const), node, weight, zone, levels: fc.record({ min: level, max: level }) }),
  fc.record({ kind: fc.constant('raiseLevel' as const), level, knownBy: fc.array(node, { maxLength: 7 }) }),
  fc.record({ kind: fc.constant('raiseLevel' as const), level, knownBy: fc.constant([1, 2, 3, 4, 5, 6, 7].map(n)) }),
  fc.record({ kind: fc.constant('drainNode' as const), node, isForced: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('activateNode' as const, 'removeNode' as const), node }),
  fc.record({ kind: fc.constant('setWeight' as const), node, weight }),
  fc.record({ kind: fc.constant('setZone' as const), node, zone }),
  fc.record({ kind: fc.constant('setReplicationFactor' as const), replicationFactor: fc.integer({ min: 0, max: 6 }) }),
  fc.record({ kind: fc.constant('setBalance' as const), isOn: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const) }),
  fc.record({ kind: fc.constant('beginMove' as const), group: fc.oneof(shard, fc.constant('meta' as const)), add: fc.option(node),
    remove: fc.option(replica), isPlanned: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('promote' as const, 'cancel' as const), move }),
  fc.record({ kind: fc.constant('finish' as const), move, result: fc.constantFrom('moved' as const, 'undone' as const) }),
  fc.record({ kind: fc.constant('prefer' as const),
    preferences: fc.array(fc.record({ shard, replicas: fc.array(replica, { maxLength: 3 }) }), { maxLength: 3 }) }),
)
