/**
 * How many steps an input takes, as V8 counts them: the executions of every block of the product's code (precise coverage). A count and
 * no time, so it is the same on every machine; and it is taken of the inputs that took longest.
 */

import { Session } from 'node:inspector'
import type { Profiler } from 'node:inspector'
import type { Target } from './target.ts'

/** What any input may take, and for each of its bytes. */
const STEPS_BASE = 20_000
const STEPS_PER_BYTE = 400

export const stepsMax = (bytes: number): number => STEPS_BASE + STEPS_PER_BYTE * bytes

export const countSteps = (target: Target, bytes: Uint8Array): number => {
  const session = new Session()
  session.connect()
  try {
    session.post('Profiler.enable')
    session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    try {
      target.decode(bytes)
    } catch {
      // A throw is reported where the input was found; here only its steps count.
    }
    let steps = 0
    session.post('Profiler.takePreciseCoverage', (error, taken) => { steps = error === null ? executionsIn(taken.result) : Number.NaN })
    session.post('Profiler.stopPreciseCoverage')
    return steps
  } finally {
    session.disconnect()
  }
}

const executionsIn = (scripts: readonly Profiler.ScriptCoverage[]): number => scripts
  .filter(({ url }) => !url.startsWith('node:') && !url.includes('/fuzz/'))
  .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
  .reduce((sum, { count }) => sum + count, 0)
