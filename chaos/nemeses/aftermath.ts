/** What a fault that is over may still do to a node: a call that failed just before its end is told of, and ends the process, later. */

import { setTimeout as pause } from 'node:timers/promises'
import type { NodeId } from '../../topology/ids.ts'
import type { Arena } from './nemesis.ts'

/** A failure that was under way has come by then, and shows: a node that is about to end serves no more. */
const COMES_WITHIN_MS = 1_000
/** A node that neither serves nor has ended by then is kept from serving by something else. */
const SHOWS_WITHIN_MS = 30_000

/** Waits until it shows whether the node ends of what it met, and starts it again if so. */
export const restartUnlessOutlived = async (arena: Arena, node: NodeId): Promise<void> => {
  const { cluster } = arena
  await pause(COMES_WITHIN_MS)
  const shows = cluster.until(`${node} serves, or has ended`, (reports) => !cluster.isRunning(node)
    || reports.some((report) => report.node.id === node && report.node.state === 'serving'), SHOWS_WITHIN_MS)
  await shows.catch(() => {})
  if (!arena.hasOutlived(node)) arena.start(node)
}
