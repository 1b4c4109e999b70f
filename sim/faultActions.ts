/**
 * What each fault does, and how it is taken back; those of processes and people here, the others in brokerFaults.ts and diskFaults.ts.
 * Who draws which fault when is faults.ts.
 */

import { between, chance, pick } from '../actors/kernel/random.ts'
import { clog, echo, halfOpen, lateBurst, partition, peersLost } from './brokerFaults.ts'
import { bitFlip, diskFull, diskStall, misdirectedWrite, syncError, zeroSector } from './diskFaults.ts'
import { say } from './faultContext.ts'
import { mapFaults } from './mapFaults.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { FaultAction, Range } from './faultContext.ts'
import type { FaultKind } from './options.ts'

const DOWN_MS: Range = [50, 3_000]
const PAUSE_MS: Range = [50, 2_000]
const LONG_PAUSE_MS: Range = [2_000, 10_000]
const BEHIND_MS: Range = [20, 500]
const WALL_JUMP_MS_MAX = 60_000
/** Longer than a session may be idle, sooner or later. */
const LEAP_MS: Range = [60_000, 1_800_000]
/** Between one node's restart and the next, in a rolling one. */
const ROLL_MS: Range = [300, 3_000]

export const downMs = (random: Random): number => between(random, ...DOWN_MS)

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

/** Half of the time the disk falls behind first, so that there is something to lose or to tear. */
const powerLossOfOne: FaultAction = (context, machine) => {
  const { random, timeline } = context
  if (chance(random, 0.5)) {
    powerLoss(context, machine)
    return
  }
  const { process } = machine
  const ms = between(random, ...BEHIND_MS)
  machine.disk.stallUntil(timeline.now() + 2 * ms)
  timeline.schedule(ms, () => {
    if (context.isActive() && machine.node !== null && machine.process === process) powerLoss(context, machine)
  })
}

const powerLossOfAll: FaultAction = (context) => {
  say(context, 'powerLossOfAll', 'everywhere')
  for (const machine of context.cluster.machines) {
    if (machine.node !== null) powerLoss(context, machine)
    else machine.disk.lostPower()
  }
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

const wallJump: FaultAction = (context, machine) => {
  machine.wallOffsetMs = between(context.random, -WALL_JUMP_MS_MAX, WALL_JUMP_MS_MAX)
  say(context, 'wallJump', `${machine.id} to ${machine.wallOffsetMs} ms`)
}

const drain: FaultAction = (context, machine) => {
  say(context, 'drain', machine.id)
  machine.mayExit = 'drain'
  machine.node?.drain()
}

/** An upgrade by hand: one node after the other, whether or not the last one is back in its quorum. */
const rollingRestart: FaultAction = (context) => {
  const { random, cluster, timeline } = context
  const everyMs = between(random, ...ROLL_MS)
  say(context, 'rollingRestart', `every ${everyMs} ms`)
  cluster.machines.forEach((machine, i) => timeline.schedule(i * everyMs, () => {
    if (!context.isActive() || machine.node === null) return
    cluster.kill(machine)
    context.restart(machine)
  }))
}

/** Somebody moves a leadership by hand, to whomever. */
const handOver: FaultAction = (context, machine) => {
  const { random, cluster, timeline, leaders } = context
  const from = cluster.machines.find(({ id }) => id === pick(random, leaders())) ?? machine
  const led = pick(random, from.node?.parts()?.host.all().filter(({ raft }) => raft.role() === 'leader') ?? [])
  const to = pick(random, led?.raft.status().configuration.voters.filter((voter) => voter !== led.id) ?? [])
  if (led === undefined || to === undefined) return
  say(context, 'handOver', `shard ${led.shard} from ${led.id} to ${to}`)
  timeline.arrive(from.process, () => led.raft.send({ type: 'raft.transferLeadership', to }))
}

/**
 * Machines that were all started with a wrong clock are told the time, or have slept together: every leader steps down with its next tick,
 * unless it was told just before to hand over, and whoever is elected then takes log time ahead with it.
 */
const timeLeap: FaultAction = (context, machine) => {
  const leapMs = between(context.random, ...LEAP_MS)
  for (const machine of context.cluster.machines) machine.wallOffsetMs += leapMs
  say(context, 'timeLeap', `${leapMs} ms, everywhere`)
  handOver(context, machine)
}

export const faultActions: Readonly<Record<FaultKind, FaultAction>> = {
  crash, pause, powerLossOfAll,
  powerLoss: powerLossOfOne,
  partition, clog, lateBurst, wallJump, timeLeap, diskStall, diskFull, syncError, bitFlip, drain,
  halfOpen, peersLost, echo, zeroSector, misdirectedWrite, rollingRestart, handOver,
  ...mapFaults,
}
