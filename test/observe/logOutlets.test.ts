/** A rolled file (pino-roll's, the real one) whose disk is full for a while: nothing is lost, nothing written twice, and it rolls on. */

import fs, { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, jest, test } from '@jest/globals'
import { createLogWriter } from '../../observe/logWriter.ts'
import { rolledOutlet } from '../../observe/logOutlets.ts'
import { until } from '../support/until.ts'
import type { LogWriter } from '../../observe/logWriter.ts'
import type { RolledFile } from '../../observe/logOutlets.ts'

const folders: string[] = []
afterEach(() => {
  jest.restoreAllMocks()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })

const open = async (options: object) => {
  const folder = mkdtempSync(join(tmpdir(), 'shardkv-rolled-'))
  folders.push(folder)
  const name = 'pino-roll'
  const { default: roll } = await import(name) as { default: (options: object) => Promise<RolledFile> }
  const file = await roll({ ...options, file: join(folder, 'n1.log'), minLength: 0 })
  await new Promise<void>((resolve) => { file.once('ready', resolve) })
  const [troubles, told, recoveries]: [string[], string[], number[]] = [[], [], []]
  const writer = createLogWriter({
    target: 'roll', outlet: rolledOutlet(file, ({ message }) => troubles.push(message)), tell: (text) => told.push(text),
    onRecovered: (lost) => recoveries.push(lost),
  })
  const files = (): readonly string[] => readdirSync(folder).toSorted()
  return {
    writer, troubles, told, recoveries, files,
    numbers: () => files().flatMap((each) => readFileSync(join(folder, each), 'utf8').split('\n').filter(Boolean)).map(Number),
    close: () => new Promise<void>((resolve) => { writer.end(resolve) }),
  }
}

/** Of the library, which calls it by this name. */
const failWrites = (times: number): void => {
  const { write } = fs
  let left = times
  jest.spyOn(fs, 'write').mockImplementation((...args: Parameters<typeof fs.write>) => {
    const done = args.at(-1)
    if (left <= 0 || typeof done !== 'function') {
      write(...args)
      return
    }
    left -= 1
    setImmediate(() => { Reflect.apply(done, null, [full]) })
  })
}

/** As the process's log does it, four times a second. */
const untilFlushed = (writer: LogWriter, isMet: () => boolean, what: string): Promise<void> => until(() => {
  writer.flush()
  return isMet()
}, what)

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

test('a file that is full is tried again until it takes what was kept, once and in order', async () => {
  const { writer, told, numbers, close, recoveries } = await open({})
  failWrites(2)
  for (let i = 0; i < 50; i += 1) writer.write(`${i}\n`)
  writer.flush()
  await until(() => told.length > 0, 'the trouble is told')
  for (let i = 50; i < 100; i += 1) writer.write(`${i}\n`)
  await untilFlushed(writer, () => told.length === 2, 'its end is told')
  await close()
  expect(numbers()).toEqual(upTo(100))
  expect([writer.lost(), recoveries, told[0]]).toEqual([0, [], expect.stringContaining('ENOSPC')])
})

test('a file that can not be opened when it is time to roll is no end of the log', async () => {
  const { writer, numbers, close, files } = await open({ size: '1k' })
  const { open: really } = fs
  let failures = 0
  jest.spyOn(fs, 'open').mockImplementation((...args: Parameters<typeof fs.open>) => {
    const done = args.at(-1)
    if (failures > 0 || typeof done !== 'function') {
      really(...args)
      return
    }
    failures += 1
    setImmediate(() => { Reflect.apply(done, null, [full]) })
  })
  const batch = 400
  for (let count = 0; files().length < 3; count += batch) {
    for (let i = 0; i < batch; i += 1) writer.write(`${count + i}\n`)
    await untilFlushed(writer, () => numbers().length === count + batch, 'the batch is written')
    expect(count).toBeLessThan(100 * batch)
  }
  const written = numbers().length
  await close()
  expect([failures, writer.lost()]).toEqual([1, 0])
  expect(numbers().toSorted((a, b) => a - b)).toEqual(upTo(written))
})

test('a file that stays full is given up when the process ends', async () => {
  const { writer, close, numbers } = await open({})
  failWrites(1_000)
  for (let i = 0; i < 10; i += 1) writer.write(`${i}\n`)
  writer.flush()
  await close()
  expect([numbers(), writer.lost()]).toEqual([[], 10])
})
