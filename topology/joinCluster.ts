/**
 * What `shardkv node --join` does before the node starts: a new directory becomes this cluster's. Asks the cluster for its genesis and its
 * newest map, and writes both; the node itself then asks to be added (topology/ownMembership.ts).
 *
 * A name that the map gives to a member is refused: its directory is elsewhere, or was lost. A node that comes back with nothing must
 * not speak under a name whose promises it has forgotten.
 */

import { topologySubject } from '../bus/subjects.ts'
import { decodeState, encodeState } from '../actors/topology/codec.ts'
import { nodeIn } from '../actors/topology/clusterState.ts'
import { genesisOf, writeGenesis } from '../storage/genesis.ts'
import { writeMapFile } from '../storage/mapFile.ts'
import { nodeId } from './ids.ts'
import { levelProblem, ownLevels } from './level.ts'
import { askWhole } from './longAnswers.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { Bus } from '../bus/port.ts'
import type { FileSystem } from '../storage/fileSystem.ts'
import type { NodeReport } from './report.ts'
import type { TopologyRequest } from './topologyDesk.ts'
import type { ClusterId, NodeId } from './ids.ts'

const PATIENCE_MS = 2_000

export interface JoinOptions {
  readonly bus: Bus
  readonly fileSystem: FileSystem
  /** What the cluster's nodes say of themselves now (cli/status/collect.ts). */
  readonly reports: readonly NodeReport[]
  readonly prefix: string
  readonly id: string
}

/** `mayPass`: a later start may find it otherwise, so it is worth one; what else is wrong stays wrong. */
interface NotJoined {
  readonly problem: string
  readonly mayPass: boolean
}

export type Joined = { readonly genesis: Genesis } | NotJoined

const passing = (problem: string): NotJoined => ({ problem, mayPass: true })
const lasting = (problem: string): NotJoined => ({ problem, mayPass: false })

export const joinCluster = async (options: JoinOptions): Promise<Joined> => {
  const { bus, prefix, reports } = options
  const self = nodeId(options.id)
  const newest = reports.toSorted((a, b) => b.epoch - a.epoch)[0]
  if (newest === undefined) {
    return passing(`nobody answers on ${prefix}.status: start a cluster first, or give the right --prefix and --servers`)
  }
  const { cluster } = newest
  if (reports.some((report) => report.cluster !== cluster)) {
    return lasting(`two clusters answer on the prefix ${prefix}: give the --prefix of one`)
  }
  const { id: peer } = newest.node
  const state = stateOf(await ask(bus, { cluster, to: peer, from: self }, { kind: 'state', newerThan: 0 }))
  if (state !== null && 'isNewer' in state) return lasting(state.reason)
  const genesis = genesisOf(await ask(bus, { cluster, to: peer, from: self }, { kind: 'genesis' }))
  if (state === null || 'reason' in state || genesis === null) {
    return passing(`node ${peer} does not say how its cluster stands: it starts or is busy, is older, or the broker keeps ${self} `
      + 'from asking')
  }
  const unknown = levelProblem(ownLevels, state.level)
  if (unknown !== null) return lasting(unknown)
  if ((nodeIn(state, self)?.state ?? 'left') !== 'left') {
    return lasting(`${self} is a member of cluster ${cluster}, and this directory is not its own. Start it where its data is; if that is `
      + `lost, join under another name and remove ${self} ("shardkv member remove ${self}")`)
  }
  return await settle(options, { ...genesis, node: self, hasJoined: true }, state)
}

interface Ends {
  readonly cluster: ClusterId
  readonly to: NodeId
  readonly from: NodeId
}

const ask = (bus: Bus, { cluster, to, from }: Ends, request: TopologyRequest): Promise<unknown> => new Promise((resolve) => {
  askWhole({ bus, subject: topologySubject(cluster, to, from), timeoutMs: PATIENCE_MS }, request, resolve)
})

const stateOf = (answer: unknown): ReturnType<typeof decodeState> | null => {
  const bytes = typeof answer === 'object' && answer !== null && 'state' in answer ? answer.state : null
  return bytes instanceof Uint8Array ? decodeState(bytes) : null
}

/**
 * Interrupted between the two, the node has no map but the genesis' until it hears a newer one. Where its name is one of the genesis',
 * that map gives it replicas that its machine lost when it was set up anew, and promised for: `hasJoined` keeps them from beginning here.
 */
const settle = async ({ fileSystem }: JoinOptions, genesis: Genesis, state: ClusterState): Promise<Joined> => {
  const failure = await new Promise<Error | null>((resolve) => { writeGenesis(fileSystem, genesis, resolve) })
    ?? await new Promise<Error | null>((resolve) => { writeMapFile(fileSystem, encodeState(state), resolve) })
  return failure === null ? { genesis } : passing(`the data directory can not be set up: ${failure.message}`)
}
