/** Stories in which somebody orders changes of the map, and waits until they are decided and done. */

import { must } from '../../actors/kernel/assert.ts'
import { movesOf } from '../../actors/topology/clusterState.ts'
import { newestState } from '../../sim/mapFaults.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { Outcome, Wish } from '../../actors/topology/protocol.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { Story } from './story.ts'

const MOVED_MS = 120_000

export const stateOf = ({ simulation }: Story): ClusterState => must(newestState(simulation.cluster), 'somebody runs')

/** Asks the machine's node until somebody decides. */
export const decide = (story: Story, wish: Wish, machine: Machine = must(story.nodes[0], 'a machine')): Outcome => {
  let outcome: Outcome | null = null
  let isAsking = false
  story.until(`${wish.kind} is decided`, () => {
    if (outcome !== null && !(outcome.kind === 'refused' && outcome.reason === 'staleEpoch')) return true
    if (isAsking) return false
    isAsking = true
    const expectedEpoch = machine.node?.parts()?.live.state().epoch ?? 1
    machine.node?.propose({ ...wish, expectedEpoch, at: 1, by: 'story', request: '' }, (decided) => {
      outcome = decided
      isAsking = false
    })
    return false
  })
  return must<Outcome>(outcome, 'it was decided')
}

export const isAtRest = (story: Story): boolean => movesOf(stateOf(story)).length === 0

export const untilMoved = (story: Story, what: string, isTrue: (state: ClusterState) => boolean, withinMs = MOVED_MS): void =>
  story.until(what, () => isAtRest(story) && isTrue(stateOf(story)), withinMs)
