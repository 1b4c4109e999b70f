/** How often a leader speaks when nobody asks it for anything (timers.ts). */

import { describe, expect, test } from '@jest/globals'
import { createHarness } from '../../support/raftHarness.ts'
import { createServing, say, sentOf, settleDisk, takeSent } from '../../support/raftScript.ts'
import type { Harness } from '../../support/raftHarness.ts'

const timing = { heartbeatTicks: 1, quietHeartbeatTicks: 3, quietAfterTicks: 10, electionTicksMin: 6, electionTicksMax: 60 }

/** Lets one tick pass for the leader; whether it spoke. Member 2 answers, or there would be no leader for long. */
const speaksAtTick = (h: Harness): boolean => {
  h.advance(h.member(1).core.timing.tickMs)
  h.tickOnly(1, 1)
  settleDisk(h)
  const [heartbeat] = sentOf(takeSent(h), 'raft.heartbeat')
  if (heartbeat === undefined) return false
  say(h, 2, { type: 'raft.heartbeatAcked', term: 1, round: heartbeat.round, diskStalled: false })
  return true
}

const ticks = (h: Harness, count: number): string =>
  Array.from({ length: count }, () => (speaksAtTick(h) ? 'x' : '.')).join('')

describe('a leader', () => {
  test('speaks at every heartbeat while it is asked, and less often once it was not asked for a while', () => {
    const h = createServing({ timing })
    h.propose(1, 'a')
    settleDisk(h)
    takeSent(h)
    expect(ticks(h, 9)).toBe('xxxxxxxxx')
    expect(ticks(h, 12)).toMatch(/^(\.?\.?x)(\.\.x)*\.?\.?$/)
  })

  test.each([
    ['a proposal', (h: Harness) => h.propose(1, 'b')],
    ['a read', (h: Harness) => h.read(1)],
    ['a lease read', (h: Harness) => h.read(1, true)],
  ])('that is quiet speaks at every heartbeat again after %s', (_what, ask) => {
    const h = createServing({ timing })
    ticks(h, 20)
    ask(h)
    settleDisk(h)
    takeSent(h)
    expect(ticks(h, 9)).toBe('xxxxxxxxx')
  })

  test('that is quiet speaks in step with the others of its node, whatever phase it had', () => {
    const phases = [0, 1, 2].map((late) => {
      const h = createServing({ timing })
      ticks(h, 12 + late)
      h.read(1)
      settleDisk(h)
      takeSent(h)
      ticks(h, 24 - late)
      return ticks(h, 9)
    })
    expect(phases[0]).toMatch(/^(\.\.x|\.x\.|x\.\.)\1\1$/)
    expect(new Set(phases).size).toBe(1)
  })

  test('keeps its followers while it is quiet', () => {
    const h = createHarness({ timing: { ...timing, electionTicksMax: 12 } })
    h.campaign(1)
    h.tick(200)
    expect(h.members.map(({ core }) => [core.role, core.term])).toEqual([['leader', 1], ['follower', 1], ['follower', 1]])
  })
})
