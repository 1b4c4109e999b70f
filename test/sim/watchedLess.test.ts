/** What the watch does not look at again: it must find whatever a look at every event would have found, at the same event. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createQuorumContact } from '../../sim/invariants/quorumContact.ts'
import { createShardLedger } from '../../sim/ledger.ts'
import { createMapLedger } from '../../sim/mapLedger.ts'
import { createMapWatch } from '../../sim/mapWatch.ts'
import { isQuorum } from '../../sim/view.ts'
import { adoptGenesis } from '../../actors/topology/clusterState.ts'
import { nodeId, nodeOf, replicaId, shardId } from '../../topology/ids.ts'
import { genesisOf, n } from '../actors/topology/states.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { MapWatchInput } from '../../sim/mapWatch.ts'
import type { ReplicaView } from '../../sim/view.ts'
import type { ReplicaId } from '../../topology/ids.ts'

const SILENCE_MS_MAX = 100
const NODES = ['a', 'b', 'c', 'd', 'e'].map(nodeId)
const IDS = NODES.map((node) => replicaId(node, 1))
const ledger = createShardLedger(0)

type Step =
  | { readonly kind: 'passes'; readonly ms: number }
  | { readonly kind: 'hears'; readonly speaker: number }
  | { readonly kind: 'runs' }
  | { readonly kind: 'voters'; readonly count: number }
  | { readonly kind: 'looks'; readonly isLeader: boolean }

const steps = fc.array(fc.oneof(
  fc.record({ kind: fc.constant('passes' as const), ms: fc.integer({ min: 1, max: 120 }) }),
  fc.record({ kind: fc.constant('hears' as const), speaker: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('runs' as const) }),
  fc.record({ kind: fc.constant('voters' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('looks' as const), isLeader: fc.boolean() }),
), { minLength: 20, maxLength: 60 })

const leaderOf = (voters: readonly ReplicaId[]): Pick<ReplicaView, 'id' | 'shard' | 'role' | 'voters'> =>
  ({ id: IDS[0] as ReplicaId, shard: 0, role: 'leader', voters })

describe('a leader in contact', () => {
  test('is looked at when it may have lost its quorum, and found when it has', () => {
    let found = 0
    fc.assert(fc.property(steps, (history) => {
      let now = 0
      let runningSince = 0
      let voters: readonly ReplicaId[] = IDS
      const heardAt = new Map<string, number>()
      const silenceMs = (_: string, speaker: string): number => now - Math.max(heardAt.get(speaker) ?? 0, runningSince)
      const { check } = createQuorumContact({ now: () => now, silenceMsMax: SILENCE_MS_MAX, silenceMs })
      const isFound = (): boolean =>
        !isQuorum(voters.filter((id) => id === IDS[0] || silenceMs('a', nodeOf(id)) <= SILENCE_MS_MAX).length, voters)
      const take = (step: Step): void => {
        if (step.kind === 'passes') now += step.ms
        if (step.kind === 'hears') heardAt.set(NODES[step.speaker] ?? '', now)
        if (step.kind === 'runs') runningSince = now
        if (step.kind === 'voters') voters = IDS.slice(0, step.count)
        if (step.kind !== 'looks') return
        const view = { ...leaderOf(voters), role: step.isLeader ? 'leader' : 'follower' } as ReplicaView
        expect(check?.(view, ledger) !== null).toBe(step.isLeader && isFound())
        if (step.isLeader && isFound()) found += 1
      }
      for (const step of history) take(step)
    }), { numRuns: 300, seed: 4 })
    expect(found).toBeGreaterThan(50)
  })
})

describe('a node whose map and replicas were well', () => {
  const born = adoptGenesis(genesisOf({ size: 3 }))
  const inForce = (state: ClusterState): ClusterState => ({ ...state, history: [] })
  const replicas = [{ shard: shardId(0), id: replicaId(n(1), 1) }]
  const node = (state: ClusterState, hosted: readonly unknown[], meta?: unknown): MapWatchInput => ({
    node: 'n1', status: undefined,
    parts: { live: { state: () => state }, host: { meta: () => meta, all: () => hosted } } as unknown as MapWatchInput['parts'],
  })
  const watched = () => {
    const watch = createMapWatch(createMapLedger(() => genesisOf({ size: 3 })))
    const well = inForce(born)
    expect([watch(node(well, replicas)), watch(node(well, replicas))]).toEqual([null, null])
    return { watch, well }
  }

  test('is found with a map that nobody committed', () => {
    const { watch } = watched()
    const other = { ...inForce(born), epoch: 9 }
    expect(watch(node(other, replicas))).toEqual(
      { invariant: 'maps are what was committed', text: 'node n1 has a map of epoch 9, which was never committed' })
  })
  test('is found with a replica that nobody named, of a shard or of the meta group', () => {
    const { watch, well } = watched()
    const stranger = { shard: shardId(0), id: replicaId(n(1), 7) }
    expect(watch(node(well, [...replicas, stranger]))?.text).toContain('n1:7 of group 0, which no committed map has named')
    expect(watch(node(well, replicas, stranger))?.text).toContain('n1:7 of group meta, which no committed map has named')
  })
})
