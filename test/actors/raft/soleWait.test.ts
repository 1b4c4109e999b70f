/** How long a member waits that is the whole group as far as its log knows, and may be an old copy (actors/raft/state.ts). */

import { expect, test } from '@jest/globals'
import { createHarness } from '../../support/raftHarness.ts'
import type { Harness } from '../../support/raftHarness.ts'

const roleOf = (h: Harness): string => h.member(1).core.role

const expectOneCounted = (owesTicks: boolean): void => {
  const h = createHarness({ size: 1, isWarm: false, owesTicks })
  h.tick(9)
  h.send(1, { type: 'raft.mapMissed' })
  h.tickOnly(1, 99)
  h.tick(58)
  expect(roleOf(h)).toBe('follower')
  h.tick(1)
  expect(roleOf(h)).toBe('leader')
}

test('of the ticks that come at once it counts one: it heard nobody between them', () => expectOneCounted(false))

test('of owed ticks that come at once it counts one as well', () => expectOneCounted(true))

test('maps that take force all the time make it wait no longer than for word of a map, and for that', () => {
  const h = createHarness({ size: 1, isWarm: false })
  const passWithMaps = (ticks: number): void => {
    for (let tick = 0; tick < ticks; tick += 1) {
      h.tick(1)
      h.send(1, { type: 'raft.mapInForce', othersAt: null })
    }
  }
  passWithMaps(79)
  expect(roleOf(h)).toBe('follower')
  passWithMaps(1)
  expect(roleOf(h)).toBe('leader')
})
