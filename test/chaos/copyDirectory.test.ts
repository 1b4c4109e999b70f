/** A directory whose node deletes files while it is copied. */

import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyDirectory } from '../../chaos/ground/copyDirectory.ts'

let root: string
let from: string
let to: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'shardkv-copy-test-'))
  from = join(root, 'from')
  to = join(root, 'to')
  mkdirSync(join(from, 'wal'), { recursive: true })
  mkdirSync(to)
  for (const name of ['map.bin', 'node.sock', 'wal/1.log', 'wal/2.log']) writeFileSync(join(from, name), name)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const filesIn = (path: string): string[] => readdirSync(path, { recursive: true }).map(String).toSorted()

test('everything but the lock is copied', () => {
  copyDirectory(from, to)
  expect(filesIn(to)).toEqual(['map.bin', 'wal', 'wal/1.log', 'wal/2.log'])
})

test('it begins again when a file vanishes, and keeps nothing of the first try', () => {
  let tries = 0
  const copy: typeof cpSync = (source, target, options) => {
    tries += 1
    cpSync(source, target, options)
    if (tries > 1) return
    rmSync(join(from, 'wal/1.log'))
    // A real one, as the file system gives it.
    cpSync(join(from, 'wal/1.log'), join(to, 'wal/1.log'))
  }
  copyDirectory(from, to, copy)
  expect(tries).toBe(2)
  expect(filesIn(to)).toEqual(['map.bin', 'wal', 'wal/2.log'])
})

test('what is not there at all is an error', () => {
  expect(() => copyDirectory(join(root, 'nowhere'), to)).toThrow(/ENOENT/)
})
