/** Making a failing run smaller, with a pretended simulator whose failures are known; and runs as files. */

import fc from 'fast-check'
import { describe, expect, test } from '@jest/globals'
import { decodeCase, encodeCase } from '../../sim/case.ts'
import { calmOptions, drawOptions } from '../../sim/options.ts'
import { runSeed } from '../../sim/run.ts'
import { shrink } from '../../sim/shrink.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { Failure } from '../../sim/shrink.ts'

const FAULTS = 12
const OPERATIONS = 300

/** Fails at 5 s, after 40 operations, when these faults happen and there are two clients; whatever the seed. */
const fragile = (needed: readonly number[]) => (options: SimOptions): Failure | null => {
  const { skippedFaults, safetyMs, workload: { clients, operationsMax } } = options
  const isThere = needed.every((fault) => !skippedFaults.includes(fault)) && clients >= 2 && safetyMs > 5_000 && operationsMax >= 40
  if (!isThere) return null
  return { invariant: 'it holds', atMs: 5_000, operations: Math.min(operationsMax, OPERATIONS), faultsDrawn: FAULTS }
}

const withClients = (seed: number): SimOptions => {
  const options = drawOptions(seed)
  return { ...options, workload: { ...options.workload, clients: Math.max(3, options.workload.clients) } }
}

describe('a failing run', () => {
  test('is made as small as it can be and still fail the same way', () => {
    const drawn = {
      ...withClients(7), joiners: 2, turnMs: 10, lostAfterMs: 4_000, calamities: ['wipe'], fileFaults: ['mapLost'],
      rotEveryMs: 2_000, shardLimits: { pendingOperationsMax: 3 },
    } as const
    const shrunk = shrink(drawn, { run: fragile([3, 8]), mayGoOn: () => true })
    expect(shrunk?.options).toMatchObject({
      joiners: 0, turnMs: 0, lostAfterMs: 30_000, calamities: [], fileFaults: [], rotEveryMs: 0, raftLimits: {},
      shardLimits: {},
      disk: { keep: 0, torn: 0 },
      nodes: 3, shards: 1, safetyMs: 5_001, skippedFaults: [0, 1, 2, 4, 5, 6, 7, 9, 10, 11], network: { loss: 0, duplication: 0 },
      workload: { clients: 2, burstMax: 1, operationsMax: expect.any(Number) },
    })
    expect(shrunk?.options.workload.operationsMax).toBeLessThan(80)
  })

  test('is not taken for another that fails in another way', () => {
    const run = (options: SimOptions): Failure =>
      ({ ...must(fragile([])(withClients(7))), invariant: options.shards === 1 ? 'another' : 'it holds' })
    const shrunk = shrink({ ...withClients(7), shards: 3 }, { run, mayGoOn: () => true })
    expect(shrunk).toMatchObject({ options: { shards: 3, nodes: 3 }, failure: { invariant: 'it holds' } })
  })

  test('stays as it is when there is no time, and is nothing when it does not fail', () => {
    const options = withClients(7)
    expect(shrink(options, { run: fragile([1]), mayGoOn: () => false })).toMatchObject({ options, runs: 1 })
    expect(shrink(options, { run: () => null, mayGoOn: () => true })).toBeNull()
  })

  test('keeps to the byte what came before a fault that is left out', () => {
    const options = { ...drawOptions(3), faults: ['crash', 'pause', 'partition'] as const, faultEveryMs: 700, safetyMs: 5_000 }
    const whole = runSeed(options)
    const last = whole.figures.faultsDrawn - 1
    const less = runSeed({ ...options, skippedFaults: [last] })
    const until = whole.trace.findLastIndex((line) => / fault +(?:crash|pause|partition) /.test(line))
    expect(last).toBeGreaterThan(1)
    expect(until).toBeGreaterThan(0)
    expect(less.trace.slice(1, until)).toEqual(whole.trace.slice(1, until))
    expect(less.figures.faults).toBe(whole.figures.faults - 1)
  })
})

const must = (failure: Failure | null): Failure => {
  if (failure === null) throw new Error('it fails')
  return failure
}

describe('a run as a file', () => {
  const base = calmOptions(1)

  test('is the same run when it is read', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 1e9 }), (seed) => {
      const simCase = { options: drawOptions(seed), invariant: 'x', story: 'y', commit: 'z' }
      expect(decodeCase(encodeCase(simCase), base)).toEqual(simCase)
    }))
  })

  test('takes what it does not say from a calm run', () => {
    expect(decodeCase('{"options": {"seed": 5, "nodes": 5, "workload": {"clients": 2}}}', base)).toEqual({
      options: { ...base, seed: 5, nodes: 5, workload: { ...base.workload, clients: 2 } }, invariant: null, story: '', commit: 'unknown',
    })
  })

  test.each([['no JSON', '{'], ['no object', '7'], ['no options', '{}'], ['no seed', '{"options": {"nodes": 3}}'],
    ['an option of another simulator', '{"options": {"seed": 1, "moons": 2}}']])('of %s is refused', (_what, text) => {
    expect(() => decodeCase(text, base)).toThrow(RangeError)
  })
})
