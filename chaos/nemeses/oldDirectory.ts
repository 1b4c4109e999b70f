/**
 * An old copy of a data directory put back under a node, while the others, which remember what it promised, run: it must be fenced,
 * seen in its report, and lose nothing. Where nobody alive remembers, nobody can know (docs/GUARANTEES.md), so nobody else is hurt
 * afterwards.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isServing } from '../ground/cluster.ts'
import { copyDirectory } from '../ground/copyDirectory.ts'
import { emptyDirectory } from '../ground/emptyDirectory.ts'
import { anyNode } from './nemesis.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { NodeReport } from '../../topology/report.ts'
import type { Nemesis } from './nemesis.ts'

/** Entries that the node has and the copy does not, over all its shards. */
const ENTRIES_SINCE = 200
const FENCED_WITHIN_MS = 20_000

export const oldDirectory: Nemesis = {
  name: 'oldDirectory',
  needs: [],
  isLast: true,
  strike: async (arena) => {
    const { cluster } = arena
    const node = anyNode(arena)
    const copy = mkdtempSync(join(tmpdir(), 'shardkv-copy-'))
    try {
      await arena.kill(node)
      copyDirectory(cluster.directory(node), copy)
      arena.start(node)
      const back = await cluster.until('the node is back', isServing(cluster))
      const before = newestOf(back)
      const generations = generationsOf(back, node)
      // Not cut short by the end of the storm: a copy that is not old proves nothing.
      await cluster.until('the node has promised more since', (reports) => appliedSince(reports, node, before) >= ENTRIES_SINCE)
      await arena.kill(node)
      emptyDirectory(cluster.directory(node))
      copyDirectory(copy, cluster.directory(node))
      arena.start(node)
      const reports = await cluster.until('a replica is fenced, or replaced', (found) => found.some((report) =>
        report.node.id === node && report.replicas.some((replica) => isFenced(replica, generations))), FENCED_WITHIN_MS)
      const own = reports.find((report) => report.node.id === node)
      arena.say(`${node}: ${own?.replicas.filter((replica) => isFenced(replica, generations)).length ?? 0} replicas fenced`)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  },
}

const generationsOf = (reports: readonly NodeReport[], node: NodeId): ReadonlyMap<number, number> =>
  new Map(reports.find((report) => report.node.id === node)?.replicas.map(({ shard, generation = 1 }) => [shard, generation]))

/** Quarantined, or already replaced under a new replica id. */
const isFenced = ({ shard, quarantined, generation = 1 }: NodeReport['replicas'][number], before: ReadonlyMap<number, number>): boolean =>
  quarantined !== undefined || generation > (before.get(shard) ?? generation)

/** The highest index that anybody has applied, by shard: no earlier copy has more. The node itself says less while it replays its log. */
const newestOf = (reports: readonly NodeReport[]): ReadonlyMap<number, number> => {
  const newest = new Map<number, number>()
  for (const { shard, appliedIndex } of reports.flatMap(({ replicas }) => replicas)) {
    newest.set(shard, Math.max(newest.get(shard) ?? 0, appliedIndex))
  }
  return newest
}

const appliedSince = (reports: readonly NodeReport[], node: NodeId, before: ReadonlyMap<number, number>): number =>
  reports.find((report) => report.node.id === node)?.replicas
    .reduce((sum, { shard, appliedIndex }) => sum + Math.max(0, appliedIndex - (before.get(shard) ?? 0)), 0) ?? 0
