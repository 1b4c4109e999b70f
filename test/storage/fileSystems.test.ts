/** One contract for both file systems; then what only the forgetful one does. */

import { afterAll, describe, expect, test } from '@jest/globals'
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '../../actors/kernel/random.ts'
import type { Done, File, FileError, FileSystem } from '../../storage/fileSystem.ts'
import { createMemoryFileSystem } from '../../storage/memoryFileSystem.ts'
import { PAGE_BYTES, SECTOR_BYTES } from '../../storage/memoryInode.ts'
import type { DiskFault, MemoryFileSystem, MemoryFileSystemOptions } from '../../storage/memoryFileSystem.ts'
import { createNodeFileSystem } from '../../storage/nodeFileSystem.ts'
import type { WriteFailure } from '../../storage/fileSystem.ts'

const directories: string[] = []
afterAll(() => { for (const directory of directories) rmSync(directory, { recursive: true, force: true }) })

const temporary = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'shardkv-fs-'))
  directories.push(directory)
  return join(directory, 'deep', 'data')
}

const memory = (options: Partial<MemoryFileSystemOptions> = {}): MemoryFileSystem =>
  createMemoryFileSystem({ schedule: (fn) => { setImmediate(fn) }, ...options })

interface Answer<T> { readonly error: FileError | null; readonly result: T }

const ask = <T>(call: (done: Done<T>) => void): Promise<Answer<T>> => new Promise((resolve) => {
  let hasReturned = false
  call((error, result) => {
    expect(hasReturned).toBe(true)
    resolve({ error, result })
  })
  hasReturned = true
})

const openFile = async (system: FileSystem, path: string, mode: 'read' | 'write' | 'create'): Promise<File> => {
  const { error, result } = await ask<File>((done) => system.open(path, mode, done))
  expect(error).toBeNull()
  return result
}
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
interface Synced { readonly failure: WriteFailure | null; readonly count: number }

const writeSynced = (file: File, position: number, ...buffers: readonly Uint8Array[]): Promise<Synced> => new Promise((resolve) => {
  file.writeSynced?.(buffers, position, (failure, count) => resolve({ failure, count }))
})
const codeOf = ({ error }: Answer<unknown>): string | undefined => error?.code

describe.each([
  ['the node file system', (): FileSystem => createNodeFileSystem(temporary())],
  ['the memory file system', (): FileSystem => memory()],
])('%s', (_, create) => {
  test('writes several buffers in order, reads them back, and reads short at the end', async () => {
    const system = create()
    await ask((done) => system.makeDirectory('a/b', done))
    const file = await openFile(system, 'a/b/f', 'create')
    expect((await ask<number>((done) => file.writev([text('hello '), text('world')], 0, done))).result).toBe(11)
    expect((await ask<number>((done) => file.writev([text('W')], 6, done))).result).toBe(1)
    expect((await ask<Uint8Array>((done) => file.read(3, 100, done))).result).toEqual(text('lo World'))
    expect((await ask<Uint8Array>((done) => file.read(50, 10, done))).result.length).toBe(0)
    expect((await ask<number>((done) => file.size(done))).result).toBe(11)
    for (const call of [file.datasync, file.close]) expect((await ask(call)).error).toBeNull()
    const again = await openFile(system, 'a/b/f', 'write')
    expect((await ask<Uint8Array>((done) => again.read(0, 5, done))).result).toEqual(text('hello'))
    expect((await ask((done) => again.truncate(2, done))).error).toBeNull()
    expect((await ask<number>((done) => again.size(done))).result).toBe(2)
    await ask(again.close)
  })

  test('writes past the end with zeros between', async () => {
    const system = create()
    await ask((done) => system.makeDirectory('', done))
    const file = await openFile(system, 'f', 'create')
    await ask<number>((done) => file.writev([text('x')], 3, done))
    expect((await ask<Uint8Array>((done) => file.read(0, 9, done))).result).toEqual(Uint8Array.of(0, 0, 0, 120))
    await ask(file.close)
  })

  test('lists, renames over, removes, and syncs directories', async () => {
    const system = create()
    expect(codeOf(await ask((done) => system.list('d', done)))).toBe('ENOENT')
    await ask((done) => system.makeDirectory('d', done))
    expect((await ask((done) => system.makeDirectory('d', done))).error).toBeNull()
    for (const name of ['b', 'a', 'c']) await ask((await openFile(system, `d/${name}`, 'create')).close)
    expect((await ask((done) => system.rename('d/a', 'd/c', done))).error).toBeNull()
    expect((await ask((done) => system.remove('d/b', done))).error).toBeNull()
    expect((await ask((done) => system.syncDirectory('d', done))).error).toBeNull()
    expect((await ask((done) => system.list('d', done))).result).toEqual(['c'])
    expect((await ask((done) => system.list('', done))).result).toEqual(['d'])
  })

  test('tells how much room there is', async () => {
    const system = create()
    await ask((done) => system.makeDirectory('a', done))
    const { error, result } = await ask<number>((done) => system.freeBytes('a', done))
    expect(error).toBeNull()
    expect(result).toBeGreaterThan(0)
  })

  test('answers with codes: EEXIST, ENOENT', async () => {
    const system = create()
    await ask((done) => system.makeDirectory('d', done))
    await ask((await openFile(system, 'd/f', 'create')).close)
    expect(codeOf(await ask((done) => system.open('d/f', 'create', done)))).toBe('EEXIST')
    for (const mode of ['read', 'write'] as const) expect(codeOf(await ask((done) => system.open('d/x', mode, done)))).toBe('ENOENT')
    expect(codeOf(await ask((done) => system.open('nowhere/f', 'create', done)))).toBe('ENOENT')
    expect(codeOf(await ask((done) => system.remove('d/x', done)))).toBe('ENOENT')
    expect(codeOf(await ask((done) => system.rename('d/x', 'd/y', done)))).toBe('ENOENT')
  })

  test('does not write through a file opened for reading', async () => {
    const system = create()
    await ask((done) => system.makeDirectory('', done))
    await ask((await openFile(system, 'f', 'create')).close)
    const file = await openFile(system, 'f', 'read')
    expect(codeOf(await ask<number>((done) => file.writev([text('x')], 0, done)))).toBe('EBADF')
    expect((await ask((done) => file.truncate(0, done))).error).not.toBeNull()
    await ask(file.close)
  })
})

test('the node file system refuses every path that leaves the data directory', async () => {
  const system = createNodeFileSystem(temporary())
  for (const path of ['../x', 'a/../../x', '/etc/passwd', 'a/..']) {
    expect(codeOf(await ask((done) => system.open(path, 'read', done)))).toBe('EINVAL')
    expect(codeOf(await ask((done) => system.list(path, done)))).toBe('EINVAL')
    for (const call of [system.makeDirectory, system.remove, system.syncDirectory]) {
      expect(codeOf(await ask((done) => call(path, done)))).toBe('EINVAL')
    }
    expect(codeOf(await ask((done) => system.rename(path, 'b', done)))).toBe('EINVAL')
    expect(codeOf(await ask((done) => system.rename('b', path, done)))).toBe('EINVAL')
  }
})

test('the node file system passes on what the kernel says', async () => {
  const system = createNodeFileSystem(temporary())
  await ask((done) => system.makeDirectory('', done))
  const file = await openFile(system, 'f', 'create')
  await ask(file.close)
  expect(codeOf(await ask<Uint8Array>((done) => file.read(0, 1, done)))).toBe('EBADF')
  expect(codeOf(await ask<number>((done) => file.size(done)))).toBe('EBADF')
  for (const call of [file.datasync, file.close]) expect(codeOf(await ask(call))).toBe('EBADF')
  expect(codeOf(await ask((done) => system.syncDirectory('missing', done)))).toBe('ENOENT')
  expect(codeOf(await ask((done) => system.makeDirectory('f/below', done)))).toBe('ENOTDIR')
})

test('the node file system makes folders that nobody else may enter, and leaves those that are there', async () => {
  const above = mkdtempSync(join(tmpdir(), 'shardkv-fs-'))
  directories.push(above)
  chmodSync(above, 0o755)
  const system = createNodeFileSystem(join(above, 'data'))
  await ask((done) => system.makeDirectory('wal', done))
  const modes = ['', 'data', 'data/wal'].map((path) => statSync(join(above, path)).mode & 0o777)
  expect(modes).toEqual([0o755, 0o700, 0o700])
})

test('the node file system makes no folder below a link that leads nowhere, and says so', async () => {
  const above = mkdtempSync(join(tmpdir(), 'shardkv-fs-'))
  directories.push(above)
  symlinkSync(join(above, 'gone'), join(above, 'link'))
  const system = createNodeFileSystem(join(above, 'link', 'data'))
  expect(codeOf(await ask((done) => system.makeDirectory('', done)))).toBe('ENOENT')
})

describe('a disk that forgets', () => {
  const crash = (system: MemoryFileSystem, keep: number, seed = 1): ReadonlyMap<string, Uint8Array> =>
    system.crash({ random: createRandom(seed), keep }).files
  const written = async (options: Partial<MemoryFileSystemOptions> = {}): Promise<{ system: MemoryFileSystem; file: File }> => {
    const system = memory(options)
    const file = await openFile(system, 'f', 'create')
    await ask((done) => system.syncDirectory('', done))
    await ask<number>((done) => file.writev([new Uint8Array(8_192).fill(1)], 0, done))
    await ask(file.datasync)
    return { system, file }
  }

  test('keeps what was synced, and loses or keeps the rest', async () => {
    for (const keep of [0, 1]) {
      const { system, file } = await written()
      await ask<number>((done) => file.writev([new Uint8Array(8_192).fill(2)], 4_096, done))
      const bytes = crash(system, keep).get('f')
      expect([bytes?.length, bytes?.[0], bytes?.[4_096], bytes?.at(-1)]).toEqual(keep === 0 ? [8_192, 1, 1, 1] : [12_288, 1, 2, 2])
    }
  })

  test('tears pages: of one, any sectors are the new ones, each of one kind throughout', async () => {
    const sectors = Array.from({ length: 8 }, (_, at) => at * SECTOR_BYTES)
    const seen = new Set<string>()
    for (let seed = 1; seed < 400; seed += 1) {
      const { system, file } = await written()
      await ask<number>((done) => file.writev([new Uint8Array(PAGE_BYTES).fill(2)], 0, done))
      const bytes = crash(system, 0.5, seed).get('f')
      for (const at of sectors) expect(new Set(bytes?.subarray(at, at + SECTOR_BYTES)).size).toBe(1)
      seen.add(sectors.map((at) => bytes?.[at]).join(''))
    }
    expect(seen.size).toBeGreaterThan(50)
    expect(seen).toContain('11111111')
    expect(seen).toContain('22222222')
    for (const pattern of [/^2+1+$/, /^1+2+$/, /21+2/]) expect([...seen].some((text) => pattern.test(text))).toBe(true)
  })

  test('forgets names that were not synced, whatever was synced of their bytes', async () => {
    const system = memory()
    const file = await openFile(system, 'f', 'create')
    await ask<number>((done) => file.writev([text('x')], 0, done))
    await ask(file.datasync)
    expect([...crash(system, 0).keys()]).toEqual([])
  })

  test('loses or keeps an unsynced rename and an unsynced removal', async () => {
    for (const [keep, names] of [[0, ['f']], [1, ['h']]] as const) {
      const { system } = await written()
      await ask((done) => system.rename('f', 'g', done))
      await ask((done) => system.rename('g', 'h', done))
      expect([...crash(system, keep).keys()]).toEqual(names)
    }
    const { system } = await written()
    await ask((done) => system.remove('f', done))
    expect([...crash(system, 0).keys()]).toEqual(['f'])
  })

  test('an unsynced truncation may be lost', async () => {
    for (const [keep, length] of [[0, 8_192], [1, 100]] as const) {
      const { system, file } = await written()
      await ask((done) => file.truncate(100, done))
      expect(crash(system, keep).get('f')?.length).toBe(length)
    }
    const { system, file } = await written()
    await ask((done) => file.truncate(100, done))
    await ask(file.datasync)
    expect(crash(system, 0).get('f')?.length).toBe(100)
  })

  test('a sync covers only what was written before it began', async () => {
    const { system, file } = await written()
    let isDone = false
    file.datasync(() => { isDone = true })
    await ask<number>((done) => file.writev([text('late')], 0, done))
    expect(isDone).toBe(true)
    expect(crash(system, 0).get('f')?.[0]).toBe(1)
  })

  test('starts from an image, and shows the one a reader sees', async () => {
    const { system } = await written()
    const again = memory({ image: system.image() })
    const file = await openFile(again, 'f', 'read')
    expect((await ask<number>((done) => file.size(done))).result).toBe(8_192)
  })

  test('writes short at its capacity, then ENOSPC, and has room again', async () => {
    const { system, file } = await written({ capacityBytes: 10_000 })
    const write = (): Promise<Answer<number>> => ask<number>((done) => file.writev([new Uint8Array(4_096)], 8_192, done))
    expect((await write()).result).toBe(1_808)
    expect(system.usedBytes()).toBe(10_000)
    expect((await ask<number>((done) => system.freeBytes('', done))).result).toBe(0)
    expect(codeOf(await ask<number>((done) => file.writev([text('x')], 10_000, done)))).toBe('ENOSPC')
    system.setCapacity(20_000)
    expect((await write()).result).toBe(4_096)
  })

  test('fails any call as asked, and a hung call never answers', async () => {
    const faults: (DiskFault | undefined)[] = [{ kind: 'error', code: 'EIO' }, { kind: 'short', bytes: 2 }, { kind: 'hang' }]
    let calls: string[] = []
    const { file } = await written({ fault: ({ operation, bytes }) => {
      calls.push(`${operation} ${bytes}`)
      return calls.length > 4 ? faults.shift() : undefined
    } })
    expect(calls).toEqual(['open 0', 'syncDirectory 0', 'writev 8192', 'datasync 0'])
    expect(codeOf(await ask(file.datasync))).toBe('EIO')
    expect((await ask<number>((done) => file.writev([text('abc')], 0, done))).result).toBe(2)
    let isAnswered = false
    file.size(() => { isAnswered = true })
    await ask(file.datasync)
    calls = []
    expect(isAnswered).toBe(false)
  })

  test('a failed sync marks its pages clean: the next one succeeds and writes nothing, until they are written again', async () => {
    let isFailing = false
    for (const [isWrittenAgain, keep, found] of [[false, 0, 1], [false, 1, 2], [true, 0, 2]] as const) {
      const { system, file } = await written({
        fault: ({ operation }) => (isFailing && operation === 'datasync' ? { kind: 'error', code: 'EIO' } : undefined),
      })
      await ask<number>((done) => file.writev([new Uint8Array(4_096).fill(2)], 4_096, done))
      isFailing = true
      expect(codeOf(await ask(file.datasync))).toBe('EIO')
      isFailing = false
      if (isWrittenAgain) await ask<number>((done) => file.writev([new Uint8Array(1).fill(2)], 4_096, done))
      expect((await ask(file.datasync)).error).toBeNull()
      expect((await ask<Uint8Array>((done) => file.read(8_191, 1, done))).result).toEqual(Uint8Array.of(2))
      expect(crash(system, keep).get('f')?.[8_191]).toBe(found)
    }
  })

  describe('and writes and syncs in one call', () => {
    const synced = (options: Partial<MemoryFileSystemOptions> = {}): Promise<{ system: MemoryFileSystem; file: File }> =>
      written({ hasSyncedWrites: true, ...options })
    const failing = async (code: string): Promise<{ system: MemoryFileSystem; file: File; mend: () => void }> => {
      let isFailing = true
      const disk = await synced({
        fault: ({ operation }) => (isFailing && operation === 'writeSynced' ? { kind: 'error', code } : undefined),
      })
      return { ...disk, mend: () => { isFailing = false } }
    }
    const found = (system: MemoryFileSystem, keep: number, places: readonly number[]): (number | undefined)[] => {
      const bytes = crash(system, keep).get('f')
      return places.map((at) => bytes?.[at])
    }

    test('has no such call unless it is asked for', async () => {
      expect((await written()).file.writeSynced).toBeUndefined()
    })

    test('makes durable what it wrote, and nothing beside it', async () => {
      for (const keep of [0, 1]) {
        const { system, file } = await synced()
        await ask<number>((done) => file.writev([new Uint8Array(PAGE_BYTES).fill(2)], 0, done))
        expect(await writeSynced(file, 200, Uint8Array.of(3, 3), Uint8Array.of(4))).toEqual({ failure: null, count: 3 })
        expect(found(system, keep, [199, 200, 201, 202, 203])).toEqual(keep === 0 ? [1, 3, 3, 4, 1] : [2, 3, 3, 4, 2])
      }
    })

    test('makes the file as long as it has to be, with zeros before it', async () => {
      const { system, file } = await synced()
      await ask<number>((done) => file.writev([new Uint8Array(100).fill(2)], 8_192, done))
      await ask<number>((done) => file.writev([new Uint8Array(100).fill(2)], 9_000, done))
      await writeSynced(file, 8_500, text('x'))
      const bytes = crash(system, 0).get('f')
      expect([bytes?.length, bytes?.[8_191], bytes?.[8_192], bytes?.[8_500]]).toEqual([8_501, 1, 0, 120])
    })

    test('leaves nothing unsynced in a page that it wrote whole', async () => {
      const { system, file } = await synced()
      await ask<number>((done) => file.writev([new Uint8Array(PAGE_BYTES).fill(2)], 0, done))
      await writeSynced(file, 0, new Uint8Array(PAGE_BYTES).fill(3))
      let draws = 0
      system.crash({ keep: 0.5, random: { uint32: () => { draws += 1; return 0 } } })
      expect(draws).toBe(1)
    })

    test('counts when it answers: a process that was killed before knows nothing', async () => {
      for (const isKilled of [false, true]) {
        const { system, file } = await synced()
        const answer = writeSynced(file, 0, new Uint8Array(PAGE_BYTES).fill(2))
        if (!isKilled) await answer
        const cache = system.kill()
        const again = memory({ cache })
        expect([again.image().files.get('f')?.[0], found(again, 0, [0])]).toEqual([2, [isKilled ? 1 : 2]])
      }
    })

    test('written short, what it counts is durable', async () => {
      const { system, file } = await synced({
        fault: ({ operation }) => (operation === 'writeSynced' ? { kind: 'short', bytes: 2 } : undefined),
      })
      expect(await writeSynced(file, 0, Uint8Array.of(2, 2, 2))).toEqual({ failure: null, count: 2 })
      expect(found(system, 0, [0, 1, 2])).toEqual([2, 2, 1])
    })

    test('a failure is a failed sync: its bytes are read on, and no later sync writes them', async () => {
      for (const [keep, left] of [[0, 1], [1, 2]] as const) {
        const { system, file, mend } = await failing('EIO')
        const { failure } = await writeSynced(file, 0, new Uint8Array(PAGE_BYTES).fill(2))
        expect(failure).toMatchObject({ isSync: true, error: { code: 'EIO' } })
        mend()
        expect((await ask(file.datasync)).error).toBeNull()
        await writeSynced(file, PAGE_BYTES, text('elsewhere'))
        expect((await ask<Uint8Array>((done) => file.read(0, 1, done))).result).toEqual(Uint8Array.of(2))
        expect(found(system, keep, [0])).toEqual([left])
      }
    })

    test('a lack of space that a sync met is none of a failed sync: all of it may be written again, and counts then', async () => {
      for (const isWrittenAgain of [false, true]) {
        const { system, file, mend } = await failing('ENOSPC')
        const write = (): Promise<Synced> => writeSynced(file, 0, new Uint8Array(PAGE_BYTES).fill(2))
        expect((await write()).failure).toMatchObject({ isSync: false, error: { code: 'ENOSPC' } })
        mend()
        if (isWrittenAgain) expect(await write()).toEqual({ failure: null, count: PAGE_BYTES })
        else expect((await ask(file.datasync)).error).toBeNull()
        expect(found(system, 0, [0])).toEqual([isWrittenAgain ? 2 : 1])
      }
    })

    test('without room nothing is written, and of a closed file neither', async () => {
      const { system, file } = await synced({ capacityBytes: 8_192 })
      expect((await writeSynced(file, 8_192, text('x'))).failure).toMatchObject({ isSync: false, error: { code: 'ENOSPC' } })
      await ask(file.close)
      expect((await writeSynced(file, 0, text('x'))).failure).toMatchObject({ isSync: true, error: { code: 'EBADF' } })
      expect([system.usedBytes(), found(system, 1, [0])]).toEqual([8_192, [1]])
    })

    test('a call that hangs has written nothing, and never answers', async () => {
      const { system, file } = await synced({ fault: ({ operation }) => (operation === 'writeSynced' ? { kind: 'hang' } : undefined) })
      let isAnswered = false
      file.writeSynced?.([text('x')], 0, () => { isAnswered = true })
      await ask(file.datasync)
      expect([isAnswered, system.image().files.get('f')?.[0]]).toEqual([false, 1])
    })
  })

  test('a process that is killed leaves its cache to the next: what is synced then is kept, the rest is lost with the power', async () => {
    for (const isSynced of [false, true]) {
      const { system, file } = await written()
      await ask<number>((done) => file.writev([new Uint8Array(4_096).fill(2)], 0, done))
      await ask((done) => system.rename('f', 'g', done))
      let answers = 0
      file.datasync(() => { answers += 1 })
      const again = memory({ cache: system.kill() })
      const seen = await openFile(again, 'g', 'write')
      expect((await ask<Uint8Array>((done) => seen.read(0, 1, done))).result).toEqual(Uint8Array.of(2))
      if (isSynced) for (const call of [seen.datasync, (done: Done) => again.syncDirectory('', done)]) await ask(call)
      expect(answers).toBe(0)
      expect([...crash(again, 0)].map(([name, bytes]) => [name, bytes[0]])).toEqual(isSynced ? [['g', 2]] : [['f', 1]])
    }
  })

  test('refuses a closed file, as the kernel does, and does what was asked before', async () => {
    const { file } = await written()
    const read = ask<Uint8Array>((done) => file.read(0, 1, done))
    expect((await ask(file.close)).error).toBeNull()
    expect((await read).result.length).toBe(1)
    const calls: ((done: Done<never>) => void)[] = [
      (done) => file.read(0, 1, done as Done<Uint8Array>), (done) => file.writev([text('x')], 0, done as Done<number>),
      (done) => file.truncate(0, done as Done), (done) => file.size(done as Done<number>), (done) => file.datasync(done as Done),
      (done) => file.close(done as Done),
    ]
    for (const call of calls) expect(codeOf(await ask(call))).toBe('EBADF')
  })

  test('answers nothing after a crash, and corrupts on demand', async () => {
    const { system, file } = await written()
    system.corrupt('f', (bytes) => { bytes[7] = 99 })
    expect((await ask<Uint8Array>((done) => file.read(7, 1, done))).result[0]).toBe(99)
    let answers = 0
    file.datasync(() => { answers += 1 })
    expect(crash(system, 0).get('f')?.[7]).toBe(99)
    file.datasync(() => { answers += 1 })
    await new Promise((resolve) => { setImmediate(resolve) })
    expect(answers).toBe(0)
  })
})
