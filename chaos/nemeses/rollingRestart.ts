/**
 * Every node in turn is told to stop, as an operator does it, and is started again: leaderships are handed over, so that no caller of
 * the SDK notices. Waits, like the operator, until all is served and the others have heard a node for a while before the next is
 * stopped.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { isServing } from '../ground/cluster.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { TestCluster } from '../ground/cluster.ts'
import type { Arena, Nemesis } from './nemesis.ts'

/** Beacons are heard for so long before a node is handed anything. */
const STEADY_MS = 4_500
const WITHIN_MS = 60_000

export const rollingRestart: Nemesis = {
  name: 'rollingRestart',
  needs: [],
  isGentle: true,
  strike: async (arena) => {
    for (const node of arena.cluster.members) {
      if (arena.over.aborted) return
      arena.say(node)
      await restartInStorm(arena, node)
    }
  },
}

/** Stops and starts it; fails where it does not stop of its own will. */
export const restartInStorm = async (arena: Arena, node: NodeId): Promise<void> => {
  const { cluster } = arena
  await cluster.until('every shard is served', isServing(cluster), WITHIN_MS)
  await pause(STEADY_MS)
  arena.expectExit(node)
  await stopGently(cluster, node)
  arena.start(node)
}

/** The same where nobody else ends or starts processes. */
export const restartGently = async (cluster: TestCluster, node: NodeId): Promise<void> => {
  await cluster.until('every shard is served', isServing(cluster), WITHIN_MS)
  await pause(STEADY_MS)
  await stopGently(cluster, node)
  cluster.start(node)
  await cluster.until(`${node} serves`, isServing(cluster), WITHIN_MS)
}

export const stopGently = async (cluster: TestCluster, node: NodeId): Promise<void> => {
  cluster.signal(node, 'SIGTERM')
  const code = await cluster.ended(node, WITHIN_MS)
  if (code !== 0) throw new Error(`${node} was told to stop and ended with ${code}:\n${cluster.log(node).slice(-3_000)}`)
}
