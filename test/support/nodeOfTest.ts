/** One whole node on a virtual timeline, a cluster of its own, with real instruments: for what it says of itself. */

import { createRandom } from '../../actors/kernel/random.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { must } from '../../actors/kernel/assert.ts'
import { createInstruments } from '../../observe/instruments.ts'
import { createExposition } from '../../observe/metrics/exposition.ts'
import { processReadings } from '../../observe/metrics/processReadings.ts'
import { createRequestSpans } from '../../observe/tracing/requestSpans.ts'
import { createSpanDrops } from '../../observe/tracing/spanDrops.ts'
import { sampling } from '../../observe/tracing/sampling.ts'
import { createVitals } from '../../observe/vitals.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { createGenesis } from '../../topology/clusterMap.ts'
import { bootId, clusterId, nodeId } from '../../topology/ids.ts'
import { createNode } from '../../topology/node.ts'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { parseExposition } from './exposition.ts'
import { createVirtualWorld } from './virtual.ts'
import type { MemoryBrokerOptions } from '../../bus/memory.ts'
import type { Bus } from '../../bus/port.ts'
import type { FinishedSpan } from '../../observe/tracing/span.ts'
import type { NodeOptions } from '../../topology/nodeOptions.ts'
import type { Node } from '../../topology/node.ts'
import type { Scrape } from './exposition.ts'
import type { VirtualWorld } from './virtual.ts'

export interface NodeOfTest extends VirtualWorld {
  readonly node: Node
  readonly client: Bus
  readonly spans: readonly FinishedSpan[]
  /** A plain request; nothing is awaited, time passes by `pass`. */
  readonly send: (subject: string, value?: string, headers?: Readonly<Record<string, string>>) => void
  /** The text itself, and what a scraper makes of it. */
  readonly scrape: (isOpenMetrics?: boolean) => Promise<Scrape & { readonly text: string; readonly contentType: string }>
}

export const SHARDS_OF_TEST = 2

/** Serves when this returns. */
export const startNodeOfTest = (
  ports: Partial<NodeOptions['ports']> = {}, brokerOptions: Omit<MemoryBrokerOptions, 'clock' | 'mappings'> = {},
): NodeOfTest => {
  const world = createVirtualWorld({ ...brokerOptions, mappings: { prefix: 'kv', shardCount: SHARDS_OF_TEST } })
  const { clock, broker, pass } = world
  const genesis = must(createGenesis({
    cluster: clusterId('0123456789abcdef'), members: [nodeId('n1')], shardCount: SHARDS_OF_TEST, replicationFactor: 1, createdAtMs: 1,
  })[0], 'the record of n1')
  const vitals = createVitals(defaultSettings.tickMs, () => ({ freeBytes: 1, totalBytes: 2 }))
  const instruments = createInstruments(() => clock.wall() / 1_000)
  const spans: FinishedSpan[] = []
  const drops = createSpanDrops()
  let ids = 0
  const id = (digits: number) => (): string => {
    ids += 1
    return ids.toString(16).padStart(digits, '0')
  }
  const spanIds = { trace: id(32), span: id(16) }
  const tracing = sampling(createRequestSpans({ clock, ids: spanIds, drops, sink: (span) => spans.push(span) }), {
    ratio: 0, perSecondMax: 100, clock, ids: spanIds, random: () => 0,
  })
  const node = createNode({
    genesis, boot: bootId('00000000000000aa'), pid: 1, startedAtMs: clock.wall(), settings: defaultSettings, onExit: () => {},
    ports: {
      clock, random: createRandom(1), fileSystem: createMemoryFileSystem({ schedule: (fn) => clock.defer(fn) }), log: silentLogger,
      bus: broker.connect({ name: 'n1' }), doorsBus: broker.connect({ name: 'n1/doors' }),
      controlBus: broker.connect({ name: 'n1/control' }), vitals, instruments: instruments.ports, tracing: tracing.tracing,
      ...ports,
    },
  })
  const render = createExposition(() => ({
    records: instruments.records, node: node.sample(),
    process: processReadings({ version: '1.2.3', loopDelayMicros: vitals.loopDelayMicros, lostLogLines: 0 }),
    traces: { ...tracing.counts(), exported: 0, failed: 0, dropped: drops.counts(), waiting: 0 },
  }), clock)
  for (let waited = 0; node.state() !== 'serving' && waited < 60_000; waited += 100) pass(100)
  pass(2_000)
  const client = broker.connect({ name: 'client' })
  client.subscribe('_INBOX.me', () => {})
  return {
    ...world, node, client, spans,
    send: (subject, value = '', headers = {}) => {
      client.publish(subject, new TextEncoder().encode(value), { reply: '_INBOX.me', headers: new Map(Object.entries(headers)) })
    },
    scrape: async (isOpenMetrics = false) => {
      const written = await render(isOpenMetrics)
      return { ...parseExposition(written.text), ...written }
    },
  }
}
