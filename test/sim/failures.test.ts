/** What a failing run leaves: its commit, its trace, and a smaller run within the time that is given for it. */

import { afterAll, describe, expect, test } from '@jest/globals'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordFailure } from '../../sim/failures.ts'
import { calmOptions } from '../../sim/options.ts'

const directory = mkdtempSync(join(tmpdir(), 'shardkv-failures-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** No log has segments of this size: every node throws when it starts. */
const broken = (seed: number): ReturnType<typeof calmOptions> => calmOptions(seed, { segmentBytes: 1_000, joiners: 2, shards: 3, nodes: 5 })
const record = (seed: number, shrinkMs: number): Promise<readonly string[]> =>
  recordFailure(broken(seed), { directory, commit: 'abc123', shrinkMs })

describe('a failing run', () => {
  test('leaves its trace, and a smaller run that fails in the same way', async () => {
    const lines = await record(5, 60_000)
    expect(lines).toContain('  commit: abc123')
    expect(lines.at(-1)).toBe(`  smaller: npm run sim -- --case ${directory}/seed-5.json`)
    expect(readFileSync(join(directory, 'seed-5.trace'), 'utf8')).toContain('violation')
    const { options, commit } = JSON.parse(readFileSync(join(directory, 'seed-5.json'), 'utf8')) as { options: object; commit: string }
    expect([options, commit]).toEqual([expect.objectContaining({ nodes: 3, shards: 1, joiners: 0 }), 'abc123'])
  })

  test('says so where the time was not enough to make it as small as can be', async () => {
    expect((await record(6, 1)).join('\n')).toContain('--shrink-seconds gives more')
  })

  test('stays as it is where no time is given', async () => {
    const lines = await record(7, 0)
    expect(lines.slice(0, 2)).toEqual(['  commit: abc123', `  trace: ${directory}/seed-7.trace`])
    expect(lines.join('\n')).toContain('not made smaller (--shrink-seconds 0)')
    expect(readdirSync(directory)).not.toContain('seed-7.json')
  })

  test('that does not fail again is told', async () => {
    const calm = { ...calmOptions(8), safetyMs: 100 }
    const { workload } = calm
    const lines = await recordFailure({ ...calm, workload: { ...workload, clients: 1 } }, { directory, commit: 'abc123', shrinkMs: 0 })
    expect(lines.join('\n')).toContain('not deterministic')
  })
})
