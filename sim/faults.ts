/**
 * The nemesis: draws a fault every now and then, applies it, and takes it back. `healAll` ends everything that
 * is still in force.
 *
 * Bit flips stay within what the product promises to survive: one damaged node in a run, damage behind at least
 * a few synced commit groups (the last group's window is stated in the guarantees), and only between lives.
 */

import { between, chance, fraction, pick } from '../actors/kernel/random.ts'
import { drawPartition, partitionKinds } from './network.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Cluster, Machine } from './cluster.ts'
import type { Network } from './network.ts'
import type { FaultKind, SimOptions } from './options.ts'
import type { Timeline } from './clock.ts'
import type { Trace } from './trace.ts'

const DOWN_MS = [50, 5_000] as const
const PAUSE_MS_MAX = 10_000
const PARTITION_MS = [300, 8_000] as const
const CLOG_MS_MAX = 5_000
const LATE_BURST_MS_MAX = 10_000
const WALL_JUMP_MS_MAX = 60_000
const STALL_MS_MAX = 5_000
const FULL_MS_MAX = 4_000

export interface FaultsInput {
  readonly options: SimOptions
  readonly cluster: Cluster
  readonly network: Network
  readonly timeline: Timeline
  readonly random: Random
  readonly trace: Trace
  /** The name of a node that leads something, if any. */
  readonly leader: () => string | undefined
}

export interface Faults {
  readonly start: () => void
  /** Stops drawing, ends every fault in force, and starts every machine of `keep`. Others are ended for good. */
  readonly healAll: (keep: readonly Machine[]) => void
  /** What to do with a node that ended by itself. */
  readonly onExit: (machine: Machine, reason: string) => void
  readonly injected: () => number
}

export const createFaults = (input: FaultsInput): Faults => {
  const { options, cluster, network, timeline, random, trace } = input
  const { machines } = cluster
  let isActive = false
  let injected = 0
  /** Machines that are to live, whatever ended their last process. */
  let alive: readonly Machine[] = machines
  /** The one machine whose disk may be damaged in this run. */
  const victim = pick(random, machines)

  const say = (kind: string, details: string): void => trace.line('sim', 'fault', `${kind} ${details}`)
  const running = (): Machine[] => machines.filter(({ node, process }) => node !== null && process.state === 'running')
  const restartAfter = (machine: Machine, ms: number): void => {
    timeline.schedule(ms, () => {
      if (alive.includes(machine) && machine.node === null) cluster.start(machine)
    })
  }
  const down = (machine: Machine, how: 'kill' | 'losePower'): void => {
    cluster[how](machine)
    restartAfter(machine, between(random, ...DOWN_MS))
  }
  const pause = (machine: Machine): void => {
    const ms = chance(random, 0.7) ? between(random, 50, 2_000) : between(random, 2_000, PAUSE_MS_MAX)
    const { process } = machine
    say('pause', `${machine.id} for ${ms} ms`)
    cluster.pause(machine)
    timeline.schedule(ms, () => {
      if (machine.process === process) cluster.resume(machine)
    })
  }
  const partition = (): void => {
    const kind = pick(random, partitionKinds) ?? 'halves'
    const drawn = drawPartition({ kind, nodes: machines.map(({ id }) => id), leader: input.leader(), random })
    const ms = between(random, ...PARTITION_MS)
    say('partition', `${drawn.name} for ${ms} ms`)
    network.cut(drawn.isCut)
    if (kind === 'everything') cutBroker()
    timeline.schedule(ms, () => {
      if (!isActive) return
      network.heal()
      mendBroker()
      say('healed', drawn.name)
    })
  }
  const endpoints = (): string[] => machines.flatMap(({ id }) => [id, `${id}/control`])
  const cutBroker = (): void => {
    for (const endpoint of endpoints()) cluster.broker.disconnect(endpoint)
  }
  const mendBroker = (): void => {
    for (const endpoint of endpoints()) cluster.broker.reconnect(endpoint)
  }
  const flipBit = (): void => {
    if (victim === undefined || victim.node === null) return
    cluster.kill(victim)
    const path = victim.disk.flipBit(chance(random, 0.5) ? 'snapshot' : 'log')
    if (path !== null) {
      victim.isDamaged = true
      say('bitFlip', `${victim.id} ${path}`)
    }
    restartAfter(victim, between(random, ...DOWN_MS))
  }
  const fill = (machine: Machine): void => {
    const freeBytes = between(random, 0, 16_384)
    const ms = between(random, 200, FULL_MS_MAX)
    say('diskFull', `${machine.id}, ${freeBytes} bytes left, for ${ms} ms`)
    machine.disk.fill(freeBytes)
    timeline.schedule(ms, () => {
      machine.disk.makeRoom()
      say('diskRoom', machine.id)
    })
  }

  const apply = (kind: FaultKind, machine: Machine): void => {
    injected += 1
    switch (kind) {
      case 'crash': say(kind, machine.id); down(machine, 'kill'); return
      case 'powerLoss': say(kind, machine.id); down(machine, 'losePower'); return
      case 'powerLossOfAll':
        say(kind, '')
        for (const each of machines) if (each.node !== null) down(each, 'losePower')
        return
      case 'pause': pause(machine); return
      case 'partition': partition(); return
      case 'clog': {
        const other = pick(random, machines)?.id ?? machine.id
        const ms = between(random, 50, CLOG_MS_MAX)
        say(kind, `${machine.id} to ${other} for ${ms} ms`)
        network.clog((from, to) => from === machine.id && to === other, timeline.now() + ms)
        return
      }
      case 'lateBurst': {
        const ms = between(random, 200, LATE_BURST_MS_MAX)
        say(kind, `${machine.id} after ${ms} ms`)
        network.clog((_from, to) => to === machine.id, timeline.now() + ms)
        return
      }
      case 'wallJump':
        machine.wallOffsetMs = between(random, -WALL_JUMP_MS_MAX, WALL_JUMP_MS_MAX)
        say(kind, `${machine.id} to ${machine.wallOffsetMs} ms`)
        return
      case 'diskStall': {
        const ms = between(random, 100, STALL_MS_MAX)
        say(kind, `${machine.id} for ${ms} ms`)
        machine.disk.stallUntil(timeline.now() + ms)
        return
      }
      case 'diskFull': fill(machine); return
      case 'syncError':
        say(kind, machine.id)
        machine.mayExit = kind
        machine.disk.failNextSync()
        return
      case 'bitFlip': flipBit(); return
      case 'drain':
        say(kind, machine.id)
        machine.mayExit = kind
        machine.node?.drain()
        return
    }
    kind satisfies never
  }
  const next = (): void => {
    timeline.schedule(-options.faultEveryMs * Math.log(1 - fraction(random)), () => {
      if (!isActive) return
      const kind = pick(random, options.faults)
      const machine = pick(random, running())
      if (kind !== undefined && machine !== undefined) apply(kind, machine)
      next()
    })
  }

  return {
    start: () => {
      isActive = true
      if (options.faults.length > 0) next()
    },
    healAll: (keep) => {
      isActive = false
      alive = keep
      network.heal()
      network.calm()
      mendBroker()
      for (const machine of machines) {
        machine.disk.makeRoom()
        cluster.resume(machine)
        if (keep.includes(machine)) {
          if (machine.node === null) cluster.start(machine)
        } else if (machine.node !== null) cluster.kill(machine)
      }
    },
    onExit: (machine, reason) => {
      trace.line(machine.id, 'machine', `ended by itself: ${reason}`)
      cluster.losePower(machine)
      restartAfter(machine, between(random, ...DOWN_MS))
    },
    injected: () => injected,
  }
}
