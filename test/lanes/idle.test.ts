/** Lanes that ran nothing, or nothing of a part of them, fail: by their rules, and as the commands that they are. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unproven } from '../../fuzz/main.ts'
import { idleOf } from '../../lanes/idle.ts'
import { unprovenBy } from '../../sim/lane.ts'
import { idleProblems } from '../../torture/main.ts'
import { livesProblem } from '../../torture/lives.ts'

const COMMAND_MS_MAX = 120_000

describe('what did nothing', () => {
  test('is named', () => {
    expect(idleOf([{ name: 'a', done: 0 }, { name: 'b', done: 1 }, { name: 'c', done: Number.NaN }])).toEqual(['a', 'c'])
  })

  test('is a decoder that took no input', () => {
    expect(unproven([{ target: { name: 'frame' }, accepted: 0 }, { target: { name: 'genesis' }, accepted: 7 }])).toEqual(['frame'])
  })

  test('is a generator without an image, and lives without an acknowledgement', () => {
    const [first, second] = [{ name: 'a bit flipped', images: 3, acknowledged: 0 }, { name: 'a random life', images: 2, acknowledged: 9 }]
    expect(idleProblems([first, second])).toEqual([])
    expect(idleProblems([first, { ...second, images: 0, acknowledged: 0 }])).toEqual([
      'a random life: no image was judged', 'no life had anything acknowledged: nothing could be lost',
    ])
  })

  test('is a run of no seed, one of fewer than marks take where more were wanted, and one without the corpus', () => {
    const problems = (reached: number, wanted: number, cases = 4): number => unprovenBy({ reached, wanted, cases }).length
    expect([problems(0, 10), problems(149, 200), problems(200, 200, 0)]).toEqual([1, 1, 1])
    expect([problems(10, 10), problems(150, 200), problems(200, 200)]).toEqual([0, 0, 0])
  })
})

test('lives of a log tell what was acknowledged in them', () => {
  let acknowledged = 0
  expect(livesProblem(1, { onAcknowledged: (count) => { acknowledged += count } })).toBeUndefined()
  expect(acknowledged).toBeGreaterThan(0)
})

describe('as a command, without time for anything,', () => {
  let figures: string
  beforeEach(() => { figures = mkdtempSync(join(tmpdir(), 'shardkv-idle-')) })
  afterEach(() => rmSync(figures, { recursive: true, force: true }))

  const run = (lane: string, ...flags: readonly string[]): { readonly code: number | null; readonly out: string; readonly err: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [lane, ...flags], {
      encoding: 'utf8', env: { ...process.env, SHARDKV_FIGURES: figures, SHARDKV_MUTANT: '' }, timeout: COMMAND_MS_MAX,
    })
    return { code: status, out: stdout, err: stderr }
  }
  const left = (lane: string): unknown => JSON.parse(readFileSync(join(figures, `${lane}.json`), 'utf8'))

  test('the fuzz lane fails', () => {
    const { code, out } = run('bin/fuzz.mjs', '--budget-seconds', '0', '--workers', '1')
    expect([code, /^FAILED frame: no input was accepted/m.test(out)]).toEqual([1, true])
    expect(left('fuzz')).toMatchObject({ passed: 0 })
  }, COMMAND_MS_MAX)

  test('the torture fails', () => {
    const { code, out } = run('bin/torture.mjs', '--budget-seconds', '0', '--workers', '1')
    expect([code, /^FAILED a bit flipped: no image was judged$/m.test(out)]).toEqual([1, true])
    expect(left('torture')).toMatchObject({ passed: 0, figures: { images: 0 } })
  }, COMMAND_MS_MAX)

  test('the planted bugs fail', () => {
    const { code, out } = run('scripts/mutants.mjs', '--budget-seconds', '0', 'M05')
    expect([code, /^FAILED no planted bug was tried/m.test(out), out.trimEnd().split('\n').at(-1)]).toEqual([1, true, '0 passed, 1 failed'])
  }, COMMAND_MS_MAX)

  test('a search for what catches planted bugs fails, and leaves the figures of a replay as they are', () => {
    const { code, out } = run('scripts/mutants.mjs', '--search', '--budget-seconds', '0', 'M05')
    expect([code, out.trimEnd().split('\n').at(-1)]).toEqual([1, '0 passed, 1 failed'])
    expect(left('mutants-search')).toMatchObject({ passed: 0, failed: 1 })
    expect(() => left('mutants')).toThrow()
  }, COMMAND_MS_MAX)

  test('planted bugs that do not exist are refused', () => {
    expect(run('scripts/mutants.mjs', 'M05', 'M999')).toMatchObject({ code: 2, err: expect.stringContaining('there is no M999') })
    const { code, err } = run('scripts/mutants.mjs', '--workers', '0')
    expect([code, err]).toEqual([2, expect.stringContaining('--workers is a number from 1')])
  }, COMMAND_MS_MAX)

  test('a history without an operation proves nothing', () => {
    expect(run('bin/chaos.mjs', '--check', '/dev/null')).toMatchObject({ code: 1, out: expect.stringContaining('no operation in it') })
  }, COMMAND_MS_MAX)
})
