/** A node that was started with another public prefix than its cluster: clients must not lose shards to it. topology/prefixWatch.ts. */

import { expect, test } from '@jest/globals'
import { createNode } from '../../../topology/node.ts'
import { tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { NodeOptions } from '../../../topology/nodeOptions.ts'
import type { Node } from '../../../topology/node.ts'

const serving = (prefix: string, ends: [number, string][] = []) => (options: NodeOptions): Node => createNode({
  ...options, settings: { ...options.settings, prefix },
  onExit: (code, reason) => {
    ends.push([code, reason])
    options.onExit(code, reason)
  },
})

test('a node that comes back with another prefix ends before it is ready, and its shards are served by the others', () => {
  const story = tellStory(961, { isMapped: true })
  story.put('k', 'before')
  const victim = story.settledLeader()
  story.kill(victim)
  story.put('k', 'meanwhile')
  const ends: [number, string][] = []
  victim.mayExit = 'it has another prefix'
  victim.createNode = serving('shop', ends)
  story.start(victim)
  let wasReady = false
  story.until('it has ended', () => {
    wasReady ||= victim.node?.readiness().ready === true
    return ends.length > 0
  }, 5_000)
  expect(ends).toEqual([[78, expect.stringContaining('was started with --prefix shop')]])
  expect(ends[0]?.[1]).toContain('Start it with --prefix kv.')
  expect(wasReady).toBe(false)
  expect(story.get('k')).toBe('meanwhile')
  victim.mayExit = ''
  victim.createNode = createNode
  story.start(victim)
  story.until('it is ready', () => victim.node?.readiness().ready === true, 15_000)
  story.end()
})

test('one that was there first ends when the others come, who are more, and they serve without it', () => {
  const story = tellStory(962, { isMapped: true })
  const [n1, n2, n3] = story.nodes as [Machine, Machine, Machine]
  story.losePower(n1, n2, n3)
  n1.createNode = serving('shop')
  story.start(n1)
  story.run(5_000)
  story.start(n2, n3)
  n1.mayExit = 'the majority has another prefix'
  story.until('it has ended, for the others are more', () => n1.node === null, 10_000)
  story.until('the others serve', () => [n2, n3].every(({ node }) => node?.readiness().ready === true), 15_000)
  story.put('k', 'after')
  n1.mayExit = ''
  n1.createNode = createNode
  story.start(n1)
  story.end()
})

test('a right one that meets the wrong one alone ends so that it is started again, and meets the rest then', () => {
  const story = tellStory(963, { isMapped: true })
  const [n1, n2, n3] = story.nodes as [Machine, Machine, Machine]
  story.losePower(n1, n2, n3)
  const wrong: [number, string][] = []
  n1.createNode = serving('shop', wrong)
  story.start(n1)
  story.run(5_000)
  const ends: [number, string][] = []
  n2.mayExit = 'it meets the wrong one alone'
  n2.createNode = serving('kv', ends)
  story.start(n2)
  story.until('it has ended', () => ends.length > 0, 10_000)
  expect(ends).toEqual([[1, expect.stringContaining('was started with --prefix kv')]])
  n1.mayExit = 'the majority has another prefix'
  story.start(n2, n3)
  story.until('the wrong one has ended, for the others are more', () => wrong.length > 0, 10_000)
  expect(wrong[0]?.[0]).toBe(78)
  story.until('the others serve', () => [n2, n3].every(({ node }) => node?.readiness().ready === true), 15_000)
  Object.assign(n1, { mayExit: '', createNode })
  story.start(n1)
  story.end()
})
