/** How long a suspect has: Lifeguard's formula, in ticks of 100 ms. */

import { expect, test } from '@jest/globals'
import { gossipConfig } from '../../../actors/gossip/config.ts'
import { addAccuser, beginAsking, createSuspicion, isAskDue, isOver, timeoutTicks } from '../../../actors/gossip/suspicion.ts'
import { nodeId } from '../../../topology/ids.ts'

const config = gossipConfig()
const suspect = (groupSize: number, self = 'holder') =>
  createSuspicion({ self: nodeId(self), config, groupSize, now: 100, by: nodeId('a1') })

test.each([
  ['a group of three has too few for others: the least at once', 3, 1, 40],
  ['a lone accuser waits six times as long', 10, 1, 240],
  ['one more shortens it by the logarithm', 10, 2, 113],
  ['two more bring it to the least', 10, 3, 40],
  ['a thousand nodes need longer', 1_000, 3, 120],
])('%s', (_, groupSize, accusers, ticks) => {
  const suspicion = suspect(groupSize)
  for (let i = 2; i <= accusers; i += 1) addAccuser(suspicion, nodeId(`a${i}`))
  expect(timeoutTicks(suspicion)).toBe(ticks)
})

test('the same accuser counts once, and no more than are expected count', () => {
  const suspicion = suspect(10)
  expect(addAccuser(suspicion, nodeId('a1'))).toBe(false)
  expect(addAccuser(suspicion, nodeId('a2'))).toBe(true)
  expect(addAccuser(suspicion, nodeId('a3'))).toBe(true)
  expect(addAccuser(suspicion, nodeId('a4'))).toBe(false)
  expect(suspicion.accusers.size).toBe(3)
})

test('it is over with its timeout, and not a tick before', () => {
  const suspicion = suspect(3)
  expect(isOver(suspicion, 139)).toBe(false)
  expect(isOver(suspicion, 140)).toBe(true)
})

test('whoever did not accuse begins to ask two seconds before the end, and condemns no sooner than two seconds after it began', () => {
  const suspicion = suspect(10)
  addAccuser(suspicion, nodeId('a2'))
  expect([isAskDue(suspicion, 192), isAskDue(suspicion, 193)]).toEqual([false, true])
  addAccuser(suspicion, nodeId('a3'))
  beginAsking(suspicion, 150)
  beginAsking(suspicion, 160)
  expect([isOver(suspicion, 169), isOver(suspicion, 170)]).toEqual([false, true])
})

test('whoever accuses asks from the beginning, as does everybody in a group too small for other accusers', () => {
  expect([suspect(10).askedSince, suspect(10, 'a1').askedSince, suspect(3).askedSince]).toEqual([null, 100, 100])
})

test('a suspicion shorter than the time to ask is all asking', () => {
  const accuser = nodeId('a1')
  const hasty = createSuspicion({ self: accuser, config: gossipConfig({ suspicionMult: 0.5 }), groupSize: 3, now: 0, by: accuser })
  expect([isOver(hasty, 4), isOver(hasty, 5)]).toEqual([false, true])
})

test.each([
  ['probeIntervalMs', { probeIntervalMs: 0 }], ['probeTimeoutMs', { probeTimeoutMs: 1_000 }], ['multipliers', { suspicionMaxMult: 0.5 }],
])('a setting out of range is named: %s', (name, overrides) => {
  expect(() => gossipConfig(overrides)).toThrow(name)
})
