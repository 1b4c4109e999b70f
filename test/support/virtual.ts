/** One process on a virtual timeline with a broker in memory: enough for whatever needs a clock and a bus but no cluster. */

import { createMemoryBroker } from '../../bus/memory.ts'
import { createNodeClock, createProcess, createTimeline } from '../../sim/clock.ts'
import type { Clock } from '../../actors/kernel/clock.ts'
import type { MemoryBroker, MemoryBrokerOptions } from '../../bus/memory.ts'

export interface VirtualWorld {
  readonly clock: Clock
  readonly broker: MemoryBroker
  /** Lets this many virtual milliseconds pass. */
  readonly pass: (ms: number) => void
}

export const createVirtualWorld = (options: Omit<MemoryBrokerOptions, 'clock'> = {}): VirtualWorld => {
  const timeline = createTimeline()
  const clock = createNodeClock({ timeline, process: createProcess('test'), rate: 1, wallStartMs: 1_000_000, wallOffsetMs: () => 0 })
  return {
    clock,
    broker: createMemoryBroker({ clock, ...options }),
    pass: (ms) => timeline.runUntil(timeline.now() + ms),
  }
}
