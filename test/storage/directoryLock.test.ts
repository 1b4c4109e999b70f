/** The lock of a data directory against real processes: killed and stopped holders, many askers at once, files of others in its place. */

import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { acquireLock } from '../../storage/directoryLock.ts'
import type { ReleaseLock } from '../../storage/directoryLock.ts'
import type { FileError } from '../../storage/fileSystem.ts'

const root = mkdtempSync(join(tmpdir(), 'shardkv-lock-'))
const children: ChildProcess[] = []
let next = 0
const directory = (): string => {
  next += 1
  const path = join(root, String(next))
  mkdirSync(path)
  return path
}

interface Answer { readonly error: FileError | null; readonly release: ReleaseLock }
const acquire = (path: string): Promise<Answer> => new Promise((resolve) => {
  acquireLock(path, (error, release) => resolve({ error, release }))
})
const free = (release: ReleaseLock): Promise<void> => new Promise((resolve) => release(resolve))

/** Another process that listens as a holder does, and says when it stands. */
const holder = (path: string): Promise<ChildProcess> => new Promise((resolve) => {
  const socket = JSON.stringify(join(path, 'lock-00000000000000aa.sock'))
  const script = `require('net').createServer((s) => s.destroy()).listen(${socket}, () => console.log('up'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  children.push(child)
  child.stdout?.once('data', () => resolve(child))
})
const end = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => new Promise((resolve) => {
  child.once('exit', () => resolve())
  child.kill(signal)
})

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) await end(child, 'SIGKILL')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('the lock of a data directory', () => {
  test('has one holder, and is free again when it is released', async () => {
    const path = directory()
    const first = await acquire(path)
    expect(first.error).toBeNull()
    const second = await acquire(path)
    expect(second.error).toMatchObject({ code: 'ELOCKED', message: expect.stringMatching(/in use by another live process/) })
    await free(second.release)
    await free(first.release)
    const third = await acquire(path)
    expect(third.error).toBeNull()
    await free(third.release)
    expect(readdirSync(path)).toEqual([])
  })

  test('of a process that was killed is free, and its left-over is removed', async () => {
    const path = directory()
    const child = await holder(path)
    expect((await acquire(path)).error?.code).toBe('ELOCKED')
    await end(child, 'SIGKILL')
    expect(readdirSync(path).length).toBe(1)
    const mine = await acquire(path)
    expect([mine.error, readdirSync(path).length]).toEqual([null, 1])
    await free(mine.release)
  })

  test('of a process that is stopped is still held', async () => {
    const path = directory()
    const child = await holder(path)
    child.kill('SIGSTOP')
    expect((await acquire(path)).error?.code).toBe('ELOCKED')
    child.kill('SIGCONT')
  })

  test('is never held twice, however many ask at once over a dead holder', async () => {
    const path = directory()
    await end(await holder(path), 'SIGKILL')
    const answers = await Promise.all(Array.from({ length: 8 }, () => acquire(path)))
    const holders = answers.filter(({ error }) => error === null)
    expect(holders.length).toBeLessThanOrEqual(1)
    for (const { release } of holders) await free(release)
    const after = await acquire(path)
    expect(after.error).toBeNull()
    await free(after.release)
  })

  test('says what is wrong with a directory that is missing, or whose path is too long', async () => {
    expect((await acquire(join(root, 'missing'))).error).toMatchObject({ code: 'ENOENT' })
    const long = join(root, 'x'.repeat(120))
    mkdirSync(long)
    expect((await acquire(long)).error).toMatchObject({ code: 'ENAMETOOLONG' })
  })

  test('takes no other file for a holder', async () => {
    const path = directory()
    writeFileSync(join(path, 'lock-notes.txt'), 'mine')
    const { error, release } = await acquire(path)
    expect(error).toBeNull()
    await free(release)
    expect(readdirSync(path)).toEqual(['lock-notes.txt'])
  })
})
