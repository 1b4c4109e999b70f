/**
 * The log's decisions, part five: a group's replica begins on this node, or is gone.
 *
 * Records name the group, not the replica. So the first thing that a replica which is not the genesis' says is that it begins, and
 * nothing the group said before in this log is a promise of its own. A replica that was removed leaves its generation behind for good.
 *
 * 1. Submitted, the record voids the group's logical state, and what the group has waiting: on a full disk that might wait for ever, and
 *    the tombstone, which frees segments, with it.
 * 2. Placed, it voids what was placed. Not before: until it is durable the old replica's records are in force, and pin their segments.
 * 3. While it waits, nothing of the group is worth copying forward.
 */

import { assert } from '../kernel/assert.ts'
import type { GroupId } from '../../topology/ids.ts'
import type { WalRecord } from '../../storage/record.ts'
import { bytesLeft, groupState, submit } from './core.ts'
import type { GroupState, Submission, WalCore } from './core.ts'
import { endCopying } from './reclaim.ts'
import type { ReplicaMark, WalEvent, WalNotice } from './protocol.ts'

type EventOf<Type extends WalEvent['type']> = Extract<WalEvent, { readonly type: Type }>

/** The replicas of the genesis begin with the log, without a record. */
const GENESIS_GENERATION = 1

const newestGeneration = ({ replica }: GroupState): number => replica?.generation ?? GENESIS_GENERATION

export const handleAdopt = (core: WalCore, { group, generation, ticket }: EventOf<'wal.adopt'>): void => {
  const state = groupState(core, group)
  const known = newestGeneration(state)
  assert(generation > known, `group ${group}: replica ${generation} begins after replica ${known}`)
  begin(core, state, { replica: { generation, isRemoved: false }, notice: { type: 'wal.adopted', group, ticket } })
}

export const handleRetire = (core: WalCore, { group, generation, ticket }: EventOf<'wal.retire'>): void => {
  const state = groupState(core, group)
  const known = newestGeneration(state)
  assert(generation >= known, `group ${group}: replica ${generation} is not older than replica ${known}`)
  begin(core, state, { replica: { generation, isRemoved: true }, notice: { type: 'wal.retired', group, ticket } })
}

interface Beginning { readonly replica: ReplicaMark; readonly notice: WalNotice }

const begin = (core: WalCore, state: GroupState, { replica, notice }: Beginning): void => {
  const { group } = state
  dropWaiting(core, group)
  state.hardState = undefined
  state.mark = { index: 0, term: 0 }
  state.quarantine = undefined
  state.lastIndex = 0
  state.terms = []
  state.replica = replica
  state.replicasWaiting += 1
  submit(core, group, { records: [{ kind: 'replica', group, replica, isCopied: false }], isReserved: true, notice })
}

/** A replica's beginning, or its tombstone. */
export const isBeginning = ({ notice }: Submission): boolean => notice?.type === 'wal.adopted' || notice?.type === 'wal.retired'

const dropWaiting = (core: WalCore, group: GroupId): void => {
  const isVoid = (submission: Submission): boolean => submission.group === group && !isBeginning(submission)
  for (const submission of core.queue.filter(isVoid)) core.backlogBytes -= bytesLeft(core, submission)
  core.queue = core.queue.filter((submission) => !isVoid(submission))
  endCopying(core)
}

export const placeReplica = (core: WalCore, record: Extract<WalRecord, { readonly kind: 'replica' }>, segment: number): void => {
  const state = groupState(core, record.group)
  state.replicaSegment = segment
  if (record.isCopied) return
  state.replicasWaiting -= 1
  state.hardStateSegment = 0
  state.markSegment = 0
  state.quarantineSegment = 0
  state.rows.clear()
  state.placedLast = 0
  state.placedMark = 0
  core.mayFree = true
}
