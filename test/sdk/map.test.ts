/** What the SDK makes of an answer to `kv.map` that is no map. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { createMapFollower } from '../../sdk/map.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { Headers } from '../../bus/port.ts'

const problemsOf = (answer: string, headers?: Headers): string[] => {
  const { broker, clock, pass } = createVirtualWorld()
  const node = broker.connect({ name: 'n1' })
  node.subscribe('kv.map', ({ reply }) => {
    node.publish(reply, new TextEncoder().encode(answer), headers === undefined ? {} : { headers })
  })
  const problems: string[] = []
  const follower = createMapFollower({
    bus: broker.connect({ name: 'sdk' }), clock, random: createRandom(1), prefix: 'kv',
    onMap: () => { problems.push('a map') }, onProblem: (reason) => { problems.push(reason) },
  })
  follower.refresh()
  pass(100)
  return problems
}

describe('the map follower', () => {
  test('passes on why a node has no map to give', () => {
    expect(problemsOf('Raise max_payload of the broker.', new Map([['Kv-Status', 'TOO_LARGE']]))).toEqual([
      'the cluster map can not be had (TOO_LARGE): Raise max_payload of the broker',
    ])
  })

  test('quotes no more of that than a sentence or two', () => {
    const [problem = ''] = problemsOf('x'.repeat(10_000), new Map([['Kv-Status', 'y'.repeat(10_000)]]))
    expect(problem.length).toBeLessThan(600)
  })

  test('says when the answer is none of a cluster', () => {
    expect(problemsOf('hello')).toEqual([expect.stringMatching(/is not JSON/)])
    expect(problemsOf('hello', new Map([['Kv-Status', 'OK']]))).toEqual([expect.stringMatching(/is not JSON/)])
  })
})

test('a stored value that looks like a map is none, and the map is waited for', () => {
  const { broker, clock, pass } = createVirtualWorld()
  const node = broker.connect({ name: 'n1' })
  const mapOf = (epoch: number): Uint8Array => new TextEncoder().encode(JSON.stringify({
    cluster: '00000000c0ffee00', epoch, shardCount: 1, nodes: ['n1'], leaders: [{ node: 'n1', term: 1 }], replicas: [['n1:1']],
  }))
  node.subscribe('kv.map', ({ reply }) => {
    node.publish(reply, mapOf(99), { headers: new Map([['Kv-Status', 'OK'], ['Kv-Shard', '0']]) })
    node.publish(reply, mapOf(1), { headers: new Map([['Kv-Status', 'OK']]) })
  })
  const epochs: unknown[] = []
  const follower = createMapFollower({
    bus: broker.connect({ name: 'sdk' }), clock, random: createRandom(1), prefix: 'kv',
    onMap: ({ epoch }) => { epochs.push(epoch) }, onProblem: (reason) => { epochs.push(reason) },
  })
  follower.refresh()
  pass(100)
  expect(epochs).toEqual([1])
})
