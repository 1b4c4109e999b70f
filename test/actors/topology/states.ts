/** States and commands for the tests of the meta group. */

import { apply } from '../../../actors/topology/apply.ts'
import { encodeCommand } from '../../../actors/topology/codec.ts'
import { adoptGenesis } from '../../../actors/topology/clusterState.ts'
import { createGenesis } from '../../../topology/clusterMap.ts'
import { clusterId, nodeId } from '../../../topology/ids.ts'
import { must } from '../../../actors/kernel/assert.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { MetaCommand, Outcome, Wish } from '../../../actors/topology/protocol.ts'
import type { Genesis } from '../../../actors/wal/protocol.ts'
import type { NodeId } from '../../../topology/ids.ts'

export const n = (number: number): NodeId => nodeId(`n${number}`)

export interface Birth {
  readonly size?: number
  readonly shardCount?: number
  readonly replicationFactor?: number
}

export const genesisOf = ({ size = 3, shardCount = 4, replicationFactor = 3 }: Birth = {}): Genesis => must(createGenesis({
  cluster: clusterId('00000000000000c1'), members: Array.from({ length: size }, (_, i) => n(i + 1)), shardCount, replicationFactor,
  createdAtMs: 1_700_000_000_000,
})[0], 'a genesis has members')

const born = new Map<string, ClusterState>()

/** A state is never changed in place, so each is made once: its ring is slow to build. */
export const newborn = (birth: Birth = {}): ClusterState => {
  const key = JSON.stringify(birth)
  const state = born.get(key) ?? adoptGenesis(genesisOf(birth))
  born.set(key, state)
  return state
}

export const asked = (state: ClusterState, wish: Wish, request = ''): MetaCommand =>
  ({ ...wish, expectedEpoch: state.epoch, at: 5, by: 'test', request })

export const bytesOf = (command: MetaCommand): Uint8Array => {
  const bytes = encodeCommand(command)
  if ('reason' in bytes) throw new Error(bytes.reason)
  return bytes
}

export const attempt = (state: ClusterState, wish: Wish): Outcome => apply(state, asked(state, wish)).outcome

/** Applies the wishes in turn; each must take effect. */
export const after = (state: ClusterState, ...wishes: readonly Wish[]): ClusterState => {
  let now = state
  for (const wish of wishes) {
    const { state: next, outcome } = apply(now, asked(now, wish))
    if (outcome.kind !== 'applied') throw new Error(`${wish.kind}: ${JSON.stringify(outcome)}`)
    now = next
  }
  return now
}
