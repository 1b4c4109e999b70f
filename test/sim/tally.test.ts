/** The figures of runs: what was answered is told apart from what was begun, and both are added up. */

import { expect, test } from '@jest/globals'
import { calmOptions } from '../../sim/options.ts'
import { openRun } from '../../sim/run.ts'
import { createTally } from '../../sim/tally.ts'
import type { RunFigures } from '../../sim/run.ts'
import type { Simulation } from '../../sim/simulation.ts'

const figuresOf = (seed: number, before: (simulation: Simulation) => void = () => {}): RunFigures => {
  const calm = calmOptions(seed, { safetyMs: 3_000 })
  const run = openRun({ ...calm, workload: { ...calm.workload, clients: 2 } })
  before(run.simulation)
  const { violation, figures } = run.finish()
  expect(violation).toBeNull()
  return figures
}

test('an operation is answered when the cluster decided it and said so; all are checked', () => {
  const served = figuresOf(1)
  const unserved = figuresOf(1, ({ cluster, timeline }) => {
    timeline.schedule(500, () => cluster.machines.forEach((machine) => cluster.kill(machine)))
  })
  expect(served.answered).toBeGreaterThan(unserved.answered)
  expect(unserved.answered).toBeLessThan(unserved.operations)
  const tally = createTally()
  for (const figures of [served, unserved]) tally.add({ seed: 1, violation: null, traceHash: '', figures })
  expect(tally.figures()).toMatchObject({
    operationsAnswered: served.answered + unserved.answered, operationsChecked: served.operations + unserved.operations,
  })
  expect(tally.lines()[0]).toContain(`${served.answered + unserved.answered} operations answered`)
})
