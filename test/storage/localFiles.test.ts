/** The plain-files port on a real disk. */

import { mkdtempSync, rmSync, statSync } from 'node:fs'
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

test('a folder is not executable, a program made so is', async () => {
  const path = join(folder, 'deep', 'er', 'program')
  await files.makeDirectory(join(folder, 'deep', 'er'))
  await files.writeAtomically(path, 'x')
  expect([await files.isExecutable(folder), await files.isExecutable(path)]).toEqual([false, false])
  await files.rename(path, join(folder, 'p'))
  expect(await files.list(join(folder, 'deep', 'er'))).toEqual([])
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
