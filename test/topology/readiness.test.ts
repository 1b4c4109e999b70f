/** What keeps a node from being ready: replicas that have not caught up since its start, and later shards that stay without a leader. */

import { describe, expect, test } from '@jest/globals'
import { META_GROUP, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { createGapsWatch, readinessOf } from '../../topology/readiness.ts'
import type { MemoryShortage } from '../../actors/shard/protocol.ts'
import type { Placement } from '../../actors/topology/clusterState.ts'
import type { HostedMeta } from '../../topology/hostedMeta.ts'
import type { HostedReplica } from '../../topology/hostedReplica.ts'
import type { GroupId } from '../../topology/ids.ts'
import type { NodeReport } from '../../topology/report.ts'

const own = replicaId(nodeId('n1'), 1)
const newcomer = replicaId(nodeId('n1'), 7)
const resting: Placement = { replicas: [own], move: null }
const coming = (step: 'adding' | 'promoting' | 'undoing'): Placement =>
  ({ replicas: [own], move: { id: 1, add: newcomer, remove: own, step, orderedAt: 2 } })

interface Fake {
  role: string
  leader: string
  isUpToDate: boolean
}

/** Two shards and the meta group on a node; time passes in seconds. */
const watching = (placement: Placement = resting, id = own) => {
  const fakes: Fake[] = Array.from({ length: 3 }, () => ({ role: 'follower', leader: 'n2:1', isUpToDate: true }))
  const [first, second, meta] = fakes as [Fake, Fake, Fake]
  const memberOf = (fake: Fake) => ({
    id, raft: { role: () => fake.role, isUpToDate: () => fake.isUpToDate, leadership: () => ({ leader: fake.leader, term: 1 }) },
  })
  const shards = [first, second].map((fake, shard) => ({ ...memberOf(fake), shard: shardId(shard) })) as unknown as HostedReplica[]
  const missing: GroupId[] = []
  const watch = createGapsWatch({
    host: { all: () => shards, meta: () => memberOf(meta) as unknown as HostedMeta, missing: () => missing },
    placements: () => ({ shards: [placement, placement], meta: placement }),
  })
  let now = 0
  const after = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      now += 1_000
      watch.onTick(now)
    }
    return watch.known()
  }
  return { first, second, meta, missing, after, watch }
}

const nothing = { behind: [], leaderless: [] }

describe('after its start', () => {
  test('a node waits for each of its replicas to catch up, the one of the meta group too, and remembers who has', () => {
    const { first, second, meta, after, watch } = watching()
    expect(watch.known()).toBeNull()
    for (const fake of [first, second, meta]) fake.isUpToDate = false
    expect(after(1_000)).toEqual({ behind: [0, 1, META_GROUP], leaderless: [] })
    first.isUpToDate = true
    meta.isUpToDate = true
    expect(after(1_000)).toEqual({ behind: [1], leaderless: [] })
    // Such as while a snapshot is loaded.
    first.isUpToDate = false
    expect(after(1_000)).toEqual({ behind: [1], leaderless: [] })
    second.isUpToDate = true
    expect(after(1_000)).toEqual(nothing)
  })

  test('a shard without a leader keeps it from being ready at once', () => {
    const { second, after } = watching()
    second.isUpToDate = false
    second.leader = ''
    expect(after(1_000)).toEqual({ behind: [1], leaderless: [1] })
  })

  test('a replica that is not open yet, since it is in doubt, is waited for', () => {
    const { missing, after } = watching()
    missing.push(shardId(7))
    expect(after(1_000)).toEqual({ behind: [7], leaderless: [] })
    missing.pop()
    expect(after(1_000)).toEqual(nothing)
  })

  test('a damaged replica is not waited for', () => {
    const { first, after } = watching()
    Object.assign(first, { role: 'halted', leader: '', isUpToDate: false })
    expect(after(1_000)).toEqual(nothing)
  })

  test.each([['adding', []], ['undoing', []], ['promoting', [0]]] as const)(
    'a learner that a move has brought is waited for as soon as it may have a vote: not while %s', (step, behind) => {
      const { first, after } = watching(coming(step), newcomer)
      Object.assign(first, { role: 'learner', isUpToDate: false })
      expect(after(1_000)).toEqual({ behind, leaderless: [] })
    },
  )

  test.each(['promoting', 'undoing'] as const)('one that its group has let go is not waited for: while %s', (step) => {
    const { first, after } = watching(coming(step))
    Object.assign(first, { role: 'learner', leader: '', isUpToDate: false })
    expect(after(1_000)).toEqual(nothing)
  })

  test('a learner by its own log that the map knows as a voter is waited for', () => {
    const { first, after } = watching()
    Object.assign(first, { role: 'learner', isUpToDate: false })
    expect(after(1_000)).toEqual({ behind: [0], leaderless: [] })
  })
})

describe('once it was ready', () => {
  test('a node stays so, whatever its replicas lack later', () => {
    const { first, after } = watching()
    expect(after(1_000)).toEqual(nothing)
    first.isUpToDate = false
    Object.assign(first, { id: newcomer })
    expect(after(1_000)).toEqual(nothing)
  })

  test('an election leaves it ready, and a shard that has no leader for ten seconds does not', () => {
    const { first, meta, after } = watching()
    after(1_000)
    first.leader = ''
    meta.leader = ''
    expect(after(5_000)).toEqual(nothing)
    first.leader = 'n3:1'
    after(1_000)
    first.leader = ''
    expect(after(10_000)).toEqual(nothing)
    expect(after(1_000)).toEqual({ behind: [], leaderless: [0] })
    first.leader = 'n3:1'
    expect(after(1_000)).toEqual(nothing)
  })
})

test('it says what it waits for, and names no shard twice', () => {
  const report = {
    node: { state: 'serving', diskFull: false }, broker: { routing: 'broker' }, replicas: [],
  } as unknown as NodeReport
  const connected = { data: true, doors: true }
  expect(readinessOf(report, connected, null)).toMatchObject({ ready: false })
  expect(readinessOf(report, connected, nothing)).toEqual({ ready: true, waitingFor: [], warnings: [] })
  expect(readinessOf(report, { ...connected, isAskingForPrefix: true }, nothing).waitingFor)
    .toEqual(['the other members to say which prefix they serve'])
  expect(readinessOf({ ...report, otherPrefixes: [{ node: nodeId('n2'), prefix: 'other' }] }, connected, nothing))
    .toEqual({ ready: true, waitingFor: [], warnings: ['n2 serves the prefix other: clients of this one do not reach it'] })
  const short = (shortage: MemoryShortage | null): string =>
    readinessOf({ ...report, node: { ...report.node, memory: { shortage } } }, connected, nothing).warnings.join()
  expect([short(null), short('heap'), short('process')]).toEqual([
    '', expect.stringMatching(/^NO_SPACE: the heap .* --max-old-space-size/), expect.stringMatching(/^NO_SPACE: memory .* container/),
  ])
  expect(readinessOf(report, connected, { behind: [1, 2, META_GROUP], leaderless: [shardId(1)] }).waitingFor).toEqual([
    'a leader of shards 1', 'the replicas here of shards 2 to catch up', "the meta group's replica here to catch up",
  ])
})
