/**
 * "Once a follower learns that a log entry is committed, it applies the entry to its local state machine (in log order)" (section 5.3):
 * how much of it in one turn, so that a member with much to apply does not hold up the others of its node.
 */

import { expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { append, createFollower, entriesOf, say } from '../support/raftScript.ts'
import type { Harness } from '../support/raftHarness.ts'

/** An entry of `entriesOf` is 3 or 4 bytes and 32 in every budget: two fit. */
const TWO_ENTRIES = 2 * 36
const TERMS = [1, 1, 1, 1, 1]

const appliedBy = (h: Harness): number => h.member(1).applied.length
const commitAll = (h: Harness): void => say(h, 2, append(1, [TERMS.length, 1], [], TERMS.length))

test('A member that learns of much at once applies a portion in each turn, in order, until all is applied', () => {
  const h = createFollower(1, TERMS, { limits: { emitBytesMax: TWO_ENTRIES } })
  commitAll(h)
  const seen = [appliedBy(h)]
  while (h.member(1).isEmitWanted) {
    h.flush(1)
    seen.push(appliedBy(h))
  }
  expect(seen).toEqual([2, 4, 5])
  expect(h.member(1).applied).toEqual(['1/1', '2/1', '3/1', '4/1', '5/1'])
})

test('An entry above the portion is applied alone', () => {
  const h = createFollower(1, [1, 1], { limits: { emitBytesMax: 1 } })
  say(h, 2, append(1, [2, 1], [], 2))
  const seen = [appliedBy(h)]
  while (h.member(1).isEmitWanted) {
    h.flush(1)
    seen.push(appliedBy(h))
  }
  expect(seen).toEqual([1, 2])
})

test.each([4, 8, 16, 64])('What waits to be applied stays bounded when %i entries commit in each turn', (each) => {
  const h = createFollower(1, [1], { limits: { emitBytesMax: TWO_ENTRIES } })
  let last = 1
  let most = 0
  for (let turn = 0; turn < 80; turn += 1) {
    say(h, 2, append(1, [last, 1], entriesOf(last + 1, ...Array.from({ length: each }, () => 1)), last))
    last += each
    h.flush(1)
    h.writeOne(1)
    most = Math.max(most, last - appliedBy(h))
  }
  expect(most).toBeLessThan(16 * each)
})

test('A new replica is never owed more answers than its window has room for', () => {
  const bytes = 100
  const window = 5 * bytes
  const h = createHarness({
    size: 4, configuration: { epoch: 0, voters: [1, 2, 3].map(idOf), outgoing: [], learners: [] },
    limits: { learnerBytesInFlightMax: window, appendBytesMax: 2 * bytes, emitBytesMax: 2 * bytes, tailEntriesMax: 0 },
  })
  h.campaign(1)
  h.stabilize()
  for (let i = 0; i < 40; i += 1) h.propose(1, String(i).padEnd(bytes - 36, '.'))
  h.stabilize()
  h.order(1, { epoch: 2, voters: [1, 2, 3].map(idOf), learners: [idOf(4)] })
  let most = 0
  h.setRoute(() => {
    most = Math.max(most, h.member(1).core.leading.progress.get(idOf(4))?.inFlightBytes ?? 0)
    return true
  })
  h.stabilize()
  expect(h.member(4).applied).toEqual(h.member(1).applied)
  expect(most).toBeGreaterThan(2 * bytes)
  expect(most).toBeLessThanOrEqual(window + 2 * bytes)
})
