/** The real command line, whose data nobody can keep: standard output is a disk that is full. */

import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { builtFile } from '../../chaos/ground/checkout.ts'

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
}, 60_000)
