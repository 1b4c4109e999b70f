/** The file system that times syncs: transparent but for what it tells. And the room on a disk. */

import { tmpdir } from 'node:os'
import { expect, test } from '@jest/globals'
import { watchDiskSpace } from '../../storage/diskSpace.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { meteredFileSystem } from '../../storage/meteredFileSystem.ts'
import { until } from '../support/until.ts'
import type { File, FileError } from '../../storage/fileSystem.ts'

const open = () => {
  let now = 100
  const pending: (() => void)[] = []
  const took: number[] = []
  const files = meteredFileSystem(createMemoryFileSystem({ schedule: (fn) => { pending.push(fn) } }), () => now, (ms) => took.push(ms))
  const settle = (): void => {
    while (pending.length > 0) pending.shift()?.()
  }
  const create = (path: string): File => {
    let result: File | null = null
    files.open(path, 'create', (error, file) => { if (error === null) result = file })
    settle()
    if (result === null) throw new Error(`${path} was not created`)
    return result
  }
  return { files, took, settle, create, pass: (ms: number) => { now += ms } }
}

test('a sync is timed from its call to its completion, and reads and writes pass through', () => {
  const { took, settle, create, pass } = open()
  const file = create('a')
  file.writev([new Uint8Array([1, 2])], 0, () => {})
  settle()
  let synced: FileError | null | undefined
  file.datasync((error) => { synced = error })
  pass(7)
  settle()
  expect([took, synced]).toEqual([[7], null])
  let read: readonly number[] = []
  file.read(0, 2, (_error, bytes) => { read = [...bytes] })
  settle()
  expect(read).toEqual([1, 2])
})

test('a file that does not open is told as before', () => {
  const { files, took, settle } = open()
  let code: string | undefined
  files.open('missing', 'read', (error) => { code = error?.code })
  settle()
  expect([code, took]).toEqual(['ENOENT', []])
})

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
