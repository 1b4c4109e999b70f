/** What the log of a node knows of the replicas that were here: of each group the newest, and whether it has gone. */

import { generationOf } from './ids.ts'
import type { RecoveredGroup } from '../actors/wal/protocol.ts'
import type { GroupId, ReplicaId } from './ids.ts'

export interface KnownReplica {
  readonly generation: number
  readonly isRemoved: boolean
}

export const GENERATION_OF_GENESIS = 1
/** A log that says nothing of it holds the replica that its group was born with. */
export const BORN_WITH_THE_GROUP: KnownReplica = { generation: GENERATION_OF_GENESIS, isRemoved: false }

/** Named for this node, and counting for nothing: quarantined, or gone from the log before the map said so. */
export interface DamagedReplica {
  readonly group: GroupId
  readonly id: ReplicaId
}

export const hasGone = (known: ReadonlyMap<GroupId, KnownReplica>, { group, id }: DamagedReplica): boolean => {
  const { generation, isRemoved } = known.get(group) ?? { generation: 0, isRemoved: false }
  return generation > generationOf(id) || (generation === generationOf(id) && isRemoved)
}

export const nothingOf = (group: GroupId): RecoveredGroup =>
  ({ group, hardState: { term: 0, vote: '' }, snapshot: { index: 0, term: 0 }, entries: [] })

/**
 * A replica of a move was here once, so this node has long had newer maps than the genesis. Where those are lost, and the log does not know
 * a group in which the genesis names this node, the directory may be one that joined under an older node's name before a genesis
 * said so (`hasJoined`): what that node promised for the group nobody here can know. The meta group knows: a name has lost all of its
 * replicas before another directory joins under it, and no id is given twice. So what the newest map still names was never
 * elsewhere, and as this log is sound and has nothing of it, it has promised nothing.
 */
export const isInDoubt = (known: ReadonlyMap<GroupId, KnownReplica>, { group, id }: DamagedReplica): boolean =>
  generationOf(id) === GENERATION_OF_GENESIS && !known.has(group) && [...known.values()].some(isLater)

const isLater = ({ generation }: KnownReplica): boolean => generation > GENERATION_OF_GENESIS

/** The log has nothing of it but its beginning: the files, if any, are of the replica before it, or of a transfer that begins anew. */
export const hasOnlyBegun = ({ replica, quarantined, hardState, snapshot, entries }: RecoveredGroup): boolean =>
  replica !== undefined && quarantined === undefined && hardState.term === 0 && snapshot.index === 0 && entries.length === 0

/**
 * Takes what was recovered of the replica. A group that a sound log does not know has promised nothing, unless the replica has a vote by
 * a move: then nobody can know.
 */
export const takeRecovered = (
  { recovered, known, damagedNode }: {
    readonly recovered: Map<GroupId, RecoveredGroup>; readonly known: ReadonlyMap<GroupId, KnownReplica>
    readonly damagedNode: string | undefined
  }, { group, id }: DamagedReplica,
): RecoveredGroup => {
  const found = recovered.get(group)
  recovered.delete(group)
  const generation = generationOf(id)
  if (found !== undefined && known.get(group)?.generation === generation) return found
  const reason = damagedNode ?? (generation === GENERATION_OF_GENESIS ? undefined : `the log holds nothing of ${id}, which may have a vote`)
  return { ...nothingOf(group), ...(reason === undefined ? {} : { quarantined: reason }) }
}
