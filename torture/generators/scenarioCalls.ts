/** Every disk call of every scenario, by number. */

import { must } from '../../actors/kernel/assert.ts'
import type { DiskCall } from '../../storage/memoryFileSystem.ts'
import type { Scenario } from '../scenario.ts'

export interface ScenarioCall { readonly scenario: Scenario; readonly call: number; readonly what: DiskCall }

/** Played once to be counted, when first asked. */
export const callsOf = (scenarios: readonly Scenario[]): (() => readonly ScenarioCall[]) => {
  let known: readonly ScenarioCall[] | undefined
  return () => {
    known ??= scenarios.flatMap(playedOnce)
    return known
  }
}

const playedOnce = (scenario: Scenario): readonly ScenarioCall[] => {
  const seen = new Map<number, DiskCall>()
  const { calls } = scenario.play((call, what) => {
    seen.set(call, what)
    return undefined
  })
  return Array.from({ length: calls }, (_, at) => ({ scenario, call: at + 1, what: must(seen.get(at + 1), 'every call is seen') }))
}
