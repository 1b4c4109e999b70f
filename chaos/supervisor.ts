/**
 * Who runs and who may have ended: nemeses end processes, and whatever ends by itself without being expected to is a finding,
 * recorded and started again, as a supervisor would. A node that leaves the cluster ends by itself, with 0, and is gone then. One that
 * is to join and hears of no cluster, as while the brokers' routes are cut, ends so that it is started again, and is: no finding.
 */

import { EXIT_FAILURE, EXIT_REFUSED, HAS_LEFT } from '../actors/node/protocol.ts'
import type { NodeId } from '../topology/ids.ts'
import type { TestCluster } from './ground/cluster.ts'

export interface Supervisor {
  readonly kill: (node: NodeId) => Promise<void>
  readonly start: (node: NodeId) => void
  readonly expectExit: (node: NodeId) => void
  /** It has outlived what might have ended it: from here on its end is a finding again. False when it has not. */
  readonly hasOutlived: (node: NodeId) => boolean
  /** Nodes that may be gone for good. */
  readonly mayBeGone: () => ReadonlySet<NodeId>
  /** Whoever is down runs again. */
  readonly startAll: () => void
  readonly stop: () => void
  /** One sentence per process that ended by itself. */
  readonly surprises: () => readonly string[]
}

const POLL_MS = 100
const LOG_TAIL_CHARACTERS = 1_500
/** What a node says that came too early to join, and may be started again (topology/joinCluster.ts). */
export const TOO_EARLY = /nobody answers on|does not say how its cluster stands/
/** What it says where a full disk or a failing write kept it from making its directory: it has joined nothing yet. */
const NO_DIRECTORY = /the data directory can not be set up/

/** What is supervised of a cluster. */
type Supervised = Pick<TestCluster, 'members' | 'roster' | 'isRunning' | 'exitCode' | 'logOfLife' | 'start' | 'kill'>

export const superviseCluster = (cluster: Supervised): Supervisor => {
  const down = new Set<NodeId>()
  const mayExit = new Set<NodeId>()
  const surprises: string[] = []
  const start = (node: NodeId): void => {
    down.delete(node)
    mayExit.delete(node)
    cluster.start(node)
  }
  const tailOf = (node: NodeId): string => cluster.logOfLife(node).slice(-LOG_TAIL_CHARACTERS)
  /** It may be killed after it had been removed, and before it had ended: then the next start says so. */
  const hasLeft = (node: NodeId): boolean =>
    cluster.exitCode(node) === 0 || (cluster.exitCode(node) === EXIT_REFUSED && tailOf(node).includes(HAS_LEFT))
  const cameTooEarly = (node: NodeId): boolean =>
    cluster.exitCode(node) === EXIT_FAILURE && cluster.roster.asksToJoin(node)
    && [TOO_EARLY, NO_DIRECTORY].some((said) => said.test(tailOf(node)))
  const look = (): void => {
    for (const node of [...cluster.members, ...cluster.roster.leaving]) {
      if (down.has(node) || mayExit.has(node) || cluster.isRunning(node)) continue
      if (cluster.roster.leaving.includes(node) && hasLeft(node)) {
        cluster.roster.remove(node)
        continue
      }
      if (!cameTooEarly(node)) {
        surprises.push(`${node} ended by itself with code ${cluster.exitCode(node)}; the end of its log:\n${tailOf(node)}`)
      }
      cluster.start(node)
    }
  }
  const timer = setInterval(look, POLL_MS)
  return {
    kill: async (node) => {
      down.add(node)
      await cluster.kill(node)
    },
    start: (node) => {
      if (!cluster.isRunning(node)) start(node)
    },
    expectExit: (node) => { mayExit.add(node) },
    hasOutlived: (node) => cluster.isRunning(node) && mayExit.delete(node),
    mayBeGone: () => mayExit,
    startAll: () => {
      for (const node of [...cluster.members, ...cluster.roster.leaving]) {
        if (down.has(node) && !cluster.isRunning(node) && !mayExit.has(node)) start(node)
      }
    },
    stop: () => clearInterval(timer),
    surprises: () => surprises,
  }
}
