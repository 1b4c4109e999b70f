/**
 * Every map is one that was committed: what a member of the meta group has applied, and what a node acts on, is the state of its epoch
 * byte for byte, whoever told it. So at equal epochs all are equal.
 */

import { encodeState } from '../../actors/topology/codec.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { MapLedger } from '../mapLedger.ts'
import type { Problem } from '../view.ts'

export interface MapView {
  readonly node: string
  /** In force on the node. */
  readonly inForce: ClusterState
  /** Applied by its member of the meta group; null without one. */
  readonly applied: ClusterState | null
}

export const COMMITTED_MAPS = 'maps are what was committed'

export const createCommittedMaps = (ledger: MapLedger): (view: MapView) => Problem => {
  /** States are never changed in place: one that was looked at is as it was. */
  const seen = new WeakSet<ClusterState>()
  const problemOf = (who: string, state: ClusterState, hasHistory: boolean): Problem => {
    if (seen.has(state)) return null
    seen.add(state)
    const committed = ledger.stateAt(state.epoch)
    if (committed === undefined) return `${who} has a map of epoch ${state.epoch}, which was never committed`
    const expected = hasHistory ? committed : { ...committed, history: [] }
    return isSame(expected, state) ? null : `${who} has another map of epoch ${state.epoch} than was committed`
  }
  return ({ node, inForce, applied }) =>
    problemOf(`node ${node}`, inForce, false) ?? (applied === null ? null : problemOf(`the meta member of ${node}`, applied, true))
}

const isSame = (a: ClusterState, b: ClusterState): boolean => {
  const [left, right] = [encodeState(a), encodeState(b)]
  return left.length === right.length && left.every((byte, i) => byte === right[i])
}
