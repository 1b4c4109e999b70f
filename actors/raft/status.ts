/** What a member says of itself, for those beside it in the process. */

import { matchIndexOf } from './commit.ts'
import { lastIndexOf, lastTermOf } from './log.ts'
import { membersOf } from './membership.ts'
import { configurationOf } from './state.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { Configuration, Index, RaftRole, Term } from './protocol.ts'
import type { RaftCore } from './state.ts'

export interface RaftStatus {
  readonly role: RaftRole
  readonly term: Term
  readonly vote: ReplicaId | ''
  /** The leader as this member knows it; empty when unknown. */
  readonly leader: ReplicaId | ''
  /** As leader: the first entry of its term has committed, so it may serve. */
  readonly settled: boolean
  readonly commitIndex: Index
  readonly lastIndex: Index
  readonly lastTerm: Term
  /** On disk here, as the log in memory has it. */
  readonly durableIndex: Index
  /** The last index handed to the shard. */
  readonly emittedIndex: Index
  /** Entries up to here are no longer in memory. */
  readonly baseIndex: Index
  readonly configuration: Configuration
  /** As leader: what is known durable on every member, itself included. Empty otherwise. */
  readonly matchIndex: ReadonlyMap<ReplicaId, Index>
  /** Why this replica takes no more part, if it does not. */
  readonly quarantined?: string
}

export const statusOf = (core: RaftCore): RaftStatus => {
  const { role, term, vote, leader, commitIndex, emittedIndex, log, quarantined } = core
  const configuration = configurationOf(core)
  const isLeader = role === 'leader'
  return {
    role, term, vote, leader, settled: isLeader && core.leading.isServing,
    commitIndex, emittedIndex, durableIndex: core.durability.durableIndex,
    lastIndex: lastIndexOf(log), lastTerm: lastTermOf(log), baseIndex: log.base.index,
    configuration,
    matchIndex: isLeader ? matchesOf(core, configuration) : NO_MATCHES,
    ...(quarantined === undefined ? {} : { quarantined }),
  }
}

/** As leader: the voters that said, when last heard, that their disk is full or stalled. */
export const stalledIn = ({ role, leading }: RaftCore): readonly ReplicaId[] => {
  let stalled: ReplicaId[] | null = null
  if (role !== 'leader') return NOBODY
  for (const { id, isDiskStalled, isLearner } of leading.progress.values()) if (isDiskStalled && !isLearner) (stalled ??= []).push(id)
  return stalled ?? NOBODY
}

/** Shared: these are asked for often, and most replicas lead nothing, and no disk stalls. */
const NOBODY: readonly ReplicaId[] = []
const NO_MATCHES: ReadonlyMap<ReplicaId, Index> = new Map()

const matchesOf = (core: RaftCore, configuration: Configuration): ReadonlyMap<ReplicaId, Index> =>
  new Map(membersOf(configuration).map((member) => [member, matchIndexOf(core, member)]))
