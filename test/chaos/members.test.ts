/** Members that come and go in a storm: who is supervised how, and what must be true when all moves are done. */

import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { createRoster } from '../../chaos/ground/roster.ts'
import { membershipProblems } from '../../chaos/settleMembers.ts'
import { hasSpare } from '../../chaos/nemeses/membership.ts'
import { superviseCluster } from '../../chaos/supervisor.ts'
import { nodeId } from '../../topology/ids.ts'
import type { Standing } from '../../chaos/settleMembers.ts'
import type { Arena } from '../../chaos/nemeses/nemesis.ts'
import type { NodeId } from '../../topology/ids.ts'

const [n1, n2, n3, n4] = ['n1', 'n2', 'n3', 'n4'].map(nodeId) as [NodeId, NodeId, NodeId, NodeId]
const leads = { state: 'leading.serving', matchIndex: { n1: 7, n2: 7, n3: 7 } }

describe('a roster', () => {
  test('starts a node with --join when it comes, and without when it leaves', () => {
    const roster = createRoster([n1, n2, n3])
    roster.admit(n4)
    expect([roster.members, roster.asksToJoin(n4), roster.asksToJoin(n1)]).toEqual([[n1, n2, n3, n4], true, false])
    roster.leave(n4)
    expect([roster.members, roster.leaving, roster.asksToJoin(n4)]).toEqual([[n1, n2, n3], [n4], false])
    roster.remove(n4)
    expect([roster.leaving, roster.everyone(), roster.born]).toEqual([[], [n1, n2, n3, n4], 3])
  })

  test('has one that was gone back once, however it went', () => {
    const roster = createRoster([n1, n2, n3])
    roster.leave(n1)
    roster.admit(n1)
    expect([roster.members, roster.leaving]).toEqual([[n2, n3, n1], []])
  })
})

describe('a supervisor', () => {
  afterEach(() => { jest.useRealTimers() })

  /** n3 is told to leave, and its process ends. */
  const ending = (code: number, log: string) => {
    jest.useFakeTimers()
    const roster = createRoster([n1, n2, n3])
    const started: NodeId[] = []
    const isRunning = (node: NodeId): boolean => node !== n3 || started.includes(n3)
    const supervisor = superviseCluster({
      roster, members: roster.members, isRunning,
      exitCode: () => code, logOfLife: () => log, start: (node) => { started.push(node) }, kill: async () => {},
    })
    roster.leave(n3)
    jest.advanceTimersByTime(1_000)
    supervisor.startAll()
    supervisor.stop()
    return { surprises: supervisor.surprises().length, started, leaving: roster.leaving.length }
  }

  test('lets a node that leaves end with 0', () => {
    expect(ending(0, '')).toEqual({ surprises: 0, started: [], leaving: 0 })
  })

  test('lets it be refused when it was removed while it was killed', () => {
    expect(ending(78, 'n3 is no member of this cluster any more: start it ...')).toEqual({ surprises: 0, started: [], leaving: 0 })
  })

  test.each([[1, 'an assertion'], [78, 'another process holds the directory']])('finds it wrong that it ends with %d', (code, log) => {
    expect(ending(code, log)).toEqual({ surprises: 1, started: [n3], leaving: 1 })
  })
})

describe('a supervisor of a node that hears of no cluster', () => {
  afterEach(() => { jest.useRealTimers() })

  const nobody = 'nobody answers on kv.status: start a cluster first, or give the right --prefix and --servers'
  test.each([
    ['starts it again where it is to join', n4, 1, nobody, 0],
    ['finds it wrong where it ends by an error', n4, 1, 'an assertion', 1],
    ['finds it wrong where it is refused', n4, 78, nobody, 1],
    ['finds it wrong of a member of the first hour', n3, 1, nobody, 1],
  ] as const)('%s', (_what, down, code, log, surprises) => {
    jest.useFakeTimers()
    const roster = createRoster([n1, n2, n3])
    roster.admit(n4)
    const started: NodeId[] = []
    const supervisor = superviseCluster({
      roster, members: roster.members, isRunning: (node) => node !== down || started.includes(node),
      exitCode: () => code, logOfLife: () => log, start: (node) => { started.push(node) }, kill: async () => {},
    })
    jest.advanceTimersByTime(1_000)
    supervisor.stop()
    expect([started, supervisor.surprises().length]).toEqual([[down], surprises])
  })
})

describe('when all moves are done', () => {
  const head = { epoch: 9, consistency: 'linearizable' as const }
  const view = { isLost: false, weight: 1, zone: '', replicas: 1, leads: 0, isMetaMember: true, moves: 0 }
  const whole = {
    roster: { members: [n1, n2, n3], leaving: [] as NodeId[] },
    plan: { ...head, isPaused: false, underWay: 0, moves: [], next: [], cancels: [], preferences: [], blocked: [] },
    nodes: { ...head, nodes: [n1, n2, n3].map((id) => ({ ...view, id, state: 'active' as const })) },
    shards: { ...head, shards: [{ shard: 0, replicas: ['n2:4', 'n1:1', 'n3:1'], leader: 'n2', move: null }] },
    reports: [n1, n2, n3].map((id) => ({
      node: { id },
      replicas: [{ shard: 0, role: id === n2 ? 'leader' : 'follower', ...(id === n2 ? leads : { state: 'following' }) }],
    })),
  }
  const said = (change: object): readonly string[] => membershipProblems({ ...whole, ...change } as unknown as Standing)
  const [first, second, third] = whole.reports
  const replicaOn = (node: NodeId, replica: object) => ({ node: { id: node }, replicas: [{ shard: 0, role: 'follower', ...replica }] })

  test('nothing is wrong', () => {
    expect(said({})).toEqual([])
  })

  test.each([
    ['a node that has not left', { roster: { members: [n1, n2, n3], leaving: [n4] } }, 'n4 has not left'],
    ['a member that is none', { roster: { members: [n1, n2, n3, n4], leaving: [] }, nodes: {
      ...head, nodes: [...whole.nodes.nodes, { ...view, id: n4, state: 'left' }],
    } }, 'n4 is left'],
    ['one that was to be gone', { roster: { members: [n1, n2], leaving: [] } }, 'n3 is active'],
    ['one that counts as lost', { nodes: { ...head, nodes: [{ ...view, id: n1, state: 'active', isLost: true }] } }, 'n1 counts as lost'],
    ['a plan that is not empty', { plan: { ...whole.plan, underWay: 1 } }, 'the plan is not empty'],
    ['a map of hearsay', { plan: { ...whole.plan, consistency: 'local' } }, 'no leader of the meta group'],
    ['a shard with too few replicas', { shards: { ...head, shards: [{ shard: 0, replicas: ['n1:1', 'n2:4'], leader: null, move: null }] } },
      'shard 0 has 2 replicas, not 3'],
    ['a replica that only learns', { reports: [first, second, replicaOn(n3, { role: 'learner' })] }, 'votes on n1 n2, and has 3'],
    ['a replica that counts for nothing', { reports: [first, second, replicaOn(n3, { quarantined: 'damaged' })] }, 'votes on n1 n2'],
    ['a replica that was not deleted', { reports: [first, second, third, replicaOn(n4, {})] }, 'and has 4 replicas'],
    ['a leader with other members', { reports: [first, replicaOn(n2, { ...leads, matchIndex: { n1: 1 } }), third] },
      'has the members n1, the map n1 n2 n3'],
  ])('%s is said', (_name, change, problem) => {
    expect(said(change).join('\n')).toContain(problem)
  })
})

test.each([[false, true], [true, false]])('one may go where all are members, and nobody is taken for lost (%s)', async (isLost, mayGo) => {
  const members = [n1, n2, n3, n4]
  const nodes = members.map((id) => ({ id, state: 'active', isLost: id === n1 && isLost }))
  const arena = { over: AbortSignal.abort(), cluster: { roster: { members, born: 3 }, admin: { nodes: async () => ({ nodes }) } } }
  expect(await hasSpare(arena as unknown as Arena)).toBe(mayGo)
})
