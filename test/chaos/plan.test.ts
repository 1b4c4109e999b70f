/** What a seed draws, and that the command which a failure prints draws it again. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { must } from '../../actors/kernel/assert.ts'
import { nemesisNames } from '../../chaos/nemeses/all.ts'
import { idleProblems, stormSeconds } from '../../chaos/campaign.ts'
import { commandOf, planCampaign } from '../../chaos/plan.ts'
import { noTimes, figuresOf, timeProblems } from '../../chaos/times.ts'
import type { CampaignFigures } from '../../chaos/campaign.ts'

const seeds = fc.integer({ min: 1, max: 0x1000_0000 })
const size = { runs: 8, seconds: 40 }

describe('a campaign', () => {
  test('begins with a plain failover, and deals every nemesis to the storms after it', () => {
    fc.assert(fc.property(seeds, (seed) => {
      const [first, ...storms] = planCampaign(seed, size, {})
      expect(first?.nemeses).toEqual(['killLeader'])
      expect(new Set(storms.flatMap(({ nemeses }) => nemeses))).toEqual(new Set(nemesisNames))
      for (const { nemeses, brokers } of storms) if (nemeses.includes('routeCut')) expect(brokers).toBe(3)
      const apart = new Set(['bitFlips', 'oldDirectory', 'join', 'drain', 'killForGood'])
      for (const { nemeses } of storms) expect(nemeses.filter((name) => apart.has(name)).length).toBeLessThanOrEqual(1)
    }))
  })

  test('measures nothing under weather', () => {
    fc.assert(fc.property(seeds, fc.constantFrom(8, 40), (seed, runs) => {
      for (const { nemeses } of planCampaign(seed, { runs, seconds: 40 }, {})) {
        if (nemeses.includes('weather')) expect(nemeses.filter((name) => name === 'brokerRestart' || name === 'killLeader')).toEqual([])
      }
    }))
  })

  test('that is long has every nemesis in several storms', () => {
    fc.assert(fc.property(seeds, (seed) => {
      const hands = planCampaign(seed, { runs: 40, seconds: 40 }, {}).map(({ nemeses }) => nemeses)
      for (const name of nemesisNames.filter((each) => each !== 'rollingUpgrade')) {
        expect(hands.filter((hand) => hand.includes(name)).length).toBeGreaterThan(1)
      }
    }), { numRuns: 20 })
  })

  test('demands ten kills of leaders of its failover, and none of other storms', () => {
    fc.assert(fc.property(seeds, (seed) => {
      const [first, ...storms] = planCampaign(seed, size, {})
      expect([first?.leaderKills, ...new Set(storms.map(({ leaderKills }) => leaderKills))]).toEqual([10, 0])
      expect(planCampaign(seed, size, { leaderKills: 3 })[0]?.leaderKills).toBe(3)
      const [mixed] = planCampaign(seed, { runs: 1, seconds: 40 }, { nemeses: ['killLeader', 'pause'], leaderKills: 3 })
      expect(mixed?.leaderKills).toBe(3)
    }), { numRuns: 20 })
  })

  test('has clusters of three and of five nodes, with one broker and with three', () => {
    fc.assert(fc.property(seeds, (seed) => {
      const plans = planCampaign(seed, size, {})
      expect(plans.filter(({ nodes }) => nodes === 5)).toHaveLength(3)
      expect(new Set(plans.map(({ brokers }) => brokers))).toEqual(new Set([1, 3]))
    }))
  })

  test('within a budget has shorter storms, not fewer', () => {
    const storms = (budget: number, overhead: number): number[] => {
      const found: number[] = []
      for (let left = budget, runs = 8; runs > 0; runs -= 1) {
        const seconds = stormSeconds(40, left, runs)
        if (seconds === null) break
        found.push(seconds)
        left -= seconds + overhead
      }
      return found
    }
    expect(storms(Number.POSITIVE_INFINITY, 8)).toEqual(Array.from({ length: 8 }, () => 40))
    expect(storms(480, 8)).toEqual(Array.from({ length: 8 }, () => 40))
    const short = storms(320, 12)
    expect([short.length, Math.min(...short), Math.max(...short)]).toEqual([8, 28, 28])
    expect(storms(100, 12)).toEqual([20, 20, 20])
    expect(storms(20, 12)).toEqual([])
  })

  const busy = {
    runs: 8, runsPlanned: 8, stormSeconds: 320, operationsChecked: 40_000, operationsAnswered: 30_000, leaderKilledSamples: 9,
    brokerRestartedSamples: 1, settledSamples: 8, strikes: { brokerRestart: 1 }, neverStruck: [],
  }
  const saidOf = (change: object): readonly string[] => idleProblems({ ...busy, ...change } as unknown as CampaignFigures)

  test('fails where its clients were answered less than 30,000 times in eight storms of 40 s', () => {
    expect(saidOf({ operationsAnswered: 29_999 })).toEqual(['only 29999 operations were answered in 320 s of storms: the bar is 30000'])
    expect(saidOf({})).toEqual([])
    expect(saidOf({ stormSeconds: 160, operationsAnswered: 15_000 })).toEqual([])
    expect(saidOf({ runs: 1, runsPlanned: 1, stormSeconds: 40, operationsAnswered: 1 })).toEqual([])
  })

  test('fails where a bar has nothing to be held against', () => {
    expect(saidOf({ leaderKilledSamples: 0 })).toEqual(['the next acknowledgement after a leader was killed was never measured'])
    expect(saidOf({ brokerRestartedSamples: 0, settledSamples: 0 })).toHaveLength(2)
    expect(saidOf({ brokerRestartedSamples: 0, strikes: {}, neverStruck: ['brokerRestart'] })).toHaveLength(1)
    // The time was up before the storm in which brokers are restarted.
    expect(saidOf({ runs: 3, brokerRestartedSamples: 0, strikes: {} })).toEqual([])
  })

  test('fails where nothing was run, however few runs were wanted, and a night where a nemesis had no turn', () => {
    expect(saidOf({ runs: 0, runsPlanned: 1 })).toEqual(['nothing was run: nothing is proved'])
    expect(saidOf({ neverStruck: ['twin'] })).toEqual([])
    expect(saidOf({ runs: 40, runsPlanned: 40, neverStruck: ['twin'] })).toEqual(['twin never had its turn'])
  })

  test('draws a run again from the command that its failure prints', () => {
    fc.assert(fc.property(seeds, fc.nat(7), (seed, i) => {
      const plan = must(planCampaign(seed, size, {})[i], 'a run')
      const flag = (name: string): string => must(new RegExp(`--${name} (\\S+)`).exec(commandOf(plan))?.[1], name)
      expect(commandOf({ ...plan, phaseSeconds: 30, leaderKills: 3 })).toMatch(/ --leader-kills 3 --phase-seconds 30$/)
      const again = planCampaign(Number(flag('seed')), { runs: 1, seconds: Number(flag('seconds')) }, {
        nodes: Number(flag('nodes')), brokers: Number(flag('brokers')), nemeses: flag('nemesis').split(','),
      })
      expect(again).toEqual([plan])
    }))
  })
})

describe('times', () => {
  test('are always figures, and fail a campaign only above three times their bar', () => {
    const slow = { ...noTimes(), leaderKilled: [100, 5_900], brokerRestarted: [14_000], settled: [29_000] }
    expect(figuresOf(slow)).toMatchObject({ leaderKilledP95Ms: 5_900, brokerRestartedMaxMs: 14_000, settledMaxMs: 29_000 })
    expect(timeProblems(figuresOf(slow))).toEqual([])
    const late = { ...noTimes(), leaderKilled: [6_001], brokerRestarted: [15_001], settled: [30_001] }
    expect(timeProblems(figuresOf(late))).toHaveLength(3)
  })
})
