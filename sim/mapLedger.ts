/**
 * What the meta group has committed, replayed from its log by the checker: every state there ever was, by epoch. An entry is read from
 * whichever member is first to apply it, in the event in which it does: its log holds it then, and a compaction comes later.
 */

import { apply } from '../actors/topology/apply.ts'
import { decodeCommand } from '../actors/topology/codec.ts'
import { adoptGenesis, groupsOf, placementOf } from '../actors/topology/clusterState.ts'
import { must } from '../actors/kernel/assert.ts'
import { EntryKind } from '../actors/raft/protocol.ts'
import type { ClusterState, GroupKey } from '../actors/topology/clusterState.ts'
import type { Entry, Index } from '../actors/raft/protocol.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { ReplicaId } from '../topology/ids.ts'

/** A member of the meta group, as far as it has applied its log. */
export interface AppliedLog {
  readonly appliedIndex: Index
  readonly entryAt: (index: Index) => Entry | undefined
}

export interface MapLedger {
  readonly follow: (log: AppliedLog) => void
  /** Undefined when no such epoch was ever committed. */
  readonly stateAt: (epoch: number) => ClusterState | undefined
  readonly newest: () => ClusterState
  /** Whether a committed state has ever named the replica for the group. */
  readonly hasNamed: (group: GroupKey, replica: ReplicaId) => boolean
}

/** `onState`: each state after the first, in order, and the one before it. */
export const createMapLedger = (genesis: () => Genesis, onState?: (state: ClusterState, before: ClusterState) => void): MapLedger => {
  const states = new Map<number, ClusterState>()
  const named = new Set<string>()
  let newest: ClusterState | null = null
  let applied = 0
  const note = (state: ClusterState): void => {
    newest = state
    states.set(state.epoch, state)
    for (const group of groupsOf(state)) for (const replica of namedBy(state, group)) named.add(`${group} ${replica}`)
  }
  const begun = (): ClusterState => {
    if (newest === null) note(adoptGenesis(genesis()))
    return must(newest, 'a cluster has been born')
  }
  return {
    follow: ({ appliedIndex, entryAt }) => {
      for (let entry = nextIn(entryAt, applied, appliedIndex); entry !== undefined; entry = nextIn(entryAt, applied, appliedIndex)) {
        applied = entry.index
        const command = entry.kind === EntryKind.batch ? decodeCommand(entry.payload) : null
        if (command === null || 'reason' in command) continue
        const before = begun()
        const { state } = apply(before, command)
        if (state === before) continue
        note(state)
        onState?.(state, before)
      }
    },
    stateAt: (epoch) => {
      begun()
      return states.get(epoch)
    },
    newest: begun,
    hasNamed: (group, replica) => {
      begun()
      return named.has(`${group} ${replica}`)
    },
  }
}

const nextIn = (entryAt: AppliedLog['entryAt'], applied: Index, appliedIndex: Index): Entry | undefined =>
  (applied < appliedIndex ? entryAt(applied + 1) : undefined)

const namedBy = (state: ClusterState, group: GroupKey): readonly ReplicaId[] => {
  const { replicas, move } = must(placementOf(state, group), 'every group has a placement')
  const added = move?.add ?? null
  return added === null ? replicas : [...replicas, added]
}
