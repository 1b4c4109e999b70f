/** A bench whose operations failed, whose server ended, or whose other build is none does not end as if it had measured something. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { addIdle } from '../../bench/questions/idle.ts'
import { addMemory } from '../../bench/questions/memory.ts'
import { addOverload } from '../../bench/questions/overload.ts'
import { addPut } from '../../bench/questions/put.ts'
import { addRaw } from '../../bench/questions/raw.ts'
import { addRecord } from '../../bench/questions/record.ts'
import { addSoak } from '../../bench/questions/soak.ts'
import { sampleServer } from '../../bench/sampling.ts'
import { buildThere, commitOf } from '../../bench/targets/checkout.ts'
import { askedOf, flawsOf } from '../../bench/verdict.ts'
import type { Figure, Run } from '../../bench/turns.ts'

describe('figures', () => {
  const run = (done: number, failed: number): Run => ({
    perSecond: done, p50Ms: 1, p99Ms: 1, p999Ms: 1, maxMs: 1, done, doneInAll: done, overloaded: 3, failed, clientCpuUs: 1, serverCpuUs: 1,
  })
  const figureOf = (...runs: readonly [Run, ...Run[]]): Figure => ({ target: 'product', median: runs[0], runs })

  test('of operations that were done, some of them refused, are sound', () => {
    expect(flawsOf(askedOf('put at 64', [figureOf(run(10, 0), run(9, 0))]))).toEqual([])
  })

  test('of operations that failed in any run are not, nor are those of none', () => {
    expect(flawsOf(askedOf('put at 64', [figureOf(run(10, 0), run(9, 2)), figureOf(run(0, 0))]))).toEqual([
      'put at 64, product, run 2: 2 operations failed, beside 9 that were done', 'put at 64, product, run 1: no operation was done',
    ])
    expect(flawsOf([])).toEqual(['nothing was measured'])
  })
})

test('a server that has ended is no server of which something is measured', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  expect(await sampleServer('n1', child.pid ?? 0)).toMatchObject({ descriptors: expect.any(Number) })
  child.kill('SIGKILL')
  await once(child, 'exit')
  await expect(sampleServer('n1', child.pid ?? 0)).rejects.toThrow('n1 has ended')
})

describe('another checkout', () => {
  let root: string
  beforeEach(() => { root = mkdtempSync(join(tmpdir(), 'shardkv-other-')) })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const bootstrap = (build: string): void => {
    mkdirSync(join(root, 'bin'))
    writeFileSync(join(root, 'bin/bootstrap.mjs'), `
      import { appendFileSync } from 'node:fs'
      export const ensureDependencies = () => appendFileSync('said', 'dependencies ')
      export const ensureBuild = () => { ${build} }`)
  }

  test('is built by its own rules before anything of it runs', async () => {
    bootstrap("appendFileSync('said', 'build')")
    await buildThere(root)
    expect(readFileSync(join(root, 'said'), 'utf8')).toBe('dependencies build')
  })

  test('that does not build is refused, with what it said and what to do', async () => {
    bootstrap("process.stderr.write('no such type'); process.exit(1)")
    await expect(buildThere(root)).rejects.toThrow(/does not build; run "npm run build" there:\nno such type/)
  })

  test('that is none is refused', async () => {
    await expect(buildThere(root)).rejects.toThrow('is no checkout of ShardKV')
  })

  test('has a commit, and is marked where files were changed since', async () => {
    expect(await commitOf(root)).toBe('unknown')
    const git = (...args: readonly string[]): void => {
      const { status, stderr } = spawnSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: root, encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, expect.any(String)])
    }
    writeFileSync(join(root, 'a'), '1')
    git('init', '-q')
    git('add', '.')
    git('commit', '-q', '-m', 'one')
    expect(await commitOf(root)).toMatch(/^[0-9a-f]{12}$/)
    writeFileSync(join(root, 'a'), '2')
    expect(await commitOf(root)).toMatch(/^[0-9a-f]{12}\+$/)
  })
})

describe('a question has no flag that means nothing to it:', () => {
  const flagsOf = (add: (program: Command) => void): readonly string[] => {
    const program = new Command()
    add(program)
    return program.commands.flatMap(({ options }) => options.map(({ long }) => long ?? '')).toSorted()
  }

  test.each([
    ['idle asks nothing', addIdle, ['--against', '--json', '--nodes', '--rest-seconds', '--runs', '--seconds', '--shards']],
    ['memory writes each key once', addMemory, ['--driver', '--json', '--keys', '--rest-seconds', '--seconds', '--value-bytes']],
    ['record has no cluster', addRecord, ['--json']],
    ['soak is one run', addSoak, [
      '--distribution', '--driver', '--every-seconds', '--json', '--keys', '--minutes', '--seconds', '--value-bytes', '--warm-up-ms',
    ]],
    ['overload is two floods', addOverload, [
      '--distribution', '--driver', '--json', '--keys', '--peak', '--seconds', '--times', '--value-bytes', '--warm-up-ms',
    ]],
  ])('%s', (_what, add, flags) => {
    expect(flagsOf(add)).toEqual(flags)
  })

  test('raw asks in one way', () => {
    expect(flagsOf(addPut).filter((name) => !flagsOf(addRaw).includes(name))).toEqual(['--driver'])
  })
})
