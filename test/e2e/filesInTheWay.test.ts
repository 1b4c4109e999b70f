/** The real command line where a file stands in the way: a full disk behind its output, and a file in place of a node's directory. */

import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { EXIT_REFUSED } from '../../actors/node/protocol.ts'
import { builtFile } from '../../chaos/ground/checkout.ts'

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

test('a node whose directory is a file refuses to run, also where it would join', () => {
  for (const join of [[], ['--join']]) {
    const { status, stdout } = spawnSync(process.execPath, [
      builtFile('cli/entry.js'), 'node', '--id', 'n1', '--dir', 'README.md', ...join,
    ], { encoding: 'utf8' })
    expect([join, status, stdout]).toEqual([join, EXIT_REFUSED, expect.stringContaining('README.md is no directory')])
  }
}, TEST_MS_MAX)
