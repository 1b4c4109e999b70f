/** Who is let in, and how long the others are told to wait. */

import { describe, expect, test } from '@jest/globals'
import { createRetryAfter } from '../../actors/kernel/retryAfter.ts'
import { createAdmission, nothingHeld } from '../../gateway/admission.ts'

const limits = { pendingOperationsMax: 8, pendingBytesMax: 1_000, retryAfterMs: 100, retryAfterMsMax: 1_000 }

describe('admission', () => {
  test('lets one session in until a limit is reached, passed by one batch at most, and again when it has fallen below', () => {
    const admission = createAdmission(limits)
    const holding = nothingHeld()
    admission.admit({ holding, operations: 7, bytes: 10 }, 0)
    expect(admission.hasRoom(holding)).toBe(true)
    admission.admit({ holding, operations: 4, bytes: 10 }, 0)
    expect([admission.operations(), admission.hasRoom(holding)]).toEqual([11, false])
    for (let i = 0; i < 4; i += 1) admission.answered(holding)
    expect([admission.operations(), admission.hasRoom(holding)]).toEqual([7, true])
  })

  test('is full of bytes as of operations, until they are released', () => {
    const admission = createAdmission(limits)
    const holding = nothingHeld()
    admission.admit({ holding, operations: 1, bytes: 1_000 }, 0)
    expect(admission.hasRoom(holding)).toBe(false)
    admission.released(holding, 1_000)
    expect(admission.hasRoom(holding)).toBe(true)
  })

  test('keeps a share for a session that holds less than a flood, and nothing above twice the limit', () => {
    const admission = createAdmission(limits)
    const [flood, modest, third] = [nothingHeld(), nothingHeld(), nothingHeld()]
    admission.admit({ holding: flood, operations: 8, bytes: 10 }, 0)
    expect([admission.hasRoom(flood), admission.hasRoom(modest)]).toEqual([false, true])
    admission.admit({ holding: modest, operations: 3, bytes: 10 }, 0)
    // Of two that wait for something, each has half of eight.
    expect(admission.hasRoom(modest)).toBe(true)
    admission.admit({ holding: modest, operations: 1, bytes: 10 }, 0)
    expect([admission.hasRoom(flood), admission.hasRoom(modest), admission.hasRoom(third)]).toEqual([false, false, true])
    admission.admit({ holding: third, operations: 4, bytes: 10 }, 0)
    expect([flood, modest, third, nothingHeld()].map(admission.hasRoom)).toEqual([false, false, false, false])
  })

  test('keeps a share for others from a flood of large values, too', () => {
    const admission = createAdmission({ ...limits, pendingOperationsMax: 1_000 })
    const [flood, modest] = [nothingHeld(), nothingHeld()]
    admission.admit({ holding: modest, operations: 1, bytes: 10 }, 0)
    for (let sent = 0; sent < 100 && admission.hasRoom(flood); sent += 1) admission.admit({ holding: flood, operations: 1, bytes: 100 }, 0)
    expect([flood.bytes, admission.hasRoom(modest)]).toEqual([1_000, true])
    admission.admit({ holding: modest, operations: 1, bytes: 500 }, 0)
    expect([flood, modest, nothingHeld()].map(admission.hasRoom)).toEqual([false, false, true])
    admission.released(flood, 600)
    expect(admission.hasRoom(flood)).toBe(true)
  })
})

describe('what the refused are told to wait', () => {
  test.each([
    ['at first', 0, 1, 100],
    ['while no more is refused than taken', 10, 10, 100],
    ['at four times as much', 10, 40, 400],
    ['at a hundred times as much', 10, 1_000, 1_000],
    ['when nothing is taken', 0, 1_000, 1_000],
  ])('grows with the excess, up to a maximum: %s', (_name, taken, refused, expected) => {
    const retryAfter = createRetryAfter(limits)
    retryAfter.taken(taken, 0)
    expect(retryAfter.refused(refused, 499)).toBe(expected)
  })

  test('is by the last second, and forgets what came before', () => {
    const retryAfter = createRetryAfter(limits)
    retryAfter.taken(10, 0)
    expect(retryAfter.refused(80, 400)).toBe(800)
    retryAfter.taken(10, 600)
    expect(retryAfter.refused(20, 900)).toBe(500)
    retryAfter.taken(10, 5_000)
    expect(retryAfter.refused(20, 5_001)).toBe(200)
  })
})
