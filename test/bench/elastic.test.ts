/** What `bench elastic` reckons and says; its phases, against a driver that the test answers. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { startPhasedLoop } from '../../bench/load/phases.ts'
import { movedKeys, summaryOf, tableOf, verdictsOf } from '../../bench/questions/elasticReport.ts'
import { readOf } from '../../bench/sampling.ts'
import { until } from '../support/until.ts'
import type { Answer } from '../../bench/drivers/port.ts'
import type { ElasticRun } from '../../bench/questions/elasticReport.ts'

describe('keys that moved', () => {
  const three = [{ replicas: ['n1:1', 'n2:1', 'n3:1'] }, { replicas: ['n1:1', 'n2:1', 'n3:1'] }, { replicas: ['n1:1', 'n2:1', 'n3:1'] },
    { replicas: ['n1:1', 'n2:1', 'n3:1'] }]
  const four = [{ replicas: ['n1:1', 'n2:1', 'n4:2'] }, { replicas: ['n1:1', 'n4:3', 'n3:1'] }, { replicas: ['n4:4', 'n2:1', 'n3:1'] },
    ...three.slice(3)]
  const keysOf = [10, 20, 30, 40]

  test('are those of replicas on nodes that had none, against the even share of whoever came', () => {
    expect(movedKeys(three, four, keysOf)).toEqual({ keysMoved: 60, keysIdeal: 75 })
  })

  test('are, when a node leaves, at least those that it carried', () => {
    expect(movedKeys(four, three, keysOf)).toEqual({ keysMoved: 60, keysIdeal: 60 })
  })

  test('are none where nothing moved but generations', () => {
    expect(movedKeys(three, [{ replicas: ['n1:9', 'n2:1', 'n3:1'] }, ...three.slice(1)], keysOf)).toEqual({ keysMoved: 0, keysIdeal: 0 })
  })
})

const load = (p99Ms: number, failed = 0) => ({
  perSecond: 2_000, p50Ms: 1, p99Ms, p999Ms: p99Ms, maxMs: p99Ms, done: 100, doneInAll: 100, overloaded: 0, failed, clientCpuUs: 5,
})
const runOf = (p99Ms: number, { failed = 0, seconds = 10, keysMoved = 150 } = {}): ElasticRun => {
  const move = { seconds, load: load(p99Ms, failed), brokerBytes: 9, bytes: 2 ** 20, keysMoved, keysIdeal: 150 }
  return { quiet: { seconds: 20, load: load(10), brokerBytes: 9 }, join: move, drain: { ...move, load: load(12) } }
}

describe('a summary', () => {
  test('has medians of times and ratios, and sums of what failed', () => {
    const { moves } = summaryOf([runOf(20), runOf(90, { failed: 2 }), runOf(25, { failed: 1 })])
    expect(moves[0]).toMatchObject({ phase: 'join', p99Ms: 25, p99Ratio: 2.5, failed: 3, refused: 0 })
    expect(tableOf(summaryOf([runOf(20)]))).toMatch(/join +│ 10\.0 +│ 1\.00 +│ 20\.00 +│ 2\.00/)
  })

  test('reaches every bar, or says which it misses', () => {
    expect(verdictsOf(summaryOf([runOf(20)])).filter((line) => line.endsWith('reached'))).toHaveLength(8)
    const missed = verdictsOf(summaryOf([runOf(30, { failed: 1, seconds: 60, keysMoved: 188 })])).filter((line) => line.endsWith('MISSED'))
    expect(missed).toEqual([
      'join: took 60.0 s, bar under 60 s: MISSED', 'join: p99 3.00 x quiet, bar under 3: MISSED',
      'join: refused or failed 1, bar none: MISSED', 'join: keys moved 1.25 of the ideal share, bar at most 1.25: MISSED',
      'drain: took 60.0 s, bar under 60 s: MISSED', 'drain: keys moved 1.25 of the ideal share, bar at most 1.25: MISSED',
    ])
  })
})

describe('a loop through phases', () => {
  test('counts an operation for the phase in which it was to start, also when it ends later', async () => {
    const waiting: ((answer: Answer) => void)[] = []
    const answers = { kind: 'late' as 'late' | 'soon' }
    const loop = startPhasedLoop(() => (answers.kind === 'soon' ? Promise.resolve('failed') : new Promise((resolve) => {
      waiting.push(resolve)
    })), { perSecond: 5_000, inFlightMax: 10_000 }, createRandom(1))
    const dueBefore = waiting.length
    const first = loop.during(async () => {
      await until(() => waiting.length > 5, 'some have started')
      answers.kind = 'soon'
    })
    const second = first.then(() => loop.during(() => until(() => true, 'nothing')))
    await until(() => waiting.length > 5 && answers.kind === 'soon', 'the phase is over')
    for (const answer of waiting) answer('ok')
    expect((await first).load.done).toBe(waiting.length - dueBefore)
    expect((await second).load.done).toBe(0)
    await loop.stop()
  })
})

test('what a process has read is in /proc/<pid>/io', () => {
  expect(readOf('rchar: 4711\nwchar: 12\nsyscr: 3\n')).toBe(4_711)
  expect(readOf('')).toBe(0)
})
