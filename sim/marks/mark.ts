/**
 * What a mark is: a situation that the simulator must get into, or its silence says nothing. A mark has a name, which reads as a sentence,
 * and a count of how often it was hit.
 *
 * Marks are seen from outside: by the views of replicas, the mail they send, the lines of the trace, the committed log as the model
 * executes it, the committed cluster maps, and what clients were told. The product has no hook for them.
 *
 * Sources: TigerBeetle's `testing/marks.zig` and FoundationDB's `TEST` macros ("must be reached"); these here stand beside the code.
 */

import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { Entry } from '../../actors/raft/protocol.ts'
import type { HistoryOperation } from '../history.ts'
import type { ModelStep } from '../model.ts'
import type { Columns } from '../trace.ts'
import type { ReplicaView, SentMail } from '../view.ts'
import type { World } from './world.ts'

/** One operation of a committed entry, as the model executed it. */
export interface CommittedStep {
  readonly shard: number
  readonly entry: Entry
  readonly step: ModelStep
}

export interface Observer {
  /** A replica changed. Of the view before only its values hold: its functions look at the present. */
  readonly onView?: (view: ReplicaView, before: ReplicaView | undefined) => void
  /** Another cluster map was committed. */
  readonly onMap?: (state: ClusterState, before: ClusterState) => void
  readonly onMail?: (mail: SentMail) => void
  readonly onStep?: (step: CommittedStep) => void
  readonly onExpired?: (shard: number, key: string) => void
  readonly onSessionEnded?: (shard: number, client: string) => void
  readonly onLine?: (line: Columns) => void
  readonly onCompleted?: (operation: HistoryOperation) => void
  /** The run is over. */
  readonly onEnd?: () => void
}

export interface Subject {
  readonly name: string
  readonly marks: readonly string[]
  readonly observe: (hit: (mark: string) => void, world: World) => Observer
}

/** A subject and its marks. `observe` is called once a run, and can hit no mark that is not in the list. */
export const defineSubject = <const Mark extends string>(
  name: string, marks: readonly Mark[], observe: (hit: (mark: Mark) => void, world: World) => Observer,
): Subject => ({ name, marks, observe })

/** Whether the replica was seen in the same life of its node before. */
export const isSameLife = (view: ReplicaView, before: ReplicaView | undefined): before is ReplicaView => before?.life === view.life
