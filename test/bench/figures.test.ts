/** Medians, ratios of pairs, tables, flags and what is read from /proc. */

import { describe, expect, test } from '@jest/globals'
import { Command } from 'commander'
import { wholeNumbers, withInFlightFlag, withRunFlags, withTargetFlags, withWorkloadFlags } from '../../bench/flags.ts'
import { median, medianRun } from '../../bench/load/measurement.ts'
import { quartersOf } from '../../bench/questions/soak.ts'
import { throughputTable } from '../../bench/report.ts'
import { cpuOf, rssOf, sleepsOf } from '../../bench/sampling.ts'
import { measureInTurns } from '../../bench/turns.ts'
import type { WorkloadSpec } from '../../bench/load/workload.ts'
import type { Target } from '../../bench/targets/port.ts'
import type { Run } from '../../bench/turns.ts'

const measurement = (perSecond: number): Run => ({
  perSecond, p50Ms: 1.234, p99Ms: 5.678, p999Ms: 9.012, maxMs: 20, done: 100, doneInAll: 150, overloaded: 2, failed: 1,
  clientCpuUs: 7.89, serverCpuUs: 23.45,
})

describe('a median', () => {
  test.each([[[3, 1, 2], 2], [[4, 1, 3, 2], 2], [[5], 5], [[], 0]])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected)
  })

  test('of runs is the whole run with the middle rate', () => {
    expect(medianRun([measurement(30), measurement(10), measurement(20)]).perSecond).toBe(20)
    expect(() => medianRun([])).toThrow('at least one run')
  })
})

describe('contenders', () => {
  const workload = { readShare: 0, keys: 10, distribution: 'uniform', valueBytes: 1 } as const
  const loop = { kind: 'closed', inFlight: 1, warmUpMs: 0, durationMs: 1 } as const
  const targetOf = (name: string, rates: number[], log: string[]): Target => ({
    name, pids: {}, stop: async () => {},
    ask: async ({ seed }: WorkloadSpec) => {
      log.push(`${name}${seed}`)
      return measurement(rates.shift() ?? 0)
    },
  })

  test('are asked in turns, the same of each in a round', async () => {
    const log: string[] = []
    await measureInTurns({ targets: [targetOf('a', [1, 1], log), targetOf('b', [1, 1], log)], workload, loop, runs: 2 })
    expect(log).toEqual(['a1', 'b1', 'a2', 'b2'])
  })

  test('are compared pair by pair, so that a machine that slows down midway changes no ratio', async () => {
    const [first, second] = await measureInTurns({
      targets: [targetOf('a', [1_000, 500, 100], []), targetOf('b', [800, 400, 80], [])], workload, loop, runs: 3,
    })
    expect(first?.ratio).toBeUndefined()
    expect(second?.ratio).toBeCloseTo(0.8)
    expect(second?.median.perSecond).toBe(400)
  })
})

describe('flags', () => {
  const parse = (...args: string[]): Record<string, unknown> => {
    const measured = withRunFlags(withInFlightFlag(new Command(), [1, 64]), { runs: 3, seconds: 2 })
    const command = withTargetFlags(withWorkloadFlags(measured))
    return command.exitOverride().configureOutput({ writeErr: () => {} }).parse(args, { from: 'user' }).opts()
  }

  test('have the workload of the published figures as their defaults', () => {
    expect(parse()).toMatchObject({
      inflight: [1, 64], keys: 100_000, valueBytes: 128, distribution: 'uniform', runs: 3, seconds: 2, driver: 'sdk', prefix: 'kv',
    })
  })

  test('take lists', () => {
    expect(parse('--inflight', '1, 16,1024', '--servers', 'nats://a:1,nats://b:2')).toMatchObject({
      inflight: [1, 16, 1_024], servers: ['nats://a:1', 'nats://b:2'],
    })
  })

  test.each([
    ['--inflight', '0'], ['--inflight', '1,x'], ['--inflight', ''], ['--distribution', 'normal'], ['--runs', '0'], ['--driver', 'floor'],
    ['--servers', ','], ['--value-bytes', '-1'],
  ])('refuse %s %j', (name, value) => {
    expect(() => parse(name, value)).toThrow()
  })

  test('say which numbers a list may hold', () => {
    expect(() => wholeNumbers(1, 9)('3,10')).toThrow('from 1 to 9')
  })
})

describe('a table', () => {
  test('has one line a target, with the refusals of all runs and the ratio where there is one', () => {
    const runs = [measurement(1_000), measurement(2_000)]
    const text = throughputTable([
      { op: 'put', inFlight: 64, target: 'floor', median: measurement(2_000.4), runs },
      { op: 'put', inFlight: 64, target: 'product', median: measurement(1_500), runs, ratio: 0.754 },
    ])
    const cellsOf = (line: string): readonly string[] => line.split('│').map((cell) => cell.trim()).slice(1, -1)
    expect(text.split('\n').filter((line) => line.includes('put')).map(cellsOf)).toEqual([
      ['put', '64', 'floor', '2000', '1.23', '5.68', '9.01', '7.9', '23.4', '4', '2', ''],
      ['put', '64', 'product', '1500', '1.23', '5.68', '9.01', '7.9', '23.4', '4', '2', '0.75'],
    ])
  })
})

describe('what Linux says of a process', () => {
  test('is read as bytes and milliseconds, whatever the name of the program', () => {
    expect(rssOf('Name:\tnode\nVmRSS:\t   1234 kB\nThreads:\t11\n')).toBe(1_234 * 1_024)
    expect(rssOf('Name:\tgone\n')).toBe(0)
    expect(sleepsOf('Threads:\t11\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n')).toBe(150)
    expect(cpuOf('42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 11 0')).toBe(2_000)
  })
})

describe('growth', () => {
  test('compares the last quarter with the second, so that warming up is none', () => {
    expect(quartersOf([1, 50, 100, 100, 100, 100, 120, 120])).toEqual({ early: 100, late: 120 })
    expect(quartersOf([7])).toEqual({ early: 0, late: 7 })
  })
})
