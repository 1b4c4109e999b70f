/**
 * The connections of a run's clients: several of each kind, half of them through links where there are any, and one that is never
 * harmed.
 */

import { createSystemClock } from '../../actors/kernel/systemClock.ts'
import { connect, text } from '../../sdk/index.ts'
import { batchOver } from './batches.ts'
import { followNodes } from './mapNodes.ts'
import { rememberedRequestOver, requestOver } from './requests.ts'
import { sdkOver } from './sdk.ts'
import type { Bus } from '../../bus/port.ts'
import type { TestCluster } from '../ground/cluster.ts'
import type { Plan } from '../plan.ts'
import type { NewWay } from './load.ts'

export interface Connections {
  /** One for each client. */
  readonly ways: readonly NewWay[]
  readonly prober: Bus
  /** Whose links may be harmed. */
  readonly linked: readonly string[]
  /** What the SDK rejected, as text. */
  readonly rejections: readonly string[]
  /** Repetitions by the SDK so far. */
  readonly retries: () => number
  readonly close: () => Promise<void>
}

const BUSES = 2

export const connectClients = async (cluster: TestCluster, counts: Plan['clients'], isLinked: boolean): Promise<Connections> => {
  const linked: string[] = []
  const nameOf = (kind: string, i: number): string => `chaos/${kind}${i}`
  const openBus = (kind: string, i: number): Promise<Bus> => {
    if (!isLinked || i % 2 === 1) return cluster.connect(nameOf(kind, i))
    linked.push(nameOf(kind, i))
    return cluster.connectLinked(nameOf(kind, i))
  }
  const prober = await cluster.connect('chaos/prober')
  const requests = await Promise.all(range(BUSES).map((i) => openBus('requests', i)))
  const batches = await Promise.all(range(BUSES).map((i) => openBus('batches', i)))
  const clock = createSystemClock()
  const followed = batches.map((bus) => followNodes({ bus, clock, first: cluster.members.slice() }))
  const doors = batches.flatMap((bus, connection) => {
    const nodes = followed[connection]
    return nodes === undefined ? [] : [batchOver({ bus, connection, nodes, shardCount: cluster.shardCount })]
  })
  const rejections: string[] = []
  const kvs = await Promise.all(range(BUSES).map(async (i) => {
    const name = nameOf('sdk', i)
    if (!isLinked || i % 2 === 1) return await connect({ servers: cluster.url, codec: text, name })
    linked.push(name)
    return await connect({ servers: await cluster.links.add(name), codec: text, name })
  }))
  const among = <T>(count: number, items: readonly T[], way: (item: T) => NewWay): NewWay[] =>
    range(count).flatMap((i) => items.slice(i % items.length, (i % items.length) + 1).map(way))
  return {
    prober,
    linked,
    rejections,
    ways: [
      ...among(counts.requests, requests, (bus) => requestOver(bus)),
      ...among(counts.rememberedRequests, requests, rememberedRequestOver),
      ...among(counts.batches, doors, (door) => door),
      ...among(counts.sdk, kvs, (kv) => sdkOver(kv, rejections)),
    ],
    retries: () => kvs.reduce((sum, kv) => sum + kv.stats().retries, 0),
    close: async () => {
      for (const nodes of followed) nodes.close()
      for (const bus of [prober, ...requests, ...batches]) bus.close()
      await Promise.all(kvs.map((kv) => kv.close()))
    },
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
