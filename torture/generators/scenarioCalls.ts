/** Every disk call of every scenario, by number. */

import { noFault } from '../scenario.ts'
import type { Scenario } from '../scenario.ts'

export interface ScenarioCall { readonly scenario: Scenario; readonly call: number }

/** Played once to be counted, when first asked. */
export const callsOf = (scenarios: readonly Scenario[]): (() => readonly ScenarioCall[]) => {
  let known: readonly ScenarioCall[] | undefined
  return () => {
    known ??= scenarios.flatMap((scenario) =>
      Array.from({ length: scenario.play(noFault).calls }, (_, at) => ({ scenario, call: at + 1 })))
    return known
  }
}
