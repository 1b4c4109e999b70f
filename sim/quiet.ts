/** The end of a run: the clients are silent, and what nobody asks for any more must be settled (invariants/nothingUnresolved.ts). */

import { unresolved } from './invariants/nothingUnresolved.ts'
import { awaitTrue } from './liveness.ts'
import { viewOf } from './replicaView.ts'
import type { Simulation } from './simulation.ts'
import type { ReplicaView } from './view.ts'

/** Longer than any request's deadline, and than a leader takes to learn that it is none. */
const QUIET_MS_MAX = 30_000

export const checkQuiet = (simulation: Simulation): void => {
  const { cluster, workload } = simulation
  const views = (): ReplicaView[] => cluster.machines.flatMap((machine) => {
    const parts = machine.node?.parts()
    if (parts === undefined || parts === null) return []
    const walBacklogBytes = parts.wal.backlogBytes()
    return parts.host.all().map((replica) => viewOf({ machine, replica, walBacklogBytes })).filter(({ isDamaged }) => !isDamaged)
  })
  const problem = (): string | null => unresolved(views(), workload.inFlight())
  awaitTrue(simulation, { withinMs: QUIET_MS_MAX, isTrue: () => problem() === null, problem: () => problem() ?? '' })
}
