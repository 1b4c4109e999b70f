/**
 * `cluster.json` in the launcher's directory: which cluster lives there. Written once; every node's genesis is made from it.
 *
 * Creation is two-phased, so that an interruption at any point is continued by the next start and never leads to two clusters:
 *   1. cluster.json with phase "creating" (the id and the time are drawn now, never again).
 *   2. Each node's genesis; one that is there already must be this very cluster's.
 *   3. cluster.json with phase "created". From here on no genesis is ever written: a node whose directory vanished refuses to start,
 *      instead of coming back empty and voting as if it had promised nothing.
 */

import { join } from 'node:path'
import { createGenesis } from '../clusterMap.ts'
import { clusterId, isHex64, nodeId } from '../ids.ts'
import type { Genesis } from '../../actors/wal/protocol.ts'
import type { LocalFiles } from '../../storage/localFiles.ts'
import type { ClusterId, NodeId } from '../ids.ts'

export const NODES_DEFAULT = 3
export const SHARDS_DEFAULT = 16
const REPLICATION_FACTOR = 3
const CLUSTER_FILE = 'cluster.json'

export interface ClusterRecord {
  readonly version: 1
  readonly phase: 'creating' | 'created'
  readonly cluster: ClusterId
  readonly members: readonly NodeId[]
  readonly shardCount: number
  readonly replicationFactor: number
  readonly createdAtMs: number
}

export interface ClusterWishes {
  readonly directory: string
  /** Undefined: whatever the directory says, or the default for a new one. */
  readonly nodes?: number | undefined
  readonly shards?: number | undefined
}

export interface ClusterPorts {
  readonly files: LocalFiles
  readonly newClusterId: () => string
  readonly wallMs: () => number
  /** Writes the genesis of one node into its data directory; null on success. EEXIST when it holds anything already. */
  readonly writeGenesis: (directory: string, genesis: Genesis) =>
    Promise<{ readonly code?: string | undefined; readonly message: string } | null>
  /** The genesis in a node's data directory, if there is a valid one. */
  readonly readGenesis: (directory: string) => Promise<Genesis | null>
}

export type OpenedCluster =
  | { readonly record: ClusterRecord; readonly isNew: boolean }
  | { readonly record: undefined; readonly problem: string }

export const openCluster = async (ports: ClusterPorts, wishes: ClusterWishes): Promise<OpenedCluster> => {
  const path = join(wishes.directory, CLUSTER_FILE)
  const text = await ports.files.readText(path)
  if (text === null) return await createCluster(ports, wishes)
  const record = parseRecord(text)
  if (record === null) return { record: undefined, problem: `${path} is damaged; restore it from a copy. Nothing was changed.` }
  const conflict = conflictOf(record, wishes)
  if (conflict !== null) return { record: undefined, problem: conflict }
  return record.phase === 'created' ? { record, isNew: false } : await finishCreation(ports, wishes.directory, record)
}

const createCluster = async (ports: ClusterPorts, wishes: ClusterWishes): Promise<OpenedCluster> => {
  const leftovers = (await ports.files.list(wishes.directory)).filter((name) => /^n\d+$/.test(name))
  if (leftovers.length > 0) {
    return {
      record: undefined,
      problem: `${wishes.directory} holds ${leftovers.join(', ')} but no ${CLUSTER_FILE}: restore that file, or choose another --dir. `
        + 'Nothing was changed.',
    }
  }
  const record: ClusterRecord = {
    version: 1,
    phase: 'creating',
    cluster: clusterId(ports.newClusterId()),
    members: Array.from({ length: wishes.nodes ?? NODES_DEFAULT }, (_, i) => nodeId(`n${i + 1}`)),
    shardCount: wishes.shards ?? SHARDS_DEFAULT,
    replicationFactor: REPLICATION_FACTOR,
    createdAtMs: ports.wallMs(),
  }
  await ports.files.makeDirectory(wishes.directory)
  await writeRecord(ports, wishes.directory, record)
  return await finishCreation(ports, wishes.directory, record)
}

const finishCreation = async (ports: ClusterPorts, directory: string, record: ClusterRecord): Promise<OpenedCluster> => {
  for (const genesis of createGenesis(record)) {
    const home = join(directory, genesis.node)
    const failure = await ports.writeGenesis(home, genesis)
    if (failure === null) continue
    const isOurs = failure.code === 'EEXIST' && (await ports.readGenesis(home))?.cluster === record.cluster
    if (!isOurs) return { record: undefined, problem: `the data directory ${home} can not be set up: ${failure.message}` }
  }
  const created: ClusterRecord = { ...record, phase: 'created' }
  await writeRecord(ports, directory, created)
  return { record: created, isNew: true }
}

const writeRecord = (ports: ClusterPorts, directory: string, record: ClusterRecord): Promise<void> =>
  ports.files.writeAtomically(join(directory, CLUSTER_FILE), `${JSON.stringify(record, null, 2)}\n`)

const conflictOf = (record: ClusterRecord, wishes: ClusterWishes): string | null => {
  const differs = (wished: number | undefined, actual: number): boolean => wished !== undefined && wished !== actual
  if (!differs(wishes.nodes, record.members.length) && !differs(wishes.shards, record.shardCount)) return null
  return `${wishes.directory} holds a cluster of ${record.members.length} nodes and ${record.shardCount} shards, which can not be changed `
    + 'by starting it differently. Start it without --nodes and --shards, or choose another --dir for a new cluster.'
}

const parseRecord = (text: string): ClusterRecord | null => {
  try {
    const record = JSON.parse(text) as Partial<ClusterRecord>
    const isValid = record.version === 1 && isHex64(record.cluster ?? '') && Array.isArray(record.members)
      && Number.isInteger(record.shardCount) && Number.isInteger(record.replicationFactor) && Number.isInteger(record.createdAtMs)
    return isValid ? record as ClusterRecord : null
  } catch {
    return null
  }
}
