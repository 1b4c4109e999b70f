/** What nodes believe of each other, as real processes over a real broker, read where a person reads it: in `shardkv status`. */

import { expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { clusterOfTest } from '../support/clusterOfTest.ts'
import type { TestCluster } from '../../chaos/ground/cluster.ts'
import type { NodeReport } from '../../topology/report.ts'

const TEST_MS_MAX = 180_000
/** A suspicion of four seconds, the probe before it, and a machine with other things to do. */
const VERDICT_MS_MAX = 60_000

const cluster = clusterOfTest()

const allSee = (running: TestCluster, of: string, state: string) => (reports: readonly NodeReport[]): boolean => {
  const others = running.members.filter((id) => id !== of)
  return others.every((id) => reports.some(({ node, gossip }) =>
    node.id === id && gossip?.peers.some((peer) => peer.node === of && peer.state === state) === true))
}

/** The rows of the node table, without colours. */
const nodeRows = async (running: TestCluster): Promise<readonly string[]> => {
  const { code, out } = await running.cli('status').ended
  expect(code).toBe(0)
  return out.split('\n').filter((line) => /^n\d/.test(line))
}

test('status shows a killed node as dead to the others, a restarted one alive, and one that drains as left', async () => {
  const { running } = await cluster.open()
  const [n1, n2, n3] = running.members
  const victim = must(n3, 'there are three nodes')
  await running.until('n3 is seen', allSee(running, victim, 'alive'), VERDICT_MS_MAX)
  expect((await nodeRows(running)).map((row) => row.split(/ {2,}/)[4])).toEqual(['2 alive', '2 alive', '2 alive'])

  await running.kill(victim)
  await running.until('n3 is dead to the others', allSee(running, victim, 'dead'), VERDICT_MS_MAX)
  const rows = await nodeRows(running)
  expect(rows.filter((row) => row.includes('1 alive, dead: n3'))).toHaveLength(2)
  expect(rows.find((row) => row.startsWith('n3'))).toMatch(/unreachable/)
  expect([n1, n2].map((id) => running.log(must(id, 'a member'))).every((text) => text.includes('n3 is held for dead'))).toBe(true)

  running.start(victim)
  await running.until('n3 is back for the others', allSee(running, victim, 'alive'), VERDICT_MS_MAX)

  running.signal(victim, 'SIGTERM')
  await running.until('n3 has left for the others', allSee(running, victim, 'left'), VERDICT_MS_MAX)
  expect((await nodeRows(running)).filter((row) => row.includes('1 alive, left: n3'))).toHaveLength(2)
}, TEST_MS_MAX)
