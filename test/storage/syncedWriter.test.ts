/** Real files: one call that writes and syncs, where there is one. */

import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import {
  closeSync, constants, fdatasync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, writev,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { must } from '../../actors/kernel/assert.ts'
import { createSyncedWriter } from '../../storage/syncedWriter.ts'
import type { File, WriteFailure } from '../../storage/fileSystem.ts'
import type { SyncedWriter, SyncedWriterOptions } from '../../storage/syncedWriter.ts'

const onLinux = process.platform === 'linux' ? test : test.skip
let directory = ''
beforeAll(() => { directory = mkdtempSync(join(tmpdir(), 'shardkv-synced-')) })
afterAll(() => { rmSync(directory, { recursive: true, force: true }) })

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

interface Answer { readonly failure: WriteFailure | null; readonly count: number }

const write = (writer: SyncedWriter, buffers: readonly string[], position: number): Promise<Answer> =>
  new Promise((resolve) => { writer.write(buffers.map(text), position, (failure, count) => resolve({ failure, count })) })

const close = (writer: SyncedWriter): Promise<Error | null> => new Promise((resolve) => { writer.close(resolve) })

const plainOf = (fd: number): Pick<File, 'writev' | 'datasync'> => ({
  writev: (buffers, position, done) => { writev(fd, buffers, position, done) },
  datasync: (done) => { fdatasync(fd, (error) => { done(error) }) },
})

const writerOf = (fd: number, options: SyncedWriterOptions = {}): SyncedWriter =>
  must(createSyncedWriter(fd, plainOf(fd), { platform: 'linux', ...options }), 'on Linux there is one')

/** How many descriptors of this process sync what is written to them in the file. */
const syncedDescriptorsOf = (path: string): number => readdirSync('/proc/self/fd').filter((fd) => {
  try {
    if (readlinkSync(`/proc/self/fd/${fd}`) !== path) return false
    const flags = Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0', 8)
    return (flags & constants.O_DSYNC) !== 0
  } catch {
    return false
  }
}).length

onLinux('writes several buffers at their place, through a descriptor that syncs, also when the file was renamed', async () => {
  const path = join(directory, 'made')
  const fd = openSync(path, 'wx+')
  const writer = writerOf(fd)
  renameSync(path, join(directory, 'named'))
  expect(await write(writer, ['hello ', 'world'], 0)).toEqual({ failure: null, count: 11 })
  expect(await write(writer, ['W'], 6)).toEqual({ failure: null, count: 1 })
  expect(readFileSync(join(directory, 'named'), 'utf8')).toBe('hello World')
  expect(syncedDescriptorsOf(join(directory, 'named'))).toBe(1)
  expect(await close(writer)).toBeNull()
  expect(syncedDescriptorsOf(join(directory, 'named'))).toBe(0)
  closeSync(fd)
})

onLinux('where the descriptors have no names it writes, then syncs', async () => {
  const path = join(directory, 'two calls')
  const fd = openSync(path, 'wx+')
  const writer = writerOf(fd, { descriptors: join(directory, 'nowhere') })
  expect(await write(writer, ['hello ', 'world'], 0)).toEqual({ failure: null, count: 11 })
  expect(readFileSync(path, 'utf8')).toBe('hello world')
  expect(syncedDescriptorsOf(path)).toBe(0)
  expect(await close(writer)).toBeNull()
  closeSync(fd)
  expect((await write(writer, ['x'], 0)).failure).toMatchObject({ isSync: false, error: { code: 'EBADF' } })
})

onLinux('a lack of space may be tried again; any other failure is a failed sync, since nobody knows which half failed', async () => {
  const full = openSync('/dev/full', 'r+')
  const starved = writerOf(full)
  expect((await write(starved, ['x'], 0)).failure).toMatchObject({ isSync: false, error: { code: 'ENOSPC' } })
  await close(starved)
  closeSync(full)
  execFileSync('mkfifo', [join(directory, 'pipe')])
  const pipe = openSync(join(directory, 'pipe'), 'r+')
  const broken = writerOf(pipe)
  expect((await write(broken, ['x'], 0)).failure).toMatchObject({ isSync: true, error: { code: 'ESPIPE' } })
  await close(broken)
  closeSync(pipe)
})

test('there is none but on Linux, where the flag promises what fdatasync does', async () => {
  expect(createSyncedWriter(0, plainOf(0), { platform: 'darwin' })).toBeNull()
  expect(createSyncedWriter(0, plainOf(0), { platform: 'win32' })).toBeNull()
  const unused = writerOf(0)
  expect(await close(unused)).toBeNull()
})
