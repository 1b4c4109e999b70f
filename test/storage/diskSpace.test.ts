/** The room on a disk: looked up aside, and known when it is asked for. */

import { tmpdir } from 'node:os'
import { expect, test } from '@jest/globals'
import { watchDiskSpace } from '../../storage/diskSpace.ts'
import { until } from '../support/until.ts'

test('the room on a disk is known soon, and stays unknown for a folder that is not there', async () => {
  const here = watchDiskSpace(tmpdir())
  const nowhere = watchDiskSpace('/no/such/folder')
  await until(() => here.space() !== null, 'the room is known')
  const space = here.space()
  expect(space?.freeBytes).toBeGreaterThan(0)
  expect(space?.totalBytes).toBeGreaterThanOrEqual(space?.freeBytes ?? 0)
  expect(nowhere.space()).toBeNull()
  here.stop()
  nowhere.stop()
})
