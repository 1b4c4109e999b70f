/** The measurements of docs/SCALE.md, on a group small enough for a test: what they count, and that a seed gives the same figures. */

import { describe, expect, test } from '@jest/globals'
import { measure } from '../../sim/gossip/measure.ts'
import { drawPlot } from '../../sim/gossip/plot.ts'
import { soak, soakLine } from '../../sim/gossip/soak.ts'
import { comparisonTable, scaleTable } from '../../sim/gossip/tables.ts'
import type { Condition } from '../../sim/gossip/measure.ts'

const small: Condition = { name: 'calm', nodes: 6, loss: 0, windowMs: 20_000, trials: 2 }

describe('a measurement', () => {
  test('of a calm group finds no mistake, and a crash within a few periods', () => {
    const found = measure(small, 1)
    expect(found).toMatchObject({ suspicions: 0, falseDeaths: 0 })
    expect(found.messagesPerSecond).toBeLessThan(2.5)
    for (const [i, first] of found.firstDeath.entries()) {
      expect(first).toBeGreaterThan(4_000)
      expect(found.allDeaths[i]).toBeGreaterThanOrEqual(first)
    }
    expect(Math.max(...found.convergence)).toBeLessThan(2_000)
    expect(measure(small, 1)).toEqual(found)
    expect(measure(small, 2)).not.toEqual(found)
  })

  test('counts the mistakes of a detector without patience', () => {
    const hasty = measure({ ...small, loss: 0.8, windowMs: 60_000, trials: 0, config: { suspicionMult: 0.5, suspicionMaxMult: 1 } }, 1)
    expect(hasty.suspicions).toBeGreaterThan(0)
    expect(hasty.falseDeaths).toBeGreaterThan(0)
    expect(hasty.falseDeathsAmongHealthy).toBe(hasty.falseDeaths)
  })

  test('tells a death of a node that is stopped from a mistake', () => {
    const stopped = measure({ ...small, windowMs: 60_000, trials: 0, sleepers: { share: 0.17, stopMs: 50_000, runMs: 1_000 } }, 1)
    expect(stopped.suspicions).toBeGreaterThan(0)
    expect(stopped.falseDeaths).toBe(0)
  })
})

test('nobody is held for dead where half of the messages are lost and a message has room for three rumours', () => {
  const starved = { ...small, nodes: 50, loss: 0.5, windowMs: 40_000, trials: 0, config: { rumourBytesMax: 60 } }
  for (const seed of [1, 2, 3]) {
    const { suspicions, falseDeaths } = measure(starved, seed)
    expect(suspicions).toBeGreaterThan(100)
    expect([seed, falseDeaths]).toEqual([seed, 0])
  }
})

test('the tables have a row a measurement, and the plot a line a weather', () => {
  const rows = [small, { ...small, nodes: 12, trials: 1 }, { ...small, name: 'rough', loss: 0.3, trials: 1 }]
    .map((condition) => measure(condition, 1))
  expect(scaleTable(rows).split('\n')).toHaveLength(5)
  expect(comparisonTable(rows)).toContain('| rough |')
  const plot = drawPlot(rows)
  expect(plot.match(/<polyline/g)).toHaveLength(4)
  expect(plot).not.toContain('NaN')
})

test('small groups under loss and pauses make no mistake, and learn of every crash in time', () => {
  const found = soak(1, 20)
  expect(found).toMatchObject({ seeds: 20, falseDeaths: 0, late: 0, slow: 0 })
  expect(soakLine(found)).toMatch(/^20 seeds: 0 false deaths; /)
})
