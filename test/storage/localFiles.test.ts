/** The plain-files port on a real disk. */

import { spawnSync } from 'node:child_process'
import { closeSync, constants, lstatSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createLocalFiles } from '../../storage/localFiles.ts'

const files = createLocalFiles()
let folder = ''
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'shardkv-files-')) })
afterEach(() => { rmSync(folder, { recursive: true }) })

test('what is not there is an answer, not an error', async () => {
  const path = join(folder, 'none')
  expect(await files.readText(path)).toBeNull()
  expect(await files.facts(path)).toBeNull()
  expect(await files.list(path)).toEqual([])
  expect(await files.isExecutable(path)).toBe(false)
  expect((await files.readRange(path, 0, 10)).length).toBe(0)
  await files.remove(path)
})

test('other failures are errors', async () => {
  await expect(files.readText(folder)).rejects.toMatchObject({ code: 'EISDIR' })
})

test('a file is written whole, replaced whole, and leaves nothing beside it', async () => {
  const path = join(folder, 'a')
  await files.writeAtomically(path, 'one')
  await files.writeAtomically(path, Buffer.from('second'), 0o755)
  expect(await files.readText(path)).toBe('second')
  expect(await files.list(folder)).toEqual(['a'])
  expect((await files.facts(path))?.sizeBytes).toBe(6)
  expect(await files.isExecutable(path)).toBe(true)
})

test('what is neither file nor folder stays what it is, and takes the content', async () => {
  const path = join(folder, 'pipe')
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  // Both ends, so that neither side waits for the other.
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  await files.writeAtomically(path, 'poured')
  expect(statSync(path).isFIFO()).toBe(true)
  const buffer = Buffer.alloc(64)
  expect(buffer.toString('utf8', 0, readSync(pipe, buffer))).toBe('poured')
  closeSync(pipe)
  expect(await files.list(folder)).toEqual(['pipe'])
})

test('a link stays one, and what it leads to is replaced', async () => {
  const [target, path] = [join(folder, 'deep', 'target'), join(folder, 'link')]
  mkdirSync(join(folder, 'deep'))
  await files.writeAtomically(target, 'old')
  symlinkSync('deep/target', path)
  await files.writeAtomically(path, 'new')
  expect(lstatSync(path).isSymbolicLink()).toBe(true)
  expect([await files.readText(target), await files.list(join(folder, 'deep'))]).toEqual(['new', ['target']])
})

test('a link that leads to nothing yet leads to the content then', async () => {
  mkdirSync(join(folder, 'a', 'b'), { recursive: true })
  symlinkSync(join('a', 'b'), join(folder, 'folder'))
  // From where the second link is in truth, which its path does not tell.
  symlinkSync(join('folder', 'second'), join(folder, 'first'))
  symlinkSync(join('..', 'target'), join(folder, 'a', 'b', 'second'))
  await files.writeAtomically(join(folder, 'first'), 'content')
  expect(await files.readText(join(folder, 'a', 'target'))).toBe('content')
  expect([await files.list(folder), await files.list(join(folder, 'a', 'b'))]).toEqual([['a', 'first', 'folder'], ['second']])
})

test('links that go round are an error, and stay', async () => {
  symlinkSync('two', join(folder, 'one'))
  symlinkSync('one', join(folder, 'two'))
  await expect(files.writeAtomically(join(folder, 'one'), 'x')).rejects.toMatchObject({ code: 'ELOOP' })
  expect(await files.list(folder)).toEqual(['one', 'two'])
})

test('a folder is not executable, a program made so is', async () => {
  const path = join(folder, 'deep', 'er', 'program')
  await files.makeDirectory(join(folder, 'deep', 'er'))
  await files.writeAtomically(path, 'x')
  expect([await files.isExecutable(folder), await files.isExecutable(path)]).toEqual([false, false])
  await files.rename(path, join(folder, 'p'))
  expect(await files.list(join(folder, 'deep', 'er'))).toEqual([])
})

test('a folder is made with those above it, is no error where it is, and one that a file stands in the way of is', async () => {
  const deep = join(folder, 'a', 'b', 'c')
  for (let times = 0; times < 2; times += 1) await files.makeDirectory(deep)
  expect(statSync(deep).isDirectory()).toBe(true)
  await files.writeAtomically(join(deep, 'file'), 'x')
  await expect(files.makeDirectory(join(deep, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(files.makeDirectory(join(deep, 'file', 'x'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  symlinkSync('none', join(folder, 'link'))
  await expect(files.makeDirectory(join(folder, 'link', 'x'))).rejects.toMatchObject({ code: 'ENOENT' })
});

// Node's own goes round for ever there.
(process.platform === 'linux' ? test : test.skip)('a folder that takes no other, such as /proc, is an error', async () => {
  await expect(files.makeDirectory('/proc/none/deep')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a range ends at the end, and a stream gives everything', async () => {
  const path = join(folder, 'a')
  await files.writeAtomically(path, '0123456789')
  expect(Buffer.from(await files.readRange(path, 7, 100)).toString()).toBe('789')
  const chunks: Uint8Array[] = []
  for await (const chunk of files.stream(path)) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('0123456789')
})

test('a file opened for appending keeps what was there', async () => {
  const path = join(folder, 'log')
  await files.writeAtomically(path, 'old\n')
  const log = await files.openAppend(path)
  expect(log.descriptor).toBeGreaterThan(2)
  await log.close()
  expect(statSync(path).size).toBe(4)
})
