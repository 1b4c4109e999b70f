/**
 * A shard says and does the same whether it is given every tick, or sleeps and is given what it is owed (kernel/owedTicks.ts): whatever is
 * asked of it, deadlines, sessions and snapshots included.
 */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createTickBoard } from '../../../actors/kernel/tickBoard.ts'
import { open, put } from './entries.ts'
import { createHarness } from './harness.ts'
import type { TickBoard } from '../../../actors/kernel/tickBoard.ts'
import type { Harness } from './harness.ts'

const TICK_MS = 100

type Step = (harness: Harness) => void

const commitAll: Step = (harness) => {
  harness.flush()
  harness.commit(...harness.takeAll())
}
const steps: Readonly<Record<string, Step>> = {
  leads: (harness) => harness.lead(),
  follows: (harness) => harness.role('follower', 1),
  asked: (harness) => { harness.ask([put('a', 'value')]) },
  'asked with a deadline': (harness) => { harness.ask([put('b', 'value', { ttlMs: 3 * TICK_MS })]) },
  'asked for a session': (harness) => { harness.ask([open(1)]) },
  committed: commitAll,
  'wanted a snapshot of': (harness) => harness.send({ type: 'shard.snapshotWanted' }),
  'told that its snapshot failed': (harness) => harness.writes.splice(0).forEach(({ done }) => done(new Error('no room'))),
  'told that its snapshot is written': (harness) => harness.writes.splice(0).forEach(({ done }) => done(null)),
}

type Named = string | number

/** A number: so many ticks, one after the other. */
const scripts = fc.array(fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<Named>(...Object.keys(steps)) },
  { weight: 2, arbitrary: fc.constantFrom<Named>(1, 2, 3, 7, 120) },
), { maxLength: 25 })

const toldBy = ({ answers, proposals, reads, stored, serving, changes, writes, lines, failures, isFlushWanted }: Harness): string =>
  JSON.stringify({ answers, proposals, reads, stored, serving, changes, writes: writes.map(({ index }) => index), lines, failures,
    flush: isFlushWanted() })

/** What it had said after each step and each tick. */
const run = (script: readonly Named[], ticks: TickBoard | undefined): readonly string[] => {
  const limits = { snapshotLogBytesMin: 300, snapshotLogBytesMax: 600, restMs: 5 * TICK_MS, restBytesMax: 80, restLogBytesMin: 100 }
  const harness = createHarness({ limits, ...(ticks === undefined ? {} : { ticks }) })
  const told: string[] = []
  let now = 1_000
  const tick = (): void => {
    harness.pass(TICK_MS)
    now += TICK_MS
    if (ticks === undefined) harness.tick()
    else ticks.pass({ ticks: 1, now, wallMs: 0 })
    told.push(toldBy(harness))
  }
  harness.lead()
  for (const step of script) {
    if (typeof step === 'number') for (let passed = 0; passed < step; passed += 1) tick()
    else steps[step]?.(harness)
    told.push(toldBy(harness))
  }
  return told
}

describe('owed ticks', () => {
  test('change nothing of what a shard says, whatever happens to it', () => {
    fc.assert(fc.property(scripts, (script) => {
      expect(run(script, createTickBoard())).toEqual(run(script, undefined))
    }), { numRuns: 200 })
  })

  test('bring what is due: a key expires, a snapshot that failed is tried again', () => {
    const expiring = run(['asked with a deadline', 'committed', 7], createTickBoard()).map((told) => JSON.parse(told) as { proposals: [] })
    expect(expiring.map(({ proposals }) => proposals.length)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    const failing = ['asked', 'committed', 'wanted a snapshot of', 'told that its snapshot failed', 99, 1]
    const failed = run(failing, createTickBoard()).map((told) => JSON.parse(told) as { writes: [] })
    expect(failed.map(({ writes }) => writes.length).slice(-4)).toEqual([0, 0, 1, 1])
  })
})
