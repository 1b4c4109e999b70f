/** The real command line where a file stands in the way: a full disk behind its output, and directories that no node can have. */

import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { mountSmallDisk } from '../../chaos/ground/smallDisk.ts'

const TEST_MS_MAX = 60_000
const onFull = existsSync('/dev/full') ? test : test.skip

onFull('a full disk behind standard output is one line and exit code 1', () => {
  const full = openSync('/dev/full', 'w')
  try {
    const { status, stderr } = spawnSync(process.execPath, [builtFile('cli/entry.js'), 'version'], {
      stdio: ['ignore', full, 'pipe'], encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([1, 'shardkv: standard output: the disk is full\n'])
  } finally {
    closeSync(full)
  }
}, TEST_MS_MAX)

describe('a node refuses to run, also where it would join, in a directory', () => {
  let folder = ''
  beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'shardkv-way-')) })
  afterAll(() => { rmSync(folder, { recursive: true }) })

  const expectRefused = (dir: string, told: string, ways: readonly (readonly string[])[] = [[], ['--join']]): void => {
    for (const way of ways) {
      const { status, stdout } = spawnSync(process.execPath, [builtFile('cli/entry.js'), 'node', '--id', 'n1', '--dir', dir, ...way], {
        encoding: 'utf8',
      })
      expect([way, status, stdout]).toEqual([way, EXIT_REFUSED, expect.stringContaining(told)])
    }
  }

  test('that is a file', () => expectRefused('README.md', 'README.md is no directory'), TEST_MS_MAX)

  test('whose path is too long for the lock, or for any directory', () => {
    const long = join(folder, 'x'.repeat(100))
    mkdirSync(long)
    expectRefused(long, `${long} has too long a path`)
    expectRefused(join(folder, 'x'.repeat(256)), 'ENAMETOOLONG')
  }, TEST_MS_MAX)

  test('below a link that leads nowhere', () => {
    const link = join(folder, 'link')
    symlinkSync(join(folder, 'gone'), link)
    expectRefused(join(link, 'n1'), `${link}/n1 is not there`)
  }, TEST_MS_MAX)

  test('that is mounted read-only, or would be made there', () => {
    const mounted = join(folder, 'mounted')
    mkdirSync(mounted)
    const disk = mountSmallDisk(mounted, 1_048_576)
    try {
      expect(spawnSync('mount', ['-o', 'remount,ro', mounted]).status).toBe(0)
      expectRefused(mounted, `${mounted} is on a file system that is mounted read-only`)
      expectRefused(join(mounted, 'n1'), `${mounted}/n1 is on a file system that is mounted read-only`, [['--join']])
    } finally {
      disk.unmount()
    }
  }, TEST_MS_MAX)
})
