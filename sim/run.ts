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
import type { SimRecording } from './recording.ts'
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
  /** That clients began, whatever came of them: all are checked. */
  readonly operations: number
  /** Of those, the ones that the cluster decided and said so. */
  readonly answered: number
  /** Writes. */
  readonly acknowledged: number
  readonly committed: number
  readonly faults: number
  /** Those that were left out included. */
  readonly faultsDrawn: number
  /** How often each mark was hit. */
  readonly marks: MarkCounts
}

export interface RunListeners {
  readonly onLine?: (line: string) => void
  readonly recording?: SimRecording
}

/** A run that has begun: whoever looks on drives its safety phase piece by piece, and ends it. */
export interface OpenRun {
  readonly simulation: Simulation
  /** Whatever is left of the safety phase, and all that comes after it. Once. */
  readonly finish: () => RunResult
}

export const runSeed = (options: SimOptions, listeners: RunListeners = {}): RunResult => openRun(options, listeners).finish()

export const openRun = (options: SimOptions, listeners: RunListeners = {}): OpenRun => {
  const simulation = createSimulation({ options, ...listeners })
  const { timeline, trace, cluster, workload, faults } = simulation
  trace.line('sim', 'seed', `${options.seed} ${describeOptions(options)}`)
  failing(simulation, () => {
    for (const machine of cluster.machines) if (machine.isInUse) cluster.start(machine)
    workload.start()
    faults.start()
  })
  const finish = (): RunResult => {
    failing(simulation, () => {
      timeline.runUntil(options.safetyMs)
      workload.stop()
      if (simulation.violation() === null) runLiveness(simulation)
      if (simulation.violation() === null) checkBooks(simulation)
      if (simulation.violation() === null) checkQuiet(simulation)
    })
    trace.line('sim', 'end', simulation.violation() === null ? 'all is well' : 'failed')
    return {
      seed: options.seed,
      violation: simulation.violation(),
      traceHash: trace.hash(),
      trace: trace.lines(),
      figures: figuresOf(simulation),
    }
  }
  return { simulation, finish }
}

/** What throws has failed. */
export const failing = ({ fail }: Simulation, run: () => void): void => {
  try {
    run()
  } catch (error) {
    fail({ invariant: 'nothing throws', text: error instanceof Error ? error.stack ?? error.message : String(error) })
  }
}

const figuresOf = ({ timeline, workload, watch, faults, marks }: Simulation): RunFigures => ({
  virtualMs: timeline.now(),
  events: timeline.events(),
  operations: workload.history().length,
  answered: workload.history().filter(({ outcome }) => outcome.kind === 'answered').length,
  acknowledged: workload.acknowledged(),
  committed: watch.ledgers.reduce((sum, { lines }) => sum + lines.length, 0),
  faults: faults.injected(),
  faultsDrawn: faults.drawn(),
  marks: marks.end(),
})
