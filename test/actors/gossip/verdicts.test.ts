/** What is believed of a peer, and what a node does about what is said of itself (SWIM 4.2). */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { INCARNATION_MAX, peerStates } from '../../../actors/gossip/protocol.ts'
import { claim, createDetector } from './detector.ts'
import type { LogFields, Logger } from '../../../actors/kernel/log.ts'

const claims = fc.array(
  fc.record({ state: fc.constantFrom(...peerStates), incarnation: fc.integer({ min: 0, max: 4 }) }).map(
    ({ state, incarnation }) => claim('n3', state, incarnation, 'n2')),
  { minLength: 1, maxLength: 8 },
)

test('law: the order of claims, and how often they come, decides nothing', () => {
  fc.assert(fc.property(claims, fc.infiniteStream(fc.nat()), (said, order) => {
    const shuffled = [...said, ...said].map((one) => [order.next().value as number, one] as const).sort(([a], [b]) => a - b)
    const [a, b] = [said, shuffled.map(([, one]) => one)].map((rumours) => {
      const detector = createDetector({ nodes: 4 })
      for (const one of rumours) detector.rumour('n2', one)
      return detector.gossip.status().peers
    })
    expect(a).toEqual(b)
  }))
})

test('law: the incarnation of a row never falls', () => {
  fc.assert(fc.property(claims, (said) => {
    const detector = createDetector({ nodes: 4 })
    let before = 0
    for (const one of said) {
      detector.rumour('n2', one)
      const now = detector.gossip.status().peers.find(({ node }) => node === 'n3')?.incarnation ?? 0
      expect(now).toBeGreaterThanOrEqual(before)
      before = now
    }
  }))
})

describe('a peer', () => {
  test.each([
    ['a suspicion of the same incarnation holds', ['alive', 3], ['suspect', 3], 'suspect'],
    ['an older suspicion does not', ['alive', 3], ['suspect', 2], 'alive'],
    ['a refutation needs a higher incarnation', ['suspect', 3], ['alive', 3], 'suspect'],
    ['and wins with it', ['suspect', 3], ['alive', 4], 'alive'],
    ['the dead come back with a higher one', ['dead', 3], ['alive', 4], 'alive'],
    ['and not with the same', ['dead', 3], ['alive', 3], 'dead'],
    ['who has left is not called dead', ['left', 3], ['dead', 3], 'left'],
    ['who has left comes back', ['left', 3], ['alive', 4], 'alive'],
  ] as const)('%s', (_, [was, before], [said, incarnation], is) => {
    const detector = createDetector({ nodes: 4 })
    detector.rumour('n2', claim('n3', was, before, 'n2'), claim('n3', said, incarnation, 'n2'))
    expect(detector.view('n3')).toBe(is)
  })

  test('that says for the first time that it is alive is no news in an exchange', () => {
    const detector = createDetector({ nodes: 4 })
    const exchange = (incarnation: number): void =>
      detector.hear('n3', { type: 'gossip.exchange', kind: 'answer', rumours: [claim('n3', 'alive', incarnation)] })
    exchange(1)
    expect(detector.gossip.status()).toMatchObject({ rumours: 0 })
    exchange(2)
    expect(detector.gossip.status()).toMatchObject({ rumours: 1 })
  })

  test('that refutes an accusation which has not come here yet is passed on, or others would have the accusation alone', () => {
    const detector = createDetector({ nodes: 4 })
    detector.rumour('n2', claim('n3', 'alive', 1))
    expect(detector.gossip.status()).toMatchObject({ rumours: 1 })
    detector.rumour('n2', claim('n3', 'suspect', 0, 'n2'))
    expect([detector.view('n3'), detector.gossip.status().rumours]).toEqual(['alive', 1])
  })

  test('that is suspected is dead when it does not refute in time, and sooner with independent accusers', () => {
    const ticksUntilDead = (...accusers: string[]): number => {
      const detector = createDetector({ nodes: 8 })
      for (const by of accusers) detector.rumour('n2', claim('n3', 'suspect', 1, by))
      let ticks = 0
      for (; detector.view('n3') === 'suspect' && ticks < 1_000; ticks += 1) {
        detector.ticks(1)
        // The others answer: no verdict but this one.
        for (const { to, message } of detector.sent('gossip.ping')) {
          if (to !== 'n3') detector.hear(to, { type: 'gossip.ack', sequence: message.sequence, rumours: [] })
        }
      }
      expect(detector.view('n3')).toBe('dead')
      return ticks
    }
    expect(ticksUntilDead('n2', 'n4', 'n5')).toBe(40)
    expect(ticksUntilDead('n2', 'n2', 'n2')).toBeGreaterThan(40)
    expect(ticksUntilDead('n2', 'n3', 'stranger')).toBe(ticksUntilDead('n2'))
  })

  test('that is known by rumour to be suspected is asked for two seconds before it is held for dead', () => {
    const detector = createDetector({ nodes: 8 })
    // All answer, so that this node accuses nobody itself; n3 does not refute.
    const pings = (): number => detector.sent('gossip.ping').filter(({ to, message }) => {
      detector.hear(to, { type: 'gossip.ack', sequence: message.sequence, rumours: [] })
      return to === 'n3' && message.rumours[0]?.state === 'suspect'
    }).length
    const pingsIn = (ticks: number): number => {
      let seen = 0
      for (let i = 0; i < ticks; i += 1) {
        detector.ticks(1)
        seen += pings()
      }
      return seen
    }
    detector.rumour('n2', claim('n3', 'suspect', 1, 'n2'))
    detector.rumour('n4', claim('n3', 'suspect', 1, 'n4'))
    // A probe of its own may come by.
    expect(pingsIn(60)).toBeLessThanOrEqual(1)
    // With a third accuser its time was over two seconds ago.
    detector.rumour('n5', claim('n3', 'suspect', 1, 'n5'))
    expect(pingsIn(20)).toBeGreaterThanOrEqual(9)
    expect(detector.view('n3')).toBe('suspect')
    detector.ticks(2)
    expect(detector.view('n3')).toBe('dead')
  })

  test('has no row unless the map names it, and loses it when the map does', () => {
    const detector = createDetector({ nodes: 3 })
    detector.rumour('n2', claim('n9', 'dead', 4, 'n2'), claim('n3', 'dead', 4, 'n2'))
    expect(detector.gossip.status().peers.map(({ node }) => node)).toEqual(['n2', 'n3'])
    detector.setMembers('n1', 'n2', 'n9')
    detector.ticks(1)
    expect(detector.gossip.status().peers).toEqual([
      { node: 'n2', state: 'alive', incarnation: 0 }, { node: 'n9', state: 'alive', incarnation: 0 },
    ])
    detector.setMembers('n1', 'n2', 'n3', 'n9')
    detector.ticks(1)
    expect(detector.view('n3')).toBe('alive')
  })

  test('each change of a verdict is one line in the log, a death one that asks for an eye', () => {
    const lines: string[] = []
    const write = (level: string) => (fields: LogFields, message: string): void => {
      lines.push(`${level} ${message} ${String(fields['by'])}`)
    }
    const log: Logger = {
      error: write('error'), warn: write('warn'), info: write('info'), debug: () => {}, trace: () => {}, child: () => log,
    }
    const detector = createDetector({ nodes: 4, log })
    detector.rumour('n2', claim('n3', 'suspect', 1, 'n2'), claim('n3', 'suspect', 1, 'n4'), claim('n3', 'dead', 1, 'n4'),
      claim('n3', 'alive', 2), claim('n3', 'left', 2))
    expect(lines).toEqual([
      'info n3 is suspected n2', 'warn n3 is held for dead n4', 'info n3 is alive n3', 'info n3 has left n3',
    ])
  })
})

describe('a node that is accused', () => {
  test('refutes with a higher incarnation, tells everybody, and doubts itself a little', () => {
    const detector = createDetector({ nodes: 3 })
    detector.rumour('n2', claim('n1', 'suspect', 1, 'n2'))
    expect(detector.gossip.status()).toMatchObject({ incarnation: 2, health: 1 })
    detector.ticks(2)
    const news = detector.sent('gossip.news')
    expect(news.map(({ to }) => to).sort()).toEqual(['n2', 'n3'])
    for (const { message } of news) expect(message.rumours).toEqual([claim('n1', 'alive', 2)])
  })

  test('answers an accusation that it has refuted before by saying it again', () => {
    const detector = createDetector({ nodes: 3 })
    detector.rumour('n2', claim('n1', 'suspect', 4, 'n2'))
    detector.ticks(20)
    expect(detector.gossip.status().rumours).toBe(0)
    detector.sent('gossip.news')
    detector.hear('n3', { type: 'gossip.ping', sequence: 7, rumours: [claim('n1', 'suspect', 4, 'n2')] })
    expect(detector.gossip.status().incarnation).toBe(5)
    expect(detector.sent('gossip.ack').map(({ message }) => message.rumours)).toEqual([[claim('n1', 'alive', 5)]])
  })

  test('answers it with the refutation, however many rumours wait that were sent less often', () => {
    const detector = createDetector({ nodes: 200 })
    detector.hear('n2', { type: 'gossip.ping', sequence: 1, rumours: [claim('n1', 'suspect', 1, 'n2')] })
    const others = Array.from({ length: 150 }, (_, i) => claim(`n${i + 10}`, 'suspect', 1, 'n2'))
    detector.rumour('n2', ...others)
    detector.hear('n3', { type: 'gossip.ping', sequence: 2, rumours: [claim('n1', 'suspect', 1, 'n2')] })
    for (const { message } of detector.sent('gossip.ack')) expect(message.rumours[0]).toEqual(claim('n1', 'alive', 2))
    detector.hear('n3', { type: 'gossip.ping', sequence: 3, rumours: [claim('n1', 'alive', 1)] })
    expect(detector.sent('gossip.ack')[0]?.message.rumours[0]).not.toEqual(claim('n1', 'alive', 2))
  })

  test('is not moved by what is said of it at the end of all incarnations', () => {
    const detector = createDetector({ nodes: 3 })
    detector.rumour('n2', claim('n1', 'dead', INCARNATION_MAX, 'n2'))
    expect(detector.gossip.status().incarnation).toBe(INCARNATION_MAX)
  })

  test('takes what it hears of its earlier life as a reason to begin above it, without doubt of itself', () => {
    const detector = createDetector({ nodes: 3, isNew: true })
    detector.ticks(1)
    detector.hear('n2', { type: 'gossip.exchange', kind: 'answer', rumours: [claim('n1', 'dead', 6, 'n3')] })
    expect(detector.gossip.status()).toMatchObject({ state: 'running', incarnation: 7, health: 0 })
  })

  test('takes another life above its own for the one before', () => {
    const detector = createDetector({ nodes: 3 })
    detector.rumour('n2', claim('n1', 'alive', 1))
    expect(detector.gossip.status().incarnation).toBe(1)
    detector.rumour('n2', claim('n1', 'alive', 5))
    expect(detector.gossip.status().incarnation).toBe(6)
  })
})
