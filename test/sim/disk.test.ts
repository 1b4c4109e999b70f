/** The simulated disk: what survives a kill, what a power loss takes, and the faults. */

import { expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { createProcess, createTimeline } from '../../sim/clock.ts'
import { createDisk } from '../../sim/disk.ts'
import type { File, FileError, FileSystem } from '../../storage/fileSystem.ts'
import { calmDisk } from '../../sim/options.ts'
import type { Disk, DiskOptions } from '../../sim/disk.ts'

const bytes = new TextEncoder().encode('hello')

const setUp = (options: Partial<DiskOptions> = {}): { disk: Disk; mount: () => FileSystem; run: (ms: number) => void } => {
  const timeline = createTimeline()
  const streams = { random: createRandom(7), tears: createRandom(8) }
  const disk = createDisk({ ...calmDisk, syncMsMean: 1, capacityBytes: 1_000_000, ...options }, streams, timeline)
  return { disk, mount: () => disk.mount(createProcess('n1')), run: (ms) => timeline.runUntil(timeline.now() + ms) }
}

const writeFile = (fileSystem: FileSystem, isSynced: boolean, done: (error: FileError | null) => void): void => {
  fileSystem.open('f', 'create', (_, file) => file.writev([bytes], 0, (error) => {
    if (!isSynced || error !== null) done(error)
    else file.datasync((syncError) => fileSystem.syncDirectory('', () => done(syncError)))
  }))
}

const readFile = (fileSystem: FileSystem, done: (text: string) => void): void => {
  fileSystem.open('f', 'read', (error, file: File) => {
    if (error !== null) done(String(error.code))
    else file.read(0, 100, (_, read) => done(new TextDecoder().decode(read)))
  })
}

const contentAfter = (isSynced: boolean, end: (disk: Disk) => void): string => {
  const { disk, mount, run } = setUp()
  writeFile(mount(), isSynced, () => {})
  run(1_000)
  end(disk)
  let content = ''
  readFile(mount(), (text) => { content = text })
  run(1_000)
  return content
}

test('a kill keeps what was written, synced or not', () => {
  expect(contentAfter(false, (disk) => disk.killed())).toBe('hello')
})

test('what a killed process had not synced is lost with the power, in the next life or before it', () => {
  const between = contentAfter(false, (disk) => {
    disk.killed()
    disk.lostPower()
  })
  expect(between).toBe('ENOENT')
  const { disk, mount, run } = setUp()
  let content = ''
  writeFile(mount(), false, () => {})
  run(1_000)
  for (const end of [disk.killed, disk.lostPower]) {
    end()
    readFile(mount(), (text) => { content = `${content} ${text}` })
    run(1_000)
  }
  expect(content).toBe(' hello ENOENT')
})

test('a power loss keeps what was synced', () => {
  expect(contentAfter(true, (disk) => disk.lostPower())).toBe('hello')
})

test('a power loss takes what was not synced', () => {
  expect(contentAfter(false, (disk) => disk.lostPower())).toBe('ENOENT')
})

test('nothing completes while the disk is stalled', () => {
  const { disk, mount, run } = setUp()
  disk.stallUntil(500)
  let isDone = false
  writeFile(mount(), false, () => { isDone = true })
  run(400)
  expect(isDone).toBe(false)
  run(1_000)
  expect(isDone).toBe(true)
})

test('a failing sync fails once', () => {
  const { disk, mount, run } = setUp()
  disk.failNextSync()
  const codes: (string | undefined)[] = []
  const fileSystem = mount()
  writeFile(fileSystem, true, (error) => codes.push(error?.code))
  run(1_000)
  fileSystem.open('f', 'write', (_, file) => file.datasync((error) => codes.push(error?.code)))
  run(1_000)
  expect(codes).toEqual(['EIO', undefined])
})

test('a file of the log that is synced again after a sync of it has failed is told; what another life syncs is not', () => {
  const syncedTwice = (name: string, between: (disk: Disk) => void): string | null => {
    const { disk, mount, run } = setUp()
    const sync = (): void => {
      mount().open(name, 'write', (_, file) => file.datasync(() => {}))
      run(1_000)
    }
    mount().open(name, 'create', () => {})
    run(1_000)
    disk.failNextSync()
    sync()
    expect(disk.triedAgain()).toBe(null)
    between(disk)
    sync()
    return disk.triedAgain()
  }
  expect(syncedTwice('1.wal', () => {})).toBe('1.wal')
  expect(syncedTwice('1.wal', (disk) => disk.killed())).toBe(null)
  expect(syncedTwice('1.snap', () => {})).toBe(null)
})

test('a full disk refuses until there is room', () => {
  const { disk, mount, run } = setUp()
  const fileSystem = mount()
  disk.fill(0)
  const codes: (string | undefined)[] = []
  writeFile(fileSystem, false, (error) => codes.push(error?.code))
  run(1_000)
  disk.makeRoom()
  fileSystem.open('f', 'write', (_, file) => file.writev([bytes], 0, (error) => codes.push(error?.code)))
  run(1_000)
  expect(codes).toEqual(['ENOSPC', undefined])
})

test('a process that is gone never hears from its disk', () => {
  const { disk, mount, run } = setUp()
  let isDone = false
  writeFile(mount(), false, () => { isDone = true })
  disk.killed()
  run(1_000)
  expect(isDone).toBe(false)
})

test('an old copy can be put back', () => {
  const { disk, mount, run } = setUp()
  const empty = disk.copy()
  writeFile(mount(), true, () => {})
  run(1_000)
  disk.killed()
  disk.restore(empty)
  let content = ''
  readFile(mount(), (text) => { content = text })
  run(1_000)
  expect(content).toBe('ENOENT')
})

test('a flipped bit stays out of the end of the newest segment, which nothing proves to be synced', () => {
  const { disk, mount, run } = setUp()
  const fileSystem = mount()
  for (const [name, size] of [['1.wal', 100], ['2.wal', 100], ['3.snap', 50]] as const) {
    fileSystem.open(name, 'create', (_, file) => file.writev([new Uint8Array(size).fill(1)], 0, () => {}))
  }
  run(1_000)
  disk.killed()
  for (let i = 0; i < 20; i += 1) {
    expect(disk.flipBit('log')).toMatch(/^1\.wal at/)
    expect(disk.flipBit('snapshot')).toMatch(/^3\.snap at/)
  }
})

test('a zeroed sector is 512 bytes of zeros, and a misdirected write a sector that holds what another was to hold', () => {
  const { disk, mount, run } = setUp()
  const numbered = Uint8Array.from({ length: 4 * 512 }, (_, i) => 1 + Math.floor(i / 512))
  mount().open('1.snap', 'create', (_, file) => file.writev([numbered], 0, () => {}))
  run(1_000)
  disk.killed()
  const sectors = (): string => [0, 1, 2, 3].map((at) => disk.copy().files.get('1.snap')?.[at * 512 + 100]).join('')
  expect(disk.zeroSector('snapshot')).toMatch(/^1\.snap at (?:0|512|1024|1536)$/)
  const zeroed = sectors()
  expect(zeroed.replace('0', '')).toHaveLength(3)
  for (let tries = 0; sectors() === zeroed && tries < 20; tries += 1) disk.misdirectWrite('snapshot')
  expect(new Set(sectors()).size).toBeLessThan(4)
  expect(sectors()).not.toBe(zeroed)
})

/** What is left of one synced page of ones over which a page of twos was written, by sector, after power losses. */
const tornPages = (options: Partial<DiskOptions>, end: (disk: Disk) => void): Set<string> => {
  const seen = new Set<string>()
  const { disk, mount, run } = setUp(options)
  const page = (fill: number): Uint8Array => new Uint8Array(4_096).fill(fill)
  for (let i = 0; i < 60; i += 1) {
    const fileSystem = mount()
    fileSystem.open(`${i}.wal`, 'create', (_, file) => file.writev([page(1)], 0, () => file.datasync(() => {
      fileSystem.syncDirectory('', () => file.writev([page(2)], 0, () => {}))
    })))
    run(1_000)
    end(disk)
    const left = disk.copy().files.get(`${i}.wal`)
    seen.add(Array.from({ length: 8 }, (_, sector) => left?.[sector * 512]).join(''))
  }
  return seen
}

test('a power loss that tears leaves any sectors of a page, and pages alone where the disk writes those whole', () => {
  const torn = tornPages({}, (disk) => disk.tornPower())
  expect(torn.size).toBeGreaterThan(10)
  expect([...torn].some((text) => /21+2/.test(text))).toBe(true)
  expect([...tornPages({ sectorBytes: 4_096 }, (disk) => disk.tornPower())].sort()).toEqual(['11111111', '22222222'])
})

test('the share of power losses that tear is drawn', () => {
  expect(tornPages({ torn: 1 }, (disk) => disk.lostPower()).size).toBeGreaterThan(10)
  expect([...tornPages({ torn: 0 }, (disk) => disk.lostPower())]).toEqual(['11111111'])
})

test('a write of so many bytes to the log is told once, before it is synced', () => {
  const { disk, mount, run } = setUp()
  const told: string[] = []
  const fileSystem = mount()
  disk.onceWritten(4, () => told.push('written'))
  const write = (name: string, text: string): void => {
    fileSystem.open(name, 'create', (_, file) => file.writev([new TextEncoder().encode(text)], 0, () => told.push(text)))
    run(1_000)
  }
  write('1.snap', 'large')
  write('1.wal', 'abc')
  write('2.wal', 'abcd')
  write('3.wal', 'abcde')
  expect(told).toEqual(['large', 'abc', 'written', 'abcd', 'abcde'])
})

test('a zeroed tail keeps its length, and spares the newest segment', () => {
  const { disk, mount, run } = setUp()
  const fileSystem = mount()
  for (const name of ['1.wal', '2.wal', '3.snap']) {
    fileSystem.open(name, 'create', (_, file) => file.writev([new Uint8Array(100).fill(1)], 0, () => {}))
  }
  run(1_000)
  disk.killed()
  expect(disk.zeroTail('log')).toMatch(/^1\.wal at/)
  expect(disk.zeroTail('snapshot')).toMatch(/^3\.snap at/)
  const files = ['1.wal', '2.wal', '3.snap'].map((name) => [...disk.copy().files.get(name) ?? []].join(''))
  expect(files).toEqual([expect.stringMatching(/^1*0+$/), '1'.repeat(100), expect.stringMatching(/^1*0+$/)])
  expect(files.map(({ length }) => length)).toEqual([100, 100, 100])
})

test('a lost file is gone for good, whatever the cache had of its name', () => {
  const { disk, mount, run } = setUp()
  const fileSystem = mount()
  expect(disk.lose('map')).toBe(null)
  fileSystem.open('map.bin.tmp', 'create', (_, file) => file.writev([bytes], 0, () => file.datasync(() => {
    fileSystem.rename('map.bin.tmp', 'map.bin', () => {})
  })))
  run(1_000)
  disk.killed()
  expect(disk.lose('map')).toBe('map.bin')
  expect([...disk.copy().files.keys()]).toEqual([])
  disk.lostPower()
  expect([...disk.copy().files.keys()]).toEqual([])
})

test('a lost disk holds nothing', () => {
  const { disk, mount, run } = setUp()
  writeFile(mount(), true, () => {})
  run(1_000)
  disk.killed()
  disk.wiped()
  expect([...disk.copy().files.keys()]).toEqual([])
})

/** Writes `text` to the file in one call, and returns what was told, in order. */
const writtenSynced = (end: (disk: Disk, told: string[]) => void): { readonly told: string[]; readonly left: string } => {
  const { disk, mount, run } = setUp({ hasSyncedWrites: true })
  const told: string[] = []
  const fileSystem = mount()
  fileSystem.open('1.wal', 'create', (_, file) => fileSystem.syncDirectory('', () => {
    end(disk, told)
    file.writeSynced?.([bytes], 0, (failure) => told.push(failure === null ? 'done' : `${failure.isSync ? 'sync' : 'write'} failed`))
  }))
  run(10_000)
  disk.lostPower()
  return { told, left: new TextDecoder().decode(disk.copy().files.get('1.wal')) }
}

test('a write that syncs fails as a sync does, and is told like any other write to the log', () => {
  expect(writtenSynced(() => {})).toEqual({ told: ['done'], left: 'hello' })
  expect(writtenSynced((disk) => disk.failNextSync())).toEqual({ told: ['sync failed'], left: '' })
  const watched = writtenSynced((disk, told) => disk.onceWritten(5, () => told.push('written')))
  expect(watched).toEqual({ told: ['written', 'done'], left: 'hello' })
})
