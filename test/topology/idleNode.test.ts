/** What wakes a node that nobody asks for anything: its ticks, and nothing that was forgotten in between. */

import { expect, jest, test } from '@jest/globals'
import { defaultSettings } from '../../topology/nodeOptions.ts'
import { startNodeOfTest } from '../support/nodeOfTest.ts'

const WATCHED_MS = 20_000
/** The meta group's leader asks every node how much there is to do: the time that it gives an answer, cancelled by it. */
const ASKED_EVERY_MS = 5_000

test('an idle node asks its clock for its ticks, and for next to nothing beside them', () => {
  const { clock, pass } = startNodeOfTest()
  pass(WATCHED_MS)
  const timers = jest.spyOn(clock, 'after')
  pass(WATCHED_MS)
  const ticks = timers.mock.calls.filter(([ms]) => ms <= defaultSettings.tickMs)
  const others = timers.mock.calls.length - ticks.length
  expect([ticks.length, others]).toEqual([WATCHED_MS / defaultSettings.tickMs, WATCHED_MS / ASKED_EVERY_MS])
})
