/** The simulated network's fates and the shapes of its partitions. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { createNetwork, drawPartition } from '../../sim/network.ts'
import type { Network, NetworkOptions, PartitionKind } from '../../sim/network.ts'

const calm: NetworkOptions = { loss: 0, duplication: 0, delayMsMean: 10, reorderMsMax: 0 }

const networkOf = (options: Partial<NetworkOptions>): { network: Network; at: (ms: number) => void } => {
  let now = 0
  return { network: createNetwork({ ...calm, ...options }, createRandom(3), () => now), at: (ms) => { now = ms } }
}

const fates = (network: Network, count: number, mayRepeat = true): (readonly number[])[] =>
  Array.from({ length: count }, () => network.fate('n1', 'n2', { mayRepeat }))

test('the share of messages lost is about what was asked for', () => {
  const lost = fates(networkOf({ loss: 0.3 }).network, 2_000).filter(({ length }) => length === 0).length
  expect(lost).toBeGreaterThan(500)
  expect(lost).toBeLessThan(700)
})

test('messages that may be doubled are, and others never', () => {
  const { network } = networkOf({ duplication: 0.5 })
  expect(fates(network, 200).some(({ length }) => length === 2)).toBe(true)
  expect(fates(network, 200, false).every(({ length }) => length === 1)).toBe(true)
})

test('without reordering a link is first in, first out', () => {
  const delays = fates(networkOf({}).network, 200).map(([delay = 0]) => delay)
  expect(delays).toEqual([...delays].sort((a, b) => a - b))
})

test('with reordering messages overtake each other', () => {
  const delays = fates(networkOf({ reorderMsMax: 2_000 }).network, 200).map(([delay = 0]) => delay)
  expect(delays).not.toEqual([...delays].sort((a, b) => a - b))
})

test('a clogged link delivers everything when it opens, and not before', () => {
  const { network, at } = networkOf({})
  network.clog((from, to) => from === 'n1' && to === 'n2', 5_000)
  for (const [delay] of fates(network, 5)) expect(delay).toBeGreaterThanOrEqual(5_000)
  at(6_000)
  expect(network.fate('n1', 'n2', { mayRepeat: true })[0]).toBeLessThan(1_000)
})

test('healing ends cuts and clogs', () => {
  const { network } = networkOf({})
  network.cut(() => true)
  expect(network.fate('n3', 'n2', { mayRepeat: true })).toEqual([])
  network.heal()
  expect(network.fate('n3', 'n2', { mayRepeat: true })).toHaveLength(1)
})

test('an echo brings what may be doubled once more, later, and only what was sent meanwhile', () => {
  const { network, at } = networkOf({})
  network.echo((from) => from === 'n1', { untilMs: 100, againAtMs: 5_000 })
  for (const [first, again] of fates(network, 5)) {
    expect(first).toBeLessThan(1_000)
    expect(again).toBe(5_000)
  }
  expect(fates(network, 5, false).every(({ length }) => length === 1)).toBe(true)
  at(101)
  expect(fates(network, 5).every(({ length }) => length === 1)).toBe(true)
  expect(network.counters().echoed).toBe(5)
})

/** For each node, whom it hears. */
const hears = (kind: PartitionKind, nodes: readonly string[]): Record<string, string> => {
  const { isCut } = drawPartition({ kind, nodes, leader: 'n2', random: createRandom(11) })
  return Object.fromEntries(nodes.map((to) => [to, nodes.filter((from) => from !== to && !isCut(from, to)).join(' ')]))
}

describe('partitions', () => {
  const five = ['n1', 'n2', 'n3', 'n4', 'n5']

  test('the leader alone hears nobody, and the others hear each other', () => {
    expect(hears('leaderOnly', ['n1', 'n2', 'n3'])).toEqual({ n1: 'n3', n2: '', n3: 'n1' })
  })

  test('halves hear their own half only', () => {
    const heard = hears('halves', five)
    for (const [node, others] of Object.entries(heard)) {
      for (const other of others.split(' ').filter((name) => name !== '')) expect(heard[other]).toContain(node)
    }
    expect(Object.values(heard).every((others) => others.split(' ').length < 5)).toBe(true)
  })

  test('in a ring of five everybody hears two neighbours: each sees another majority', () => {
    const sets = Object.entries(hears('ring', five)).map(([node, others]) => [node, ...others.split(' ')].sort().join(' '))
    expect(sets.every((set) => set.split(' ').length === 3)).toBe(true)
    expect(new Set(sets).size).toBe(5)
  })

  test('a bridge hears everybody, and the two sides do not hear each other', () => {
    const counts = Object.values(hears('bridge', five)).map((others) => others.split(' ').length).sort()
    expect(counts).toEqual([2, 2, 2, 2, 4])
  })

  test('one way cuts one direction of one node', () => {
    const { isCut } = drawPartition({ kind: 'oneWay', nodes: five, leader: undefined, random: createRandom(11) })
    const cut = five.flatMap((from) => five.filter((to) => isCut(from, to)).map((to) => `${from} ${to}`))
    expect(cut).toHaveLength(4)
    const ends = [0, 1].map((end) => new Set(cut.map((link) => link.split(' ')[end])).size)
    expect(Math.min(...ends)).toBe(1)
  })

  test('cutting the data path leaves the control path', () => {
    const { isCut } = drawPartition({ kind: 'dataPathOnly', nodes: ['n1'], leader: undefined, random: createRandom(1) })
    expect([isCut('n1', 'n2'), isCut('n1/control', 'n2/control')]).toEqual([true, false])
  })

  test('cutting the doors leaves the frames between nodes', () => {
    const { isCut } = drawPartition({ kind: 'doorsOnly', nodes: ['n1'], leader: undefined, random: createRandom(1) })
    expect([isCut('c1', 'n1/doors'), isCut('n1/doors', 'c1')]).toEqual([true, true])
    expect([isCut('n1', 'n2'), isCut('c1', 'n2/doors')]).toEqual([false, false])
  })

  test('cutting clients leaves the nodes together', () => {
    const { isCut } = drawPartition({ kind: 'clientsOnly', nodes: five, leader: undefined, random: createRandom(1) })
    expect([isCut('c1', 'n2'), isCut('n2', 'c1'), isCut('n1', 'n2')]).toEqual([true, true, false])
  })
})
