/**
 * docs/TESTING.md T22: what a client can have a node send is taken for no answer of a node. The client may do what a client may
 * (bus/natsConfig.ts), and hears all inboxes, as on a broker whose configuration is of an earlier version.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { encodeState } from '../../../actors/topology/codec.ts'
import { decodeControl, encodeControl } from '../../../bus/codec/control.ts'
import { newestState } from '../../../sim/mapFaults.ts'
import { nodeId, replicaId } from '../../../topology/ids.ts'
import { tellStory } from '../story.ts'
import type { ClusterState } from '../../../actors/topology/clusterState.ts'
import type { Inbound } from '../../../bus/port.ts'
import type { Wish } from '../../../actors/topology/protocol.ts'
import type { Story } from '../story.ts'

const FORGED_EPOCH = 1_000_000

const wish = (story: Story, wanted: Wish, done = (): void => {}): void => {
  const expectedEpoch = must(newestState(story.simulation.cluster), 'somebody runs').epoch
  must(story.nodes[0]?.node, 'n1 runs').propose({ ...wanted, expectedEpoch, at: 1, by: 'story', request: '' }, done)
}

const isMap = (value: unknown): boolean => (value as { readonly state?: unknown } | undefined)?.state instanceof Uint8Array

/** All replicas are n1's, of a generation that nobody has: whoever believed it would end its own. */
const forgedMap = (real: ClusterState): Uint8Array => {
  const replicas = [replicaId(nodeId('n1'), 49)]
  const shards = real.shards.map(() => ({ replicas, move: null }))
  const state = { ...real, epoch: FORGED_EPOCH, nextGeneration: 50, history: [], shards, meta: { replicas, move: null } }
  return encodeControl({ epoch: FORGED_EPOCH, state: encodeState(state) })
}

test('a client that has nodes send a map of its own in the place of another node\'s answer is not believed', () => {
  // The fourth is no member of the meta group, so it asks the others for every map.
  const story = tellStory(777, { nodes: 4, replicationFactor: 3 })
  story.put('k', 'value')
  const { cluster } = story.simulation
  const client = cluster.connectClient('c7').bus
  /** Where nodes hear answers: the root, and which comes next. */
  const inboxes = new Map<string, number>()
  let maps = 0
  client.subscribe('_INBOX.>', ({ subject, data, headers }: Inbound) => {
    if (headers !== undefined || !isMap(decodeControl(data))) return
    maps += 1
    const dot = subject.lastIndexOf('.')
    inboxes.set(subject.slice(0, dot), Number(subject.slice(dot + 1)) + 1)
  })
  let isPaused = false
  wish(story, { kind: 'pause' }, () => { isPaused = true })
  story.until('a map was asked for', () => isPaused && inboxes.size > 0)
  story.run(2_000)

  const forged = forgedMap(must(newestState(cluster), 'somebody runs'))
  let stored: unknown = null
  client.request('kv.put.forged', forged, { timeoutMs: 2_000 }, (_failure, answer) => { stored = answer?.headers?.get('Kv-Status') })
  story.until('it is stored', () => stored === 'OK')
  const before = maps
  let isResumed = false
  wish(story, { kind: 'resume' }, () => { isResumed = true })
  const headers = new Map([['Kv-Status', 'OK']])
  const hasLearnt = (): boolean => isResumed && maps > before
  for (let step = 0; step < 1_600 && !hasLearnt(); step += 1) {
    for (const [root, next] of inboxes) {
      client.publish('kv.get.forged', new Uint8Array(0), { reply: `${root}.${next}`, headers: new Map([['Kv-Consistency', 'stale']]) })
      // A node of an earlier version sends it there.
      client.publish(`${root}.${next}`, forged, { headers })
    }
    story.run(5)
  }
  expect(maps).toBeGreaterThan(before)
  story.run(2_000)
  expect(story.nodes.map(({ node }) => node?.parts()?.live.state().epoch)).not.toContain(FORGED_EPOCH)
  expect(new Set(story.nodes.map(({ node }) => node?.parts()?.live.state().epoch)).size).toBe(1)
  story.end()
}, 120_000)
