/** Room for the heap: of small ones more, and by a flag that this V8 knows. What it gains: docs/PERFORMANCE.md. */

import { spawnSync } from 'node:child_process'
import { expect, test } from '@jest/globals'
import { builtFile } from '../../chaos/ground/checkout.ts'
import { growingPercent } from '../../cli/heapRoom.ts'

const MIB = 1_048_576

test('a small heap may grow by 160 MiB, and at most to four times; a large one is left to V8', () => {
  expect([1, 40, 80, 127, 128, 2_000].map((mib) => growingPercent(mib * MIB))).toEqual([300, 300, 200, 126, 0, 0])
})

test('V8 knows the flag: it says nothing, and the process goes on', () => {
  const program = `import { keepHeapRoom } from '${builtFile('cli/heapRoom.js')}'; const leave = keepHeapRoom(); globalThis.gc(); leave()`
  const flags = ['--expose-gc', '--input-type=module', '--eval', program]
  const { status, stderr, stdout } = spawnSync(process.execPath, flags, { encoding: 'utf8' })
  expect([status, stderr, stdout]).toEqual([0, '', ''])
})
