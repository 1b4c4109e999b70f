/** What the log of a node knows of the replicas that were here: of each group the newest, and whether it has gone. */

import { generationOf } from './ids.ts'
import type { GroupId, ReplicaId } from './ids.ts'

export interface KnownReplica {
  readonly generation: number
  readonly isRemoved: boolean
}

export const GENERATION_OF_GENESIS = 1
/** A log that says nothing of it holds the replica that its group was born with. */
export const BORN_WITH_THE_GROUP: KnownReplica = { generation: GENERATION_OF_GENESIS, isRemoved: false }

interface Named {
  readonly group: GroupId
  readonly id: ReplicaId
}

export const hasGone = (known: ReadonlyMap<GroupId, KnownReplica>, { group, id }: Named): boolean => {
  const { generation, isRemoved } = known.get(group) ?? { generation: 0, isRemoved: false }
  return generation > generationOf(id) || (generation === generationOf(id) && isRemoved)
}
