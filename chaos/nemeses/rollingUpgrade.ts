/**
 * Every node in turn is stopped with care and started as the next version, which lays out the log, snapshots and envelopes differently
 * (ground/nextBuild.ts). When the last one is there the cluster raises its layout level by itself; then a node of today's version must
 * refuse to start. It goes on to its end when the storm is over before: half an upgrade proves little.
 *
 * Struck again, it is a rolling restart of what has been upgraded.
 */

import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { must } from '../../actors/kernel/assert.ts'
import { readNextLayouts } from '../ground/nextBuild.ts'
import { restartInStorm, stopGently } from './rollingRestart.ts'
import type { NodeReport } from '../../topology/report.ts'
import type { Arena, Nemesis } from './nemesis.ts'

const RAISED_WITHIN_MS = 60_000

export const rollingUpgrade: Nemesis = {
  name: 'rollingUpgrade',
  needs: ['nextBuild'],
  isGentle: true,
  strike: async (arena) => {
    const { cluster } = arena
    for (const node of cluster.members) {
      arena.say(node)
      cluster.runAs(node, 'next')
      await restartInStorm(arena, node)
    }
    const { level } = readNextLayouts()
    const isRaised = (reports: readonly NodeReport[]): boolean =>
      reports.length === cluster.members.length && reports.every((report) => report.level === level)
    // In weather nobody may be heard without a break for long enough.
    const raised = cluster.until(`layout level ${level} is in force`, isRaised, RAISED_WITHIN_MS).then(() => true)
    if (!await (arena.isTimed ? raised : raised.catch(() => false))) return
    arena.say(`layout level ${level} is in force`)
    await refuseToday(arena)
  },
}

/** Today's version, on a directory of the next one. */
const refuseToday = async (arena: Arena): Promise<void> => {
  const { cluster } = arena
  const node = must(cluster.members.at(-1), 'a cluster has members')
  arena.expectExit(node)
  await stopGently(cluster, node)
  const { code, out } = await cluster.startTwin(node, cluster.directory(node)).ended
  if (code !== EXIT_REFUSED || !out.includes('layout level')) {
    throw new Error(`today's version on a directory of the next one ended with ${code}, not ${EXIT_REFUSED}:\n${out.slice(-3_000)}`)
  }
  arena.say(`${node} of today's version was refused`)
  arena.start(node)
}
