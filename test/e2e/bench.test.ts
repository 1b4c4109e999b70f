/** `npm run bench` as a person meets it: real processes for a second. That there are figures, not how good they are. */

import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, test } from '@jest/globals'
import type { Row } from '../../bench/report.ts'

const TEST_MS_MAX = 180_000
const short = [
  '--inflight', '8', '--runs', '1', '--seconds', '1', '--warm-up-ms', '200', '--warm-servers-seconds', '0', '--keys', '200', '--json',
]

interface Result {
  readonly machine: { readonly node: string; readonly natsServer: string }
  readonly rows: readonly Row[]
  readonly bars?: readonly string[]
}

const bench = async (...args: readonly string[]): Promise<{ readonly result: Result; readonly pid: number }> => {
  const child = spawn(process.execPath, ['bin/bench.mjs', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { err += chunk.toString() })
  const code = await new Promise<number | null>((resolve) => { child.once('close', resolve) })
  if (code !== 0) throw new Error(`bench ${args.join(' ')} ended with ${code}:\n${err}`)
  return { result: JSON.parse(out) as Result, pid: child.pid ?? 0 }
}

const leftBy = (pid: number): readonly string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith('shardkv-bench-') && name.includes(`-${pid}-`))

describe('npm run bench', () => {
  test('put measures the product and leaves nothing behind', async () => {
    const { result, pid } = await bench('put', ...short)
    expect(result.machine.node).toBe(process.versions.node)
    expect(result.rows.map(({ op, inFlight, target }) => [op, inFlight, target])).toEqual([['put', 8, 'product']])
    for (const { median } of result.rows) {
      for (const figure of [median.perSecond, median.done, median.p50Ms, median.p99Ms, median.p999Ms, median.clientCpuUs]) {
        expect(figure).toBeGreaterThan(0)
      }
      expect(median.failed).toBe(0)
    }
    expect(leftBy(pid)).toEqual([])
  }, TEST_MS_MAX)

  test('floor measures floor and product in turns, reads and writes, with a ratio', async () => {
    const { result, pid } = await bench('floor', ...short)
    expect(result.rows.map(({ op, target }) => `${op} ${target}`)).toEqual(['put floor', 'put product', 'get floor', 'get product'])
    for (const { median, ratio, target } of result.rows) {
      expect(median.perSecond).toBeGreaterThan(0)
      if (target === 'product') expect(ratio).toBeGreaterThan(0)
    }
    expect(leftBy(pid)).toEqual([])
  }, TEST_MS_MAX)
})
