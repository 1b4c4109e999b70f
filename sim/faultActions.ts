/**
 * What each fault does, and how it is taken back. Who draws which fault when is faults.ts.
 *
 * Bit flips stay within what the product promises to survive: one damaged node in a run, damage behind at least a few synced commit
 * groups (the last group's window is stated in the guarantees), and only between lives.
 */

import { between, chance, pick } from '../actors/kernel/random.ts'
import { drawPartition, partitionKinds } from './network.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Timeline } from './clock.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { Network } from './network.ts'
import type { FaultKind } from './options.ts'
import type { Trace } from './trace.ts'

type Range = readonly [min: number, max: number]

const DOWN_MS: Range = [50, 3_000]
const PAUSE_MS: Range = [50, 2_000]
const LONG_PAUSE_MS: Range = [2_000, 10_000]
const PARTITION_MS: Range = [300, 8_000]
const CLOG_MS: Range = [50, 5_000]
const LATE_BURST_MS: Range = [200, 10_000]
const WALL_JUMP_MS_MAX = 60_000
const STALL_MS: Range = [100, 5_000]
const FULL_MS: Range = [200, 4_000]
/** Share of partitions that cut off a leader: that is where most can go wrong. */
const LEADER_CUT_SHARE = 0.4
const FREE_BYTES_MAX = 16_384

export interface FaultsInput {
  readonly cluster: Cluster
  readonly network: Network
  readonly timeline: Timeline
  readonly random: Random
  readonly trace: Trace
  /** The names of the nodes that lead something now. */
  readonly leaders: () => readonly string[]
}

export interface FaultContext extends FaultsInput {
  /** The one machine whose disk may be damaged in this run. */
  readonly victim: Machine | undefined
  /** False once everything is being healed: nothing is taken back twice. */
  readonly isActive: () => boolean
  /** Starts the machine again after a while, if it is to live. */
  readonly restart: (machine: Machine) => void
}

export const downMs = (random: Random): number => between(random, ...DOWN_MS)

type FaultAction = (context: FaultContext, machine: Machine) => void

const say = ({ trace }: FaultContext, kind: string, details: string): void => trace.line('sim', 'fault', `${kind} ${details}`)

const crash: FaultAction = (context, machine) => {
  say(context, 'crash', machine.id)
  context.cluster.kill(machine)
  context.restart(machine)
}

const powerLoss: FaultAction = (context, machine) => {
  say(context, 'powerLoss', machine.id)
  context.cluster.losePower(machine)
  context.restart(machine)
}

const powerLossOfAll: FaultAction = (context) => {
  say(context, 'powerLossOfAll', 'everywhere')
  for (const machine of context.cluster.machines) if (machine.node !== null) powerLoss(context, machine)
}

const pause: FaultAction = (context, machine) => {
  const { random, cluster, timeline } = context
  const { process } = machine
  const ms = between(random, ...(chance(random, 0.7) ? PAUSE_MS : LONG_PAUSE_MS))
  say(context, 'pause', `${machine.id} for ${ms} ms`)
  cluster.pause(machine)
  timeline.schedule(ms, () => {
    if (machine.process === process) cluster.resume(machine)
  })
}

const partition: FaultAction = (context) => {
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

const forEachEndpoint = ({ machines }: Cluster, visit: (endpoint: string) => void): void => {
  for (const { id } of machines) {
    visit(id)
    visit(`${id}/control`)
  }
}

const clog: FaultAction = (context, machine) => {
  const { random, cluster, network, timeline } = context
  const other = pick(random, cluster.machines)?.id ?? machine.id
  const ms = between(random, ...CLOG_MS)
  say(context, 'clog', `${machine.id} to ${other} for ${ms} ms`)
  network.clog((from, to) => from === machine.id && to === other, timeline.now() + ms)
}

const lateBurst: FaultAction = (context, machine) => {
  const ms = between(context.random, ...LATE_BURST_MS)
  say(context, 'lateBurst', `${machine.id} after ${ms} ms`)
  context.network.clog((_from, to) => to === machine.id, context.timeline.now() + ms)
}

const wallJump: FaultAction = (context, machine) => {
  machine.wallOffsetMs = between(context.random, -WALL_JUMP_MS_MAX, WALL_JUMP_MS_MAX)
  say(context, 'wallJump', `${machine.id} to ${machine.wallOffsetMs} ms`)
}

const diskStall: FaultAction = (context, machine) => {
  const ms = between(context.random, ...STALL_MS)
  say(context, 'diskStall', `${machine.id} for ${ms} ms`)
  machine.disk.stallUntil(context.timeline.now() + ms)
}

const diskFull: FaultAction = (context, machine) => {
  const freeBytes = between(context.random, 0, FREE_BYTES_MAX)
  const ms = between(context.random, ...FULL_MS)
  say(context, 'diskFull', `${machine.id}, ${freeBytes} bytes left, for ${ms} ms`)
  machine.disk.fill(freeBytes)
  context.timeline.schedule(ms, () => {
    machine.disk.makeRoom()
    say(context, 'diskRoom', machine.id)
  })
}

const syncError: FaultAction = (context, machine) => {
  say(context, 'syncError', machine.id)
  machine.mayExit = 'syncError'
  machine.disk.failNextSync()
}

const bitFlip: FaultAction = (context) => {
  const { cluster, random, victim } = context
  if (victim === undefined || victim.node === null) return
  cluster.kill(victim)
  const place = victim.disk.flipBit(chance(random, 0.5) ? 'snapshot' : 'log')
  if (place !== null) {
    victim.isDamaged = true
    say(context, 'bitFlip', `${victim.id} ${place}`)
  }
  context.restart(victim)
}

const drain: FaultAction = (context, machine) => {
  say(context, 'drain', machine.id)
  machine.mayExit = 'drain'
  machine.node?.drain()
}

export const faultActions: Readonly<Record<FaultKind, FaultAction>> = {
  crash, powerLoss, powerLossOfAll, pause, partition, clog, lateBurst, wallJump, diskStall, diskFull, syncError, bitFlip, drain,
}
