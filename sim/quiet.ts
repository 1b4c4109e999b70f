/**
 * The end of a run: the clients are silent, what nobody asks for any more must be settled (invariants/nothingUnresolved.ts), and what
 * nobody writes any more ends when its time has come (invariants/nothingOverdue.ts).
 */

import { NOTHING_OVERDUE, overdue } from './invariants/nothingOverdue.ts'
import { unresolved } from './invariants/nothingUnresolved.ts'
import { awaitTrue } from './liveness.ts'
import { viewOf } from './replicaView.ts'
import type { Simulation } from './simulation.ts'
import type { Problem, ReplicaView } from './view.ts'

/** Longer than any request's deadline, than a leader takes to learn that it is none, and than any client lets a key live. */
const QUIET_MS_MAX = 30_000

export const checkQuiet = (simulation: Simulation): void => {
  const { cluster, workload, watch } = simulation
  const views = (): ReplicaView[] => cluster.machines.flatMap((machine) => {
    const parts = machine.node?.parts()
    if (parts === undefined || parts === null) return []
    const walBacklogBytes = parts.wal.backlogBytes()
    return parts.host.all().map((replica) => viewOf({ machine, replica, walBacklogBytes })).filter(({ isDamaged }) => !isDamaged)
  })
  const awaitNone = (problem: () => Problem, named?: { readonly invariant: string }): void => awaitTrue(simulation, {
    ...named, withinMs: QUIET_MS_MAX, isTrue: () => problem() === null, problem: () => problem() ?? '',
  })
  awaitNone(() => unresolved(views(), workload.inFlight()))
  awaitNone(() => overdue(watch.ledgers), { invariant: NOTHING_OVERDUE })
}
