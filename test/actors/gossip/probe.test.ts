/** Probing, helping, and what a node that may itself be at fault does not hold against others. Ticks of 100 ms. */

import { describe, expect, test } from '@jest/globals'
import { claim, createDetector } from './detector.ts'
import type { Detector } from './detector.ts'

const ack = (detector: Detector, from: string, sequence: number): void =>
  detector.hear(from, { type: 'gossip.ack', sequence, rumours: [] })
const nack = (detector: Detector, from: string, sequence: number): void =>
  detector.hear(from, { type: 'gossip.nack', sequence, rumours: [] })

describe('a probe', () => {
  test('that is answered leaves its target alive, and the next comes a second later', () => {
    const detector = createDetector({ nodes: 2 })
    for (let i = 0; i < 20; i += 1) {
      const { to, message } = detector.nextPing()
      ack(detector, to, message.sequence)
      detector.ticks(9)
      expect(detector.sent('gossip.ping')).toEqual([])
      detector.ticks(1)
    }
    expect(detector.verdicts).toEqual([])
  })

  test('goes to every peer once in a round, in an order that is drawn', () => {
    const orders = [1, 2].map((seed) => {
      const detector = createDetector({ nodes: 9, seed })
      return Array.from({ length: 24 }, () => {
        const { to, message } = detector.nextPing()
        ack(detector, to, message.sequence)
        return to
      })
    })
    for (const order of orders) {
      for (const round of [order.slice(0, 8), order.slice(8, 16), order.slice(16)]) expect(new Set(round).size).toBe(8)
    }
    expect(orders[0]).not.toEqual(orders[1])
  })

  test('without an answer in half a second asks three helpers, and accuses at the end of the period', () => {
    const detector = createDetector({ nodes: 6 })
    const { to, message: { sequence } } = detector.nextPing()
    detector.ticks(4)
    expect(detector.sent('gossip.pingRequest')).toEqual([])
    detector.ticks(1)
    const requests = detector.sent('gossip.pingRequest')
    expect(requests.map(({ message }) => [message.target, message.sequence])).toEqual(Array.from({ length: 3 }, () => [to, sequence]))
    expect(new Set(requests.map((request) => request.to)).size).toBe(3)
    expect(requests.map((request) => request.to)).not.toContain(to)
    detector.ticks(4)
    expect(detector.view(to)).toBe('alive')
    detector.ticks(1)
    expect(detector.verdicts).toEqual([expect.objectContaining({ peer: to, from: 'alive', to: 'suspect', by: 'n1' })])
  })

  test('that a helper can answer is a success', () => {
    const detector = createDetector({ nodes: 6 })
    const { to, message: { sequence } } = detector.nextPing()
    detector.ticks(6)
    ack(detector, detector.sent('gossip.pingRequest')[0]?.to ?? '', sequence)
    detector.ticks(6)
    expect(detector.view(to)).toBe('alive')
  })

  test('is not answered by whom nobody asked, nor by an answer to another', () => {
    const detector = createDetector({ nodes: 6 })
    const { to, message: { sequence } } = detector.nextPing()
    ack(detector, ['n2', 'n3'].find((name) => name !== to) ?? '', sequence)
    ack(detector, to, sequence + 1)
    detector.ticks(10)
    expect(detector.view(to)).toBe('suspect')
  })

  test('tells a suspect what it is suspected of, also when the rumour has died out', () => {
    const detector = createDetector({ nodes: 3 })
    detector.rumour('n2', claim('n3', 'suspect', 1, 'n2'))
    detector.ticks(12)
    expect(detector.gossip.status().rumours).toBe(0)
    detector.sent('gossip.ping')
    detector.ticks(2)
    const told = detector.sent('gossip.ping').filter(({ to }) => to === 'n3')
    expect(told.length).toBeGreaterThan(0)
    for (const { message } of told) expect(message.rumours[0]).toEqual(claim('n3', 'suspect', 1, 'n2'))
  })

  test('does not go to the dead and those that have left, but the dead are asked now and then whether they are back', () => {
    const detector = createDetector({ nodes: 4 })
    detector.rumour('n2', claim('n3', 'dead', 1, 'n2'), claim('n4', 'left', 1))
    const pinged = Array.from({ length: 10 }, () => {
      const { to, message } = detector.nextPing()
      ack(detector, to, message.sequence)
      return to
    })
    expect(new Set(pinged)).toEqual(new Set(['n2']))
    const asked = detector.sent('gossip.exchange').filter(({ to }) => to !== 'n2')
    expect(asked.length).toBeGreaterThan(0)
    for (const { to, message } of asked) {
      expect([to, message.kind]).toEqual(['n3', 'question'])
      expect(message.rumours).toContainEqual(claim('n3', 'dead', 1, 'n2'))
    }
  })
})

describe('a helper', () => {
  const helped = (): { detector: Detector; ping: number } => {
    const detector = createDetector({ nodes: 3 })
    detector.hear('n2', { type: 'gossip.pingRequest', sequence: 77, target: 'n3' as never, rumours: [] })
    return { detector, ping: detector.sent('gossip.ping')[0]?.message.sequence ?? -1 }
  }

  test('pings the target under a sequence of its own and passes the ack on', () => {
    const { detector, ping } = helped()
    ack(detector, 'n3', ping)
    expect(detector.sent('gossip.ack')).toEqual([{ to: 'n2', message: { type: 'gossip.ack', sequence: 77, rumours: [] } }])
  })

  test('says so while there is no answer, and still passes a late one on', () => {
    const { detector, ping } = helped()
    detector.ticks(3)
    expect(detector.sent('gossip.nack')).toEqual([])
    detector.ticks(1)
    expect(detector.sent('gossip.nack').map(({ to, message }) => [to, message.sequence])).toEqual([['n2', 77]])
    detector.ticks(5)
    expect(detector.sent('gossip.nack')).toEqual([])
    ack(detector, 'n3', ping)
    expect(detector.sent('gossip.ack')).toHaveLength(1)
  })

  test('forgets it after a period', () => {
    const { detector, ping } = helped()
    detector.ticks(10)
    ack(detector, 'n3', ping)
    expect(detector.sent('gossip.ack')).toEqual([])
  })

  test('is not made to write to names of a stranger\'s choice, nor without limit', () => {
    const detector = createDetector({ nodes: 3, config: { relaysMax: 2 } })
    const ask = (from: string, target: string): number => {
      detector.hear(from, { type: 'gossip.pingRequest', sequence: 1, target: target as never, rumours: [] })
      return detector.sent('gossip.ping').length
    }
    expect([ask('n9', 'n3'), ask('n2', 'n9'), ask('n2', 'n2')]).toEqual([0, 0, 0])
    expect([ask('n2', 'n3'), ask('n2', 'n3'), ask('n2', 'n3')]).toEqual([1, 1, 0])
  })

  test('answers the ping of a stranger, and believes nothing it says', () => {
    const detector = createDetector({ nodes: 3 })
    detector.hear('n9', { type: 'gossip.ping', sequence: 4, rumours: [claim('n3', 'dead', 9, 'n9')] })
    expect(detector.sent('gossip.ack').map(({ to, message }) => [to, message.sequence])).toEqual([['n9', 4]])
    expect(detector.view('n3')).toBe('alive')
  })
})

describe('local health', () => {
  const failProbe = (detector: Detector, nacks: number): void => {
    const { message: { sequence } } = detector.nextPing()
    const interval = 10 * (detector.gossip.status().health + 1)
    detector.ticks(interval / 2)
    for (const { to } of detector.sent('gossip.pingRequest').slice(0, nacks)) nack(detector, to, sequence)
    detector.ticks(interval / 2)
  }

  test.each([[3, 0], [2, 1], [0, 3]])('with %i of three nacks a failed probe costs %i', (nacks, cost) => {
    const detector = createDetector({ nodes: 6 })
    failProbe(detector, nacks)
    expect(detector.gossip.status().health).toBe(cost)
  })

  test('without helpers a failed probe costs one', () => {
    const detector = createDetector({ nodes: 2 })
    failProbe(detector, 0)
    expect(detector.gossip.status().health).toBe(1)
  })

  test('a node in doubt of itself waits longer before it accuses, and recovers by success', () => {
    const detector = createDetector({ nodes: 6 })
    failProbe(detector, 0)
    expect(detector.gossip.status().health).toBe(3)
    detector.sent('gossip.pingRequest')
    const { to, message } = detector.sent('gossip.ping').find(({ message: { sequence } }) => sequence > 0) ?? detector.nextPing()
    detector.ticks(19)
    expect(detector.sent('gossip.pingRequest')).toEqual([])
    ack(detector, to, message.sequence)
    for (let i = 0; i < 100; i += 1) {
      const ping = detector.nextPing()
      ack(detector, ping.to, ping.message.sequence)
    }
    expect(detector.gossip.status().health).toBe(0)
  })

  test('never leaves its range', () => {
    const detector = createDetector({ nodes: 6 })
    for (let i = 0; i < 6; i += 1) failProbe(detector, 0)
    expect(detector.gossip.status().health).toBe(7)
  })
})

describe('a node that was not there itself', () => {
  test('holds what it missed in a stall against nobody, and doubts itself', () => {
    const detector = createDetector({ nodes: 4 })
    const { to } = detector.nextPing()
    detector.rumour('n2', claim('n3', 'suspect', 1, 'n2'))
    detector.stall(600)
    expect([detector.view(to) === 'suspect' && to !== 'n3', detector.view('n3')]).toEqual([false, 'suspect'])
    expect(detector.gossip.status().health).toBe(7)
    detector.rumour('n3', claim('n3', 'alive', 2))
    expect(detector.view('n3')).toBe('alive')
  })

  test('accuses nobody while its own connection is gone, and time stands still', () => {
    const detector = createDetector({ nodes: 4 })
    detector.nextPing()
    detector.rumour('n2', claim('n3', 'suspect', 1, 'n2'))
    detector.sent('gossip.ping')
    detector.setConnected(false)
    detector.ticks(1_000)
    expect(detector.verdicts.map(({ to }) => to)).toEqual(['suspect'])
    expect(detector.sent('gossip.ping')).toEqual([])
    expect(detector.gossip.status().health).toBe(7)
    detector.setConnected(true)
    expect(detector.nextPing()).toBeDefined()
  })
})

describe('joining', () => {
  test('asks three peers, again until one answers, and accuses nobody', () => {
    const detector = createDetector({ nodes: 8, isNew: true })
    detector.ticks(1)
    expect(detector.sent('gossip.exchange')).toHaveLength(3)
    detector.ticks(9)
    expect(detector.sent('gossip.exchange')).toEqual([])
    detector.ticks(1)
    expect(detector.sent('gossip.exchange')).toHaveLength(3)
    expect(detector.gossip.status().state).toBe('joining')
    detector.hear('n2', { type: 'gossip.exchange', kind: 'question', rumours: [] })
    expect(detector.gossip.status().state).toBe('joining')
    expect(detector.sent('gossip.exchange').map(({ to, message }) => [to, message.kind])).toEqual([['n2', 'answer']])
    detector.hear('n9', { type: 'gossip.exchange', kind: 'answer', rumours: [] })
    expect(detector.gossip.status().state).toBe('joining')
    detector.hear('n3', { type: 'gossip.exchange', kind: 'answer', rumours: [claim('n4', 'dead', 3, 'n2')] })
    expect(detector.gossip.status().state).toBe('running')
    expect(detector.view('n4')).toBe('dead')
    expect(detector.sent('gossip.ping')).toEqual([])
  })

  test('begins alone when nobody answers for five seconds, and at once when nobody is there to ask', () => {
    const detector = createDetector({ nodes: 3, isNew: true })
    detector.ticks(50)
    expect(detector.gossip.status().state).toBe('joining')
    detector.ticks(1)
    expect(detector.gossip.status().state).toBe('running')
    const alone = createDetector({ nodes: 1, isNew: true })
    alone.ticks(100)
    expect(alone.gossip.status()).toMatchObject({ state: 'running', health: 0, peers: [] })
  })

  test('a group that one exchange can not carry is exchanged in turns', () => {
    const detector = createDetector({ nodes: 8, config: { exchangeRowsMax: 4 } })
    for (const name of ['n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8']) detector.rumour(name, claim(name, 'alive', 1))
    const told = Array.from({ length: 3 }, () => {
      detector.hear('n2', { type: 'gossip.exchange', kind: 'question', rumours: [] })
      const rumours = detector.sent('gossip.exchange')[0]?.message.rumours ?? []
      expect(rumours).toHaveLength(4)
      expect(rumours[0]).toEqual(claim('n1', 'alive', 1))
      return rumours.slice(1).map(({ node }) => node)
    })
    expect(new Set(told.flat()).size).toBe(7)
  })
})

describe('leaving', () => {
  test('tells peers in the same turn, answers pings, accuses and condemns nobody', () => {
    const detector = createDetector({ nodes: 3 })
    detector.rumour('n2', claim('n3', 'suspect', 1, 'n2'))
    detector.gossip.send({ type: 'gossip.leave' })
    const news = detector.sent('gossip.news')
    expect(news.map(({ to }) => to).sort()).toEqual(['n2', 'n3'])
    for (const { message } of news) expect(message.rumours).toContainEqual(claim('n1', 'left', 1))
    detector.ticks(100)
    expect(detector.sent('gossip.ping')).toEqual([])
    detector.hear('n2', { type: 'gossip.ping', sequence: 5, rumours: [] })
    expect(detector.sent('gossip.ack')).toHaveLength(1)
    expect(detector.view('n3')).toBe('suspect')
    expect(detector.gossip.status().rumours).toBe(0)
  })

  test('is not taken back by what others say', () => {
    const detector = createDetector({ nodes: 3, isNew: true })
    detector.ticks(1)
    detector.gossip.send({ type: 'gossip.leave' })
    detector.gossip.send({ type: 'gossip.leave' })
    detector.rumour('n2', claim('n1', 'suspect', 1, 'n2'))
    expect(detector.gossip.status()).toMatchObject({ state: 'leaving', incarnation: 1 })
  })
})
