/**
 * One run of one seed: a safety phase under faults, then everything heals for a majority and the cluster must live again, then the
 * books are checked.
 *
 *   safety ──▶ heal a random majority ──▶ every shard commits ──▶ replicas agree        (liveness.ts)
 *          ──▶ read every key ──▶ history against log, exactly once, linearizable       (books.ts)
 *          ──▶ nothing is left unresolved                                                (quiet.ts)
 *
 * Invariants (sim/invariants) hold after every event of all phases. The first problem ends the run.
 */

import { checkBooks } from './books.ts'
import { runLiveness } from './liveness.ts'
import { checkQuiet } from './quiet.ts'
import { describeOptions } from './options.ts'
import { createSimulation } from './simulation.ts'
import type { MarkCounts } from './marks/marks.ts'
import type { SimOptions } from './options.ts'
import type { Simulation } from './simulation.ts'
import type { Violation } from './watch.ts'

export interface RunResult {
  readonly seed: number
  readonly violation: Violation | null
  readonly traceHash: string
  readonly trace: readonly string[]
  readonly figures: RunFigures
}

export interface RunFigures {
  readonly virtualMs: number
  readonly events: number
  readonly operations: number
  readonly acknowledged: number
  readonly committed: number
  readonly faults: number
  /** Those that were left out included. */
  readonly faultsDrawn: number
  /** How often each mark was hit. */
  readonly marks: MarkCounts
}

export const runSeed = (options: SimOptions, onLine?: (line: string) => void): RunResult => {
  const simulation = createSimulation({ options, ...(onLine === undefined ? {} : { onLine }) })
  const { timeline, trace, cluster, workload, faults } = simulation
  trace.line('sim', 'seed', `${options.seed} ${describeOptions(options)}`)
  try {
    for (const machine of cluster.machines) if (machine.isInUse) cluster.start(machine)
    workload.start()
    faults.start()
    timeline.runUntil(options.safetyMs)
    workload.stop()
    if (simulation.violation() === null) runLiveness(simulation)
    if (simulation.violation() === null) checkBooks(simulation)
    if (simulation.violation() === null) checkQuiet(simulation)
  } catch (error) {
    simulation.fail({ invariant: 'nothing throws', text: error instanceof Error ? error.stack ?? error.message : String(error) })
  }
  trace.line('sim', 'end', simulation.violation() === null ? 'all is well' : 'failed')
  return {
    seed: options.seed,
    violation: simulation.violation(),
    traceHash: trace.hash(),
    trace: trace.lines(),
    figures: figuresOf(simulation),
  }
}

const figuresOf = ({ timeline, workload, watch, faults, marks }: Simulation): RunFigures => ({
  virtualMs: timeline.now(),
  events: timeline.events(),
  operations: workload.history().length,
  acknowledged: workload.acknowledged(),
  committed: watch.ledgers.reduce((sum, { lines }) => sum + lines.length, 0),
  faults: faults.injected(),
  faultsDrawn: faults.drawn(),
  marks: marks.end(),
})
