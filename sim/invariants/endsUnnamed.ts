/**
 * A replica ends because the cluster's map names it no longer. So none ends that the newest committed map names: its node would then have
 * gone by a map of before its time (planted bug M275). Nor one that its group calls a voter, whatever the maps say: its vote counts, and
 * what it has acknowledged may be nowhere else (planted bug M535). Those that damage may have harmed make room while the map still names
 * them.
 *
 * Looked at in the node's log (trace.ts): a replica may end that was never opened in this life.
 */

import { decodeConfiguration, isVoter } from '../../actors/raft/membership.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { hostedOn } from '../../actors/topology/clusterState.ts'
import { nodeId, shardOfGroup } from '../../topology/ids.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { GroupId, ReplicaId } from '../../topology/ids.ts'
import type { GroupLedger } from '../ledger.ts'
import type { Columns } from '../trace.ts'
import type { Problem } from '../view.ts'

export const ENDS_UNNAMED = 'a replica ends only when the cluster map names it no longer'

const ENDS = /^a replica ends here: the map names it no longer group=(\d+) replica=(\S+)/

export interface EndsUnnamedInput {
  /** Of all that were ever committed. */
  readonly newest: () => ClusterState
  readonly ledgerOf: (group: GroupId) => Pick<GroupLedger, 'lines'> | undefined
  readonly isHarmed: (node: string, group: GroupId, replica: ReplicaId) => boolean
}

export const endsUnnamed = ({ who, details }: Columns, { newest, ledgerOf, isHarmed }: EndsUnnamedInput): Problem => {
  const [, group, replica] = ENDS.exec(details) ?? []
  if (group === undefined || replica === undefined || isHarmed(who, Number(group), replica as ReplicaId)) return null
  const state = newest()
  const key = shardOfGroup(Number(group)) ?? 'meta'
  const isNamed = hostedOn(state, nodeId(who)).some((hosted) => hosted.group === key && hosted.replica === replica)
  if (isNamed) return `node ${who} ends ${replica} of group ${key}, which the map of epoch ${state.epoch} names`
  return hasVote(ledgerOf(Number(group)), replica as ReplicaId) ? `node ${who} ends ${replica}, which has a vote in group ${key}` : null
}

/** By the newest configuration that its group has committed. */
const hasVote = (ledger: Pick<GroupLedger, 'lines'> | undefined, replica: ReplicaId): boolean => {
  const newest = ledger?.lines.findLast(({ entry }) => entry.kind === EntryKind.configuration)
  return newest !== undefined && isVoter(decodeConfiguration(newest.entry.payload), replica)
}
