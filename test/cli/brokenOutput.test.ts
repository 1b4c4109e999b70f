/** A full disk behind the output, and a reader that has gone. */

import { expect, test } from '@jest/globals'
import { createBrokenOutput } from '../../cli/brokenOutput.ts'

const codes = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EPIPE', 'EIO'] as const

test('a command that has only its output to give ends with it', () => {
  const output = createBrokenOutput()
  expect(codes.map((code) => output.exitCodeFor({ code }))).toEqual([1, 1, 1, 141, 141])
})

test('a launcher goes on without its lines, unless their reader has gone', () => {
  const output = createBrokenOutput()
  output.outlive()
  expect(codes.map((code) => output.exitCodeFor({ code }))).toEqual([null, null, null, 141, 141])
})
