/** What becomes of a measuring client that gives no figures. */

import { expect, test } from '@jest/globals'
import { figuresOf } from '../../bench/clientTask.ts'

const ended = (program: string): Promise<unknown> => figuresOf('the client', process.execPath, { args: ['-e', program], timeoutMs: 20_000 })

test('a client that finds nobody to measure is exit code 4 with what it said; any other end is told with all that it said', async () => {
  await expect(ended('process.stderr.write("nobody answers\\n"); process.exitCode = 4')).rejects
    .toMatchObject({ name: 'CliError', exitCode: 4, message: 'nobody answers' })
  await expect(ended('process.stderr.write("a bug"); process.exitCode = 1')).rejects
    .toMatchObject({ name: 'Error', message: 'the client ended with 1: a bug' })
  expect(await ended('console.log("by the way"); console.log("{}")')).toEqual({})
})
