/**
 * SIGKILL, and not started again before its replicas have been rebuilt elsewhere. Then it comes back: with its disk it is balanced in
 * again; with an empty one it is refused, since nobody remembers what it promised, and its name is taken out of the cluster.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { EXIT_FAILURE, EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { must } from '../../actors/kernel/assert.ts'
import { chance, pick } from '../../actors/kernel/random.ts'
import { emptyDirectory } from '../ground/emptyDirectory.ts'
import { TOO_EARLY } from '../supervisor.ts'
import { NO_SPARE, awaitIn, comeBack, hasSpare, viewOf } from './membership.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Arena, Nemesis } from './nemesis.ts'

/** The patience of such a run (LOST_AFTER_MS in chaos/run.ts), and the moves. */
const REBUILT_WITHIN_MS = 25_000
const REFUSED_WITHIN_MS = 30_000
const REMOVED_WITHIN_MS = 30_000
const ATTEMPTS_MAX = 3
/** What it must say (topology/joinCluster.ts). */
const NOT_ITS_OWN = 'and this directory is not its own'

export const killForGood: Nemesis = {
  name: 'killForGood',
  needs: ['members'],
  strike: async (arena) => {
    const { cluster, random } = arena
    if (!await hasSpare(arena)) return arena.missed(NO_SPARE)
    const node = must(pick(random, cluster.members), 'a cluster has members')
    arena.say(`${node} is killed, and stays away`)
    await arena.kill(node)
    cluster.roster.remove(node)
    const isRebuilt = await awaitIn(arena, REBUILT_WITHIN_MS, async () => {
      const view = await viewOf(arena, node)
      return view !== undefined && view.replicas === 0 && view.moves === 0 && !view.isMetaMember
    })
    if (isRebuilt && chance(random, 0.5)) return await comeBackEmpty(arena, node)
    arena.say(`${node}: ${isRebuilt ? 'rebuilt elsewhere' : 'not rebuilt yet'}; comes back with its disk`)
    await comeBack(arena, node)
  },
}

const comeBackEmpty = async (arena: Arena, node: NodeId): Promise<void> => {
  const { cluster } = arena
  emptyDirectory(cluster.directory(node))
  for (let attempt = 1; !await isRefused(arena, node); attempt += 1) {
    if (attempt === ATTEMPTS_MAX) throw new Error(`${node} found no cluster to join in ${ATTEMPTS_MAX} attempts`)
  }
  arena.say(`${node}: rebuilt elsewhere; refused with an empty directory`)
  const decision = await cluster.admin.remove(node, REMOVED_WITHIN_MS)
  if (decision !== 'done') throw new Error(`${node} carries nothing and can not be removed: ${JSON.stringify(decision)}`)
}

/** False where it heard of no cluster; throws when it was let in. */
const isRefused = async ({ cluster }: Arena, node: NodeId): Promise<boolean> => {
  const { child, ended } = cluster.cli('node', '--join', '--id', node, '--dir', cluster.directory(node))
  const outcome = await Promise.race([ended, pause(REFUSED_WITHIN_MS, null, { ref: false })])
  if (outcome === null) child.kill('SIGKILL')
  if (outcome?.code === EXIT_FAILURE && TOO_EARLY.test(outcome.out)) return false
  if (outcome?.code !== EXIT_REFUSED) {
    throw new Error(`${node} was not refused with an empty directory: ${outcome === null ? 'it runs' : `${outcome.code}\n${outcome.out}`}`)
  }
  return outcome.out.includes(NOT_ITS_OWN)
}
