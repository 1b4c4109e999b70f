/** The queue of rumours: each is sent a bounded number of times, in messages of bounded size. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { gossipConfig } from '../../../actors/gossip/config.ts'
import { createRumourQueue, forget, hasRumours, outweighs, spread, takeRumours, transmissionsMax } from '../../../actors/gossip/rumours.ts'
import { peerStates } from '../../../actors/gossip/protocol.ts'
import { claim } from './detector.ts'

const config = gossipConfig()
const take = (queue: ReturnType<typeof createRumourQueue>, groupSize = 10, bytes = config.rumourBytesMax) =>
  takeRumours(queue, { config: { ...config, rumourBytesMax: bytes }, groupSize })

describe('a rumour', () => {
  const times = [[2, 4], [9, 4], [10, 8], [99, 8], [100, 12], [1_000, 16]] as const

  test.each(times)('in a group of %i is sent %i times, then it is over', (groupSize, times) => {
    const queue = createRumourQueue()
    spread(queue, claim('n2', 'suspect', 1))
    let sent = 0
    while (hasRumours(queue)) sent += take(queue, groupSize).length
    expect(sent).toBe(times)
    expect(transmissionsMax(config, groupSize)).toBe(times)
  })

  test('takes the place of an older one about the same node, and begins anew', () => {
    const queue = createRumourQueue()
    spread(queue, claim('n2', 'suspect', 1))
    for (let i = 0; i < 3; i += 1) take(queue, 2)
    spread(queue, claim('n2', 'alive', 2))
    expect(take(queue, 2)).toEqual([claim('n2', 'alive', 2)])
    for (let i = 0; i < 3; i += 1) expect(take(queue, 2)).toHaveLength(1)
    expect(hasRumours(queue)).toBe(false)
  })

  test('that is forgotten is not sent', () => {
    const queue = createRumourQueue()
    spread(queue, claim('n2', 'dead', 1))
    forget(queue, claim('n2', 'dead', 1).node)
    expect(take(queue)).toEqual([])
  })
})

test('what the receiver must hear comes first, and once', () => {
  const queue = createRumourQueue()
  spread(queue, claim('n2', 'suspect', 1))
  spread(queue, claim('n3', 'dead', 1))
  const first = claim('n3', 'dead', 1)
  expect(takeRumours(queue, { config, groupSize: 10, first: [first] })).toEqual([first, claim('n2', 'suspect', 1)])
  expect(takeRumours(createRumourQueue(), { config, groupSize: 10, first: [first] })).toEqual([first])
})

test('law: a message stays within its bytes, those sent least go first, and all are sent equally often in the end', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 60, max: 600 }), (count, bytes) => {
    const queue = createRumourQueue()
    for (let i = 0; i < count; i += 1) spread(queue, claim(`n${i}`, 'alive', 2))
    const sent = new Map<string, number>()
    while (hasRumours(queue)) {
      const taken = take(queue, 10, bytes)
      expect(taken.reduce((sum, { node, by }) => sum + node.length + by.length + 12, 0)).toBeLessThanOrEqual(bytes)
      for (const { node } of taken) sent.set(node, (sent.get(node) ?? 0) + 1)
      const counts = Array.from({ length: count }, (_, i) => sent.get(`n${i}`) ?? 0)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    }
    expect([...sent.values()].every((times) => times === 8)).toBe(true)
  }))
})

test('law: of two different claims exactly one weighs more', () => {
  const claims = fc.record({ state: fc.constantFrom(...peerStates), incarnation: fc.integer({ min: 0, max: 3 }) })
  fc.assert(fc.property(claims, claims, (a, b) => {
    const isSame = a.state === b.state && a.incarnation === b.incarnation
    expect(Number(outweighs(a, b)) + Number(outweighs(b, a))).toBe(isSame ? 0 : 1)
  }))
})
