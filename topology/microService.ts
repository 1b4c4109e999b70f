/** The node's entry among the NATS micro services: its endpoints, with what its shards and its batch door have counted. */

import { OpCode } from '../actors/shard/operation.ts'
import { batchSubject } from '../bus/subjects.ts'
import { createMicro } from '../gateway/micro.ts'
import type { ShardMeter } from '../actors/shard/meter.ts'
import type { EndpointStats, Micro } from '../gateway/micro.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { NodeOptions } from './nodeOptions.ts'

/** For a node that was not told its version. */
const VERSION_UNKNOWN = '0.0.0'
const operations = ['get', 'put', 'del', 'incr', 'touch'] as const

export interface MicroServiceOptions {
  readonly node: NodeOptions
  readonly map: Pick<ClusterMap, 'cluster' | 'shardCount'>
  readonly meters: () => readonly ShardMeter[]
  /** Of the front doors. */
  readonly doorCounters: () => Readonly<Record<string, number>>
}

export const createMicroService = ({ node, map, meters, doorCounters }: MicroServiceOptions): Micro => {
  const { genesis, ports, settings, startedAtMs } = node
  const { prefix, inboxPrefix } = settings
  return createMicro({
    bus: ports.controlBus,
    inboxPrefix,
    cluster: map.cluster,
    self: genesis.node,
    prefix,
    shardCount: map.shardCount,
    version: node.version ?? VERSION_UNKNOWN,
    startedAtMs,
    endpoints: () => [
      ...operations.map((name) => endpointOf(prefix, name, meters())),
      {
        name: 'batch', subject: batchSubject(prefix, genesis.node), queueGroup: '', errors: 0, tookMs: 0,
        requests: doorCounters()['batch.batches'] ?? 0,
      },
    ],
  })
}

const endpointOf = (prefix: string, name: (typeof operations)[number], meters: readonly ShardMeter[]): EndpointStats => {
  const code = OpCode[name]
  const sum = (column: 'counts' | 'errors' | 'tookMs'): number => meters.reduce((total, meter) => total + (meter[column][code] ?? 0), 0)
  return {
    name, subject: `${prefix}.${name}.>`, queueGroup: '', requests: sum('counts'), errors: sum('errors'), tookMs: sum('tookMs'),
  }
}
