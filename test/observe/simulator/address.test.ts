/** The address of a simulated run: what is printed is read back, and what is wrong with one is said in words. */

import fc from 'fast-check'
import { describe, expect, test } from '@jest/globals'
import {
  COMMANDS_MAX, DELAY_MS_MAX, LOSS_MAX, NODES, RUN_MS_MAX, SHARDS, addressOf, deeds, readableAddressOf, runOf,
} from '../../../observe/simulator/address.ts'
import type { SimulatedRun } from '../../../observe/simulator/address.ts'

const read = (address: string): ReturnType<typeof runOf> => runOf(Object.fromEntries(new URLSearchParams(address.split('?')[1] ?? '')))
const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { nil: null })

const looked = {
  seed: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), to: maybe(fc.integer({ min: 0, max: RUN_MS_MAX })),
  digest: maybe(fc.stringMatching(/^[0-9a-f]{16}$/)),
}
const byHand: fc.Arbitrary<SimulatedRun> = fc.record({
  ...looked, faults: fc.constant('byHand' as const), nodes: fc.constantFrom(...NODES), shards: fc.constantFrom(...SHARDS),
  loss: fc.integer({ min: 0, max: LOSS_MAX * 1_000 }).map((n) => n / 1_000), delayMs: fc.integer({ min: 1, max: DELAY_MS_MAX }),
  commands: fc.array(fc.record({
    at: fc.integer({ min: 0, max: RUN_MS_MAX }), deed: fc.constantFrom(...deeds), node: fc.integer({ min: 1, max: 9 }).map((n) => `n${n}`),
  }), { maxLength: 5 }).map((all) => all.toSorted((a, b) => a.at - b.at)),
})
const drawn: fc.Arbitrary<SimulatedRun> = fc.record({
  ...looked, faults: fc.constant('drawn' as const),
  nodes: maybe(fc.integer({ min: 1, max: 9 })), shards: maybe(fc.integer({ min: 1, max: 64 })),
  minutes: maybe(fc.constantFrom(0.05, 1, 10)), commit: maybe(fc.stringMatching(/^[0-9a-f]{7,40}$/)),
})

describe('the address of a simulated run', () => {
  test('printing, then reading, is identity', () => {
    fc.assert(fc.property(fc.oneof(byHand, drawn), (run) => { expect(read(addressOf(run))).toEqual(run) }), { numRuns: 200 })
  })

  test('it can be read by a person', () => {
    expect(addressOf({
      faults: 'byHand', seed: 7, nodes: 3, shards: 2, loss: 0.05, delayMs: 5, to: 9_000, digest: '0123456789abcdef',
      commands: [{ at: 1_200, deed: 'kill', node: 'n1' }, { at: 4_000, deed: 'start', node: 'n1' }],
    })).toBe('#/simulator?seed=7&nodes=3&shards=2&loss=0.05&delay=5&do=1200.kill.n1_4000.start.n1&to=9000&digest=0123456789abcdef')
  })

  const many = Array.from({ length: COMMANDS_MAX + 1 }, () => '1.kill.n1').join('_')
  test.each([
    ['seed=0', 'seed is a number from 1 to'], ['seed=1.5', 'seed is a whole number'], ['seed=x', 'seed is a number'],
    ['nodes=8', 'nodes is one of 3, 4, 5, 6, 7'], ['loss=0.5', 'loss is a number from 0 to 0.3'], ['delay=0', 'delay is a number from 1'],
    ['do=1.break.n1', '"1.break.n1" is no command'], ['do=5.kill.n1_4.kill.n2', 'in the order of their times'],
    [`do=${RUN_MS_MAX + 1}.kill.n1`, 'after the end'], [`do=${many}`, `at most ${COMMANDS_MAX} commands`],
    ['digest=12', 'digest is 16 hexadecimal digits'], ['sed=1', 'nothing is called "sed" here'],
    ['faults=mine', 'faults is "drawn" or not there'], ['faults=drawn&do=1.kill.n1', 'nothing is called "do" here'],
    ['faults=drawn&commit=zzz', 'commit is the name of a commit'], ['faults=drawn&minutes=61', 'minutes is a number from 0 to 60'],
  ])('%s is refused: %s', (query, problem) => {
    expect(read(`#/simulator?${query}`)).toEqual({ problem: expect.stringContaining(problem) })
  })

  test('of a run that the page would refuse there is none to print', () => {
    const run = { faults: 'drawn', seed: 7, nodes: null, shards: null, minutes: null, commit: null, to: null, digest: null } as const
    expect(readableAddressOf(run)).toBe('#/simulator?seed=7&faults=drawn')
    for (const more of [{ minutes: 90 }, { minutes: 1 / 9 }, { shards: 100 }, { nodes: 10 }]) {
      expect(readableAddressOf({ ...run, ...more })).toBeNull()
    }
  })
})
