/** What counts as a leader that was killed, and that a failover in which fewer died than were asked for is none. */

import { describe, expect, test } from '@jest/globals'
import { leadershipsOf } from '../../chaos/ground/cluster.ts'
import { hasSuccessor } from '../../chaos/nemeses/killLeader.ts'
import { syncFailure } from '../../chaos/nemeses/syncFailure.ts'
import { emptyProblems, killProblems } from '../../chaos/run.ts'
import { measuredEarly, rage, strikeOn } from '../../chaos/storm.ts'
import { createRandom } from '../../actors/kernel/random.ts'
import { nodeId } from '../../topology/ids.ts'
import { replica, report } from '../cli/reports.ts'
import type { Leadership } from '../../chaos/ground/cluster.ts'
import type { Arena, Nemesis } from '../../chaos/nemeses/nemesis.ts'

const led = (...rows: readonly (readonly [number, string, number])[]): ReadonlyMap<number, Leadership> =>
  new Map(rows.map(([shard, node, term]) => [shard, { node: nodeId(node), term }]))

describe('a leader that was killed', () => {
  test('counts when another one leads in a later term', () => {
    expect(hasSuccessor(led([0, 'n1', 3], [4, 'n1', 2]), led([0, 'n2', 4], [4, 'n1', 2]))).toBe(true)
  })

  test('does not count when it led nothing, when nobody followed it, or when it leads again itself', () => {
    expect(hasSuccessor(led(), led([0, 'n2', 4]))).toBe(false)
    expect(hasSuccessor(led([0, 'n1', 3]), led())).toBe(false)
    expect(hasSuccessor(led([0, 'n1', 3]), led([0, 'n1', 4]))).toBe(false)
    expect(hasSuccessor(led([0, 'n1', 3]), led([0, 'n2', 3]))).toBe(false)
  })

  test('is who leads in the newest term, by what nodes report', () => {
    const leads = (term: number) => replica(0, { role: 'leader', state: 'leading.serving', term })
    expect([...leadershipsOf([report('n1', [leads(3)]), report('n2', [leads(4)]), report('n3', [replica(0)])])])
      .toEqual([[0, { node: 'n2', term: 4 }]])
  })
})

test('a failover needs as many kills as were asked for', () => {
  expect(killProblems(10, 10)).toEqual([])
  expect(killProblems(10, 9)).toEqual(['only 9 of 10 leaders died as leaders: the failover is not proved'])
  expect(killProblems(0, 0)).toEqual([])
})

test('a run in which nobody was answered, or nothing struck, has tried nothing', () => {
  expect(emptyProblems({ answered: 1, strikes: new Map([['kill', 1]]) })).toEqual([])
  expect(emptyProblems({ answered: 0, strikes: new Map([['kill', 0]]) })).toHaveLength(2)
})

test('what is measured has its turn early in a storm, and the cluster is warm by then', () => {
  const nemesis = (name: string, isMeasured = false): Nemesis => ({ name, needs: [], strike: async () => {}, isMeasured })
  const [kill, pause, twin, brokers] = [nemesis('kill'), nemesis('pause'), nemesis('twin'), nemesis('brokerRestart', true)]
  const namesOf = (order: readonly Nemesis[]): readonly string[] => measuredEarly(order).map(({ name }) => name)
  expect(namesOf([kill, pause, twin, brokers])).toEqual(['kill', 'brokerRestart', 'pause', 'twin'])
  expect(namesOf([brokers, twin])).toEqual(['twin', 'brokerRestart'])
  expect(namesOf([brokers])).toEqual(['brokerRestart'])
})

test('a strike that could not do what it is for is none', async () => {
  const said: string[] = []
  const arenaOf = (): Arena =>
    ({ random: createRandom(1), over: AbortSignal.abort(), say: (text: string) => said.push(text) } as unknown as Arena)
  const drain: Nemesis = { name: 'drain', needs: [], isLast: true, strike: async ({ missed }) => missed('no spare was there in time') }
  const strikes = await rage({ chosen: [drain], seconds: 0.1, arenaOf })
  expect([[...strikes], said]).toEqual([[['drain', 0]], ['missed: no spare was there in time']])
  expect(emptyProblems({ answered: 1, strikes })).toEqual(['nothing struck: nothing was tested'])
  expect(await strikeOn({ nemesis: drain, arenaOf, isEnough: () => said.length === 3, withinSeconds: 60 })).toBe(0)
})

test('a failing sync is no strike on a node without a shard: its log has nothing to sync, and it may go on', async () => {
  const done: string[] = []
  const cluster = {
    members: [nodeId('n4')], reports: async () => [report('n4', [])], order: () => done.push('ordered'),
    ended: async () => 1, isRunning: () => true,
  }
  const arena = {
    cluster, random: createRandom(1), say: () => {}, expectExit: () => done.push('may end'), missed: (why: string) => done.push(why),
  } as unknown as Arena
  await syncFailure.strike(arena)
  expect(done).toEqual(['n4 has no shard that makes its log sync'])
  const hosting = { ...arena, cluster: { ...cluster, reports: async () => [report('n4', [replica(0)])] } } as unknown as Arena
  await expect(syncFailure.strike(hosting)).rejects.toThrow('n4 goes on although its syncs fail')
})

describe('strikes after the storm', () => {
  const strike = async (isEnough: () => boolean, withinSeconds: number, onStrike: () => void): Promise<number> => {
    const nemesis: Nemesis = { name: 'kill', needs: [], strike: async () => onStrike() }
    const arenaOf = (_: Nemesis, over: AbortSignal): Arena => ({ random: createRandom(1), over } as unknown as Arena)
    return await strikeOn({ nemesis, arenaOf, isEnough, withinSeconds })
  }

  test('go on until there are enough', async () => {
    let kills = 0
    expect(await strike(() => kills >= 2, 60, () => { kills += 1 })).toBe(2)
    expect(await strike(() => true, 60, () => { kills += 1 })).toBe(0)
  })

  test('end when the time is up', async () => {
    expect(await strike(() => false, 0.2, () => {})).toBeLessThanOrEqual(1)
  })
})
