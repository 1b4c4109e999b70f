/**
 * The nemesis: draws a fault every now and then from those its seed has enabled, and ends everything in the end. Changes of the map,
 * calamities and lost files come from streams of their own: whether or not there are any, the other faults are drawn as they are.
 */

import { createRandom, fraction, pick } from '../actors/kernel/random.ts'
import { mendNetwork } from './brokerFaults.ts'
import { calamities } from './calamities.ts'
import { downMs, faultActions } from './faultActions.ts'
import { fileFaults, snapshotRot } from './fileFaults.ts'
import { mapChanges } from './mapChanges.ts'
import { hasLeft } from './mapFaults.ts'
import { streamOf } from './stream.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Machine } from './cluster.ts'
import type { Exit, FaultAction, FaultContext, FaultsInput } from './faultContext.ts'
import type { FaultKind, SimOptions } from './options.ts'

/** What happens more often than the rest when its seed has enabled it: cuts are where leaders are deposed. */
const shares: Readonly<Partial<Record<FaultKind, number>>> = { partition: 4, pause: 2, crash: 2 }

export interface Faults {
  readonly start: () => void
  /** Stops drawing, ends every fault in force, and lets the machines of `keep` live. Others are ended for good. */
  readonly healAll: (keep: readonly Machine[]) => void
  /** What to do with a node that ended by itself. */
  readonly onExit: (machine: Machine, exit: Exit) => void
  readonly injected: () => number
  /** Skipped ones included. */
  readonly drawn: () => number
}

/** What is drawn from `from`, each action as likely as the next. */
interface FaultStream {
  readonly from: Random
  readonly everyMs: number
  readonly actions: readonly FaultAction[]
}

const streamsOf = (options: SimOptions, random: Random): readonly FaultStream[] => [
  {
    from: random,
    everyMs: options.faultEveryMs,
    actions: options.faults.flatMap((kind) => Array.from({ length: shares[kind] ?? 1 }, () => faultActions[kind])),
  },
  {
    from: streamOf(options.seed, 'changes of the map'),
    everyMs: options.mapChangeEveryMs,
    actions: options.mapChanges.map((kind) => mapChanges[kind]),
  },
  {
    from: streamOf(options.seed, 'calamities'),
    everyMs: options.calamityEveryMs,
    actions: options.calamities.map((kind) => calamities[kind]),
  },
  {
    from: streamOf(options.seed, 'lost files'),
    everyMs: options.fileFaultEveryMs,
    actions: options.fileFaults.map((kind) => fileFaults[kind]),
  },
  {
    from: streamOf(options.seed, 'snapshots that rot'),
    everyMs: options.rotEveryMs,
    actions: options.rotEveryMs === 0 ? [] : [snapshotRot],
  },
]

export const createFaults = (options: SimOptions, input: FaultsInput): Faults => {
  const { cluster, network, timeline, random, trace } = input
  const { machines } = cluster
  const skipped = new Set(options.skippedFaults)
  let isActive = false
  let drawn = 0
  let injected = 0
  /** Machines that are to live, whatever ended their last process. */
  let alive: readonly Machine[] = machines

  const restart = (machine: Machine, ms: number): void => {
    timeline.schedule(ms, () => {
      if (alive.includes(machine) && machine.isInUse && machine.node === null) cluster.start(machine)
    })
  }
  const context: Omit<FaultContext, 'random' | 'restart'> = { ...input, isActive: () => isActive }
  const exits = createRandom(random.uint32())
  const next = (stream: FaultStream): void => {
    const { from, everyMs, actions } = stream
    timeline.schedule(-everyMs * Math.log(1 - fraction(from)), () => {
      if (!isActive) return
      const action = pick(from, actions)
      const machine = pick(from, machines.filter(({ node, process }) => node !== null && process.state === 'running'))
      // What a fault draws is its own, so that leaving one out changes nothing about when the others come.
      const own = createRandom(from.uint32())
      if (action !== undefined && machine !== undefined && !skipped.has(drawn)) {
        injected += 1
        action({ ...context, random: own, restart: (ended, ms = downMs(own)) => restart(ended, ms) }, machine)
      }
      drawn += 1
      next(stream)
    })
  }

  return {
    start: () => {
      isActive = true
      for (const stream of streamsOf(options, random)) if (stream.actions.length > 0) next(stream)
    },
    healAll: (keep) => {
      isActive = false
      alive = keep
      mendNetwork(input)
      network.calm()
      for (const machine of machines) {
        machine.disk.makeRoom()
        cluster.resume(machine)
        if (!keep.includes(machine)) {
          if (machine.node !== null) cluster.kill(machine)
        } else if (machine.isInUse && machine.node === null) cluster.start(machine)
      }
    },
    onExit: (machine, exit) => {
      trace.line(machine.id, 'machine', `ended by itself: ${exit.reason}`)
      machine.isInUse = !hasLeft(cluster, machine, exit)
      // Its machine goes on: what it had not synced waits in the cache for the next process, which must not take it for durable.
      cluster.kill(machine)
      restart(machine, downMs(exits))
    },
    injected: () => injected,
    drawn: () => drawn,
  }
}
