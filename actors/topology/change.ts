/** What a command makes of a state, before the epoch and the history are written. */

import type { ClusterState, MoveId } from './clusterState.ts'

export interface Change {
  readonly state: Partial<ClusterState>
  /** In words a person reads, in the present tense. */
  readonly what: string
  readonly move?: MoveId
}
