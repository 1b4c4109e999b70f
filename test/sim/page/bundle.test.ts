/** The simulator's script for the page: nothing of Node is in it, its size is bounded, and a run in it is the run of `npm run sim`. */

import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { stop } from 'esbuild'
import { runSeed } from '../../../sim/run.ts'
import { drawOptions } from '../../../sim/options.ts'
import type { DrawnRun } from '../../../observe/simulator/address.ts'
import type { FromSimulator, ToSimulator } from '../../../observe/simulator/protocol.ts'

/** As much as the page itself may have. It runs the product and its simulator whole, and grows with them. */
const SCRIPT_BYTES_MAX = 250_000
/** Short, with a fault in it. */
const SEED = 30
const MINUTES = 0.02

let script = ''

beforeAll(async () => {
  const path = '../../../scripts/simulator.mjs'
  const { bundleSimulator } = await import(path) as { readonly bundleSimulator: () => Promise<string> }
  script = await bundleSimulator()
})
afterAll(() => stop())

test('it is one small script without a module of Node and without code made from text', () => {
  const bytes = gzipSync(script).length
  process.stdout.write(`observatory: the simulator is ${(bytes / 1_024).toFixed(1)} KiB packed\n`)
  expect(bytes).toBeLessThan(SCRIPT_BYTES_MAX)
  expect(script).not.toMatch(/["']node:|\brequire\(|new Function|\beval\(/)
})

test('where there is no Buffer and no process, a seed has the digest that it has in Node', () => {
  const seen: FromSimulator[] = []
  const timers: (() => void)[] = []
  const scope: { onmessage?: (event: { readonly data: ToSimulator }) => void; readonly [name: string]: unknown } = {
    postMessage: (message: FromSimulator) => { seen.push(message) },
    setTimeout: (run: () => void) => timers.push(run), clearTimeout: () => {}, performance, TextEncoder, TextDecoder,
  }
  runInNewContext(script, scope)
  const run: DrawnRun = { faults: 'drawn', seed: SEED, nodes: 3, shards: 1, minutes: MINUTES, commit: null, to: null, digest: null }
  scope.onmessage?.({ data: { type: 'simulator.open', number: 5, run } })
  scope.onmessage?.({ data: { type: 'simulator.go', speed: null, to: null } })
  for (let next = timers.shift(); next !== undefined; next = timers.shift()) next()
  const { violation, traceHash } = runSeed(drawOptions(SEED, { nodes: 3, shards: 1, safetyMs: MINUTES * 60_000 }))
  expect(violation).toBeNull()
  expect(seen.at(-1)?.scene).toMatchObject({ digest: traceHash, violation: null, phase: 'ended', isEnded: true })
  expect(seen.length).toBeGreaterThan(3)
  scope.onmessage?.({ data: { type: 'simulator.open', number: 6, run } })
  expect([...new Set(seen.map(({ number }) => number))]).toEqual([5, 6])
})
