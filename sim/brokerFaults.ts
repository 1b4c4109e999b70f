/**
 * Faults of the broker that stands between everybody: partitions in its shapes, links that clog, that are half open, that are lost
 * together.
 */

import { between, chance, pick, shuffle } from '../actors/kernel/random.ts'
import { say } from './faultContext.ts'
import { drawPartition, ownerOf, partitionKinds } from './network.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { FaultAction, FaultContext, FaultsInput, Range } from './faultContext.ts'

const PARTITION_MS: Range = [300, 8_000]
const CLOG_MS: Range = [50, 5_000]
const LATE_BURST_MS: Range = [200, 10_000]
const HALF_OPEN_MS: Range = [300, 6_000]
const RECONNECT_MS: Range = [20, 2_000]
const ECHO_MS: Range = [100, 3_000]
/** Share of partitions that cut off a leader: that is where most can go wrong. */
const LEADER_CUT_SHARE = 0.4

export const partition: FaultAction = (context) => {
  const { random, cluster, network, timeline, leaders } = context
  const kind = chance(random, LEADER_CUT_SHARE) ? 'leaderOnly' : pick(random, partitionKinds) ?? 'halves'
  const drawn = drawPartition({ kind, nodes: cluster.machines.map(({ id }) => id), leader: pick(random, leaders()), random })
  const ms = between(random, ...PARTITION_MS)
  say(context, 'partition', `${drawn.name} for ${ms} ms`)
  network.cut(drawn.isCut)
  if (kind === 'everything') forEachEndpoint(cluster, cluster.broker.disconnect)
  timeline.schedule(ms, () => {
    if (!context.isActive()) return
    mendNetwork(context)
    say(context, 'healed', drawn.name)
  })
}

export const mendNetwork = ({ network, cluster }: FaultsInput): void => {
  network.heal()
  forEachEndpoint(cluster, cluster.broker.reconnect)
}

const forEachEndpoint = ({ machines }: Pick<Cluster, 'machines'>, visit: (endpoint: string) => void): void => {
  for (const { id } of machines) {
    visit(id)
    visit(`${id}/control`)
  }
}

export const clog: FaultAction = (context, machine) => {
  const { random, cluster, network, timeline } = context
  const other = pick(random, cluster.machines)?.id ?? machine.id
  const ms = between(random, ...CLOG_MS)
  say(context, 'clog', `${machine.id} to ${other} for ${ms} ms`)
  network.clog((from, to) => from === machine.id && to === other, timeline.now() + ms)
}

export const lateBurst: FaultAction = (context, machine) => {
  const ms = between(context.random, ...LATE_BURST_MS)
  say(context, 'lateBurst', `${machine.id} after ${ms} ms`)
  context.network.clog((_from, to) => to === machine.id, context.timeline.now() + ms)
}

/** The machines' connections break now, and are made again after a while. */
const reconnectLater = (context: FaultContext, machines: readonly Machine[], ms: number): void => {
  const { cluster, timeline } = context
  forEachEndpoint({ machines }, cluster.broker.disconnect)
  timeline.schedule(ms, () => forEachEndpoint({ machines }, cluster.broker.reconnect))
}

/** Nothing passes either way and nobody is told, until the connection is given up and made again. */
export const halfOpen: FaultAction = (context, machine) => {
  const { random, network, timeline } = context
  const ms = between(random, ...HALF_OPEN_MS)
  const againAfterMs = between(random, ...RECONNECT_MS)
  say(context, 'halfOpen', `${machine.id} for ${ms} ms`)
  network.cut((from, to) => ownerOf(from) !== ownerOf(to) && (ownerOf(from) === machine.id || ownerOf(to) === machine.id))
  timeline.schedule(ms, () => {
    if (!context.isActive()) return
    network.heal()
    reconnectLater(context, [machine], againAfterMs)
  })
}

/** One broker of several dies: all nodes that were connected to it lose their connections at once, and find another. */
export const peersLost: FaultAction = (context) => {
  const { random, cluster } = context
  const lost = shuffle(random, cluster.machines).slice(0, between(random, 1, cluster.machines.length - 1))
  const ms = between(random, ...RECONNECT_MS)
  say(context, 'peersLost', `${lost.map(({ id }) => id).join(' ')} for ${ms} ms`)
  reconnectLater(context, lost, ms)
}

/** What the machine sends meanwhile arrives, and once more after it has connected again: a client that was not sure what it had sent. */
export const echo: FaultAction = (context, machine) => {
  const { random, network, timeline } = context
  const ms = between(random, ...ECHO_MS)
  const againAfterMs = between(random, ...RECONNECT_MS)
  say(context, 'echo', `${machine.id} for ${ms} ms`)
  network.echo((from) => ownerOf(from) === machine.id, { untilMs: timeline.now() + ms, againAtMs: timeline.now() + ms + againAfterMs })
  timeline.schedule(ms, () => {
    if (context.isActive()) reconnectLater(context, [machine], againAfterMs)
  })
}
