/**
 * An old copy of a data directory put back under a node, while the others, which remember what it promised, run: it must be fenced,
 * seen in its report, and lose nothing. Where nobody alive remembers, nobody can know (docs/GUARANTEES.md), so nobody else is hurt
 * afterwards.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isServing } from '../ground/cluster.ts'
import { anyNode } from './nemesis.ts'
import { copyDirectory } from './twin.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { NodeReport } from '../../topology/report.ts'
import type { Nemesis } from './nemesis.ts'

/** Entries that the node applies and the copy does not have, over all its shards. */
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
      const before = appliedBy(await cluster.until('the node is back', isServing(cluster)), node)
      // Not cut short by the end of the storm: a copy that is not old proves nothing.
      await cluster.until('the node has promised more since', (reports) => appliedBy(reports, node) >= before + ENTRIES_SINCE)
      await arena.kill(node)
      rmSync(cluster.directory(node), { recursive: true })
      copyDirectory(copy, cluster.directory(node))
      arena.start(node)
      const reports = await cluster.until('a replica is fenced', (found) => found.some((report) =>
        report.node.id === node && report.replicas.some(({ quarantined }) => quarantined !== undefined)), FENCED_WITHIN_MS)
      const own = reports.find((report) => report.node.id === node)
      arena.say(`${node}: ${own?.replicas.filter(({ quarantined }) => quarantined !== undefined).length ?? 0} replicas fenced`)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  },
}

const appliedBy = (reports: readonly NodeReport[], node: NodeId): number =>
  reports.find((report) => report.node.id === node)?.replicas.reduce((sum, { appliedIndex }) => sum + appliedIndex, 0) ?? 0
