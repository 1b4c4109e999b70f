/**
 * One node's disk across all lives of the node: latency, stalls, a failing sync, a full disk, and crashes that
 * forget what was not synced.
 *
 * The bytes live in a memory file system (storage/memoryFileSystem.ts), one per life of the process; between
 * lives there are its names, cache and platter apart. Losing power keeps a small share of the unsynced pages, each kept, lost or torn; or
 * tears what was written last: half of the pages survive, and of each any of its sectors (`torn`, drawn from a stream of its own).
 * Killing only the process keeps all of them in the cache, where the next life finds them: they may be lost with the power yet.
 */

import { between, chance, fraction, pick } from '../actors/kernel/random.ts'
import { createMemoryFileSystem, emptyImage } from '../storage/memoryFileSystem.ts'
import { ALL_SECTORS, PAGE_BYTES, SECTOR_BYTES, inodeBytes } from '../storage/memoryInode.ts'
import { MAP_FILE } from '../storage/mapFile.ts'
import { imageSeen, imageSurviving, loseName, namesOf } from '../storage/memoryNames.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { DiskCall, DiskFault, DiskImage, DiskOperation, MemoryFileSystem } from '../storage/memoryFileSystem.ts'
import type { Survival } from '../storage/memoryInode.ts'
import type { MemoryNames } from '../storage/memoryNames.ts'
import type { FileSystem } from '../storage/fileSystem.ts'
import type { Process, Timeline } from './clock.ts'

export interface DiskOptions {
  /** Mean of the exponential latency of a sync, in milliseconds; other calls take a tenth. */
  readonly syncMsMean: number
  /** Share of unsynced pages that survive a power loss, 0 to 0.2. */
  readonly keep: number
  readonly capacityBytes: number
  /** Share of power losses that tear what was not synced, 0 to 1. */
  readonly torn: number
  /** What the disk writes whole or not at all: a sector, or a page, which then is never torn. */
  readonly sectorBytes: typeof SECTOR_BYTES | typeof PAGE_BYTES
  /** The log writes a group and syncs it in one call, as on Linux (storage/syncedWriter.ts), or in two. */
  readonly hasSyncedWrites: boolean
}

/** `map`: the file of the cluster's map (storage/mapFile.ts). */
export type DamagedKind = 'log' | 'snapshot' | 'map'

export interface Disk {
  /** The file system of the next life. */
  readonly mount: (process: Process) => FileSystem
  /** The process is gone, the machine is not: the next life sees everything written, and what was not synced is not synced. */
  readonly killed: () => void
  /** The machine lost power: unsynced pages are lost or torn, but for a few. */
  readonly lostPower: () => void
  /** The same, and it tears for certain. */
  readonly tornPower: () => void
  /** Everything on it is gone. Only between lives. */
  readonly wiped: () => void
  /** Calls `fn` once, in an event of its own, when so many bytes have been written to the log at once and are not synced. Of this life. */
  readonly onceWritten: (bytesMin: number, fn: () => void) => void
  /** Nothing completes before virtual time `atMs`. */
  readonly stallUntil: (atMs: number) => void
  /** The next sync fails with EIO. */
  readonly failNextSync: () => void
  /** A file of the log that was synced again by the life in which a sync of it had failed, or null (invariants/syncedOnce.ts). */
  readonly triedAgain: () => string | null
  /** Leaves `freeBytes` of room. */
  readonly fill: (freeBytes: number) => void
  readonly makeRoom: () => void
  /** Copies what the disk holds now. Only between lives. */
  readonly copy: () => DiskImage
  /** Puts back a copy. Only between lives. */
  readonly restore: (image: DiskImage) => void
  /**
   * Flips a bit in a random file of the kind, and returns its path; null when there is no place for it. Only
   * between lives, and never in the last UNPROVEN_BYTES of the log: nothing proves yet that those were synced
   * (docs/WAL_FORMAT.md), so damage there passes for a torn tail.
   */
  readonly flipBit: (kind: DamagedKind) => string | null
  /** The same for a sector of zeros. */
  readonly zeroSector: (kind: DamagedKind) => string | null
  /** The same for a sector that holds what was written for another. */
  readonly misdirectWrite: (kind: DamagedKind) => string | null
  /** Zeros from a place on, and the length as it was, as file systems leave what they lost. Not in the newest segment: none proves it. */
  readonly zeroTail: (kind: DamagedKind) => string | null
  /** The end of a random file is gone, from a place in what it holds. */
  readonly cutShort: (kind: DamagedKind) => string | null
  /** A random file of the kind is gone, and its path is returned; null when there is none. Of logs and maps only between lives. */
  readonly lose: (kind: DamagedKind) => string | null
  /** No life can read that file any more: EIO. */
  readonly failReads: (path: string) => void
  /** It can read all of them again. */
  readonly readAll: () => void
  readonly faultsInjected: () => number
}

interface Awaited { readonly bytesMin: number; readonly fn: () => void }

/** `tears` draws what is torn, and nothing else: without it the other draws are as they are. */
export const createDisk = (options: DiskOptions, { random, tears }: DiskStreams, timeline: Timeline): Disk => {
  let names: MemoryNames = namesOf(emptyImage)
  let mounted: MemoryFileSystem | null = null
  let stalledUntil = 0
  let isSyncFailing = false
  /** Of this life. */
  let failedLog: string | null = null
  let triedAgain: string | null = null
  let awaited: Awaited | null = null
  let faults = 0
  const unreadable = new Set<string>()

  const latency = (call: DiskCall): number => {
    // It asks the kernel, not the disk, and draws nothing.
    if (call.operation === 'freeBytes') return 0
    const mean = isSync(call) || call.operation === 'syncDirectory' ? options.syncMsMean : options.syncMsMean / 10
    const own = -mean * Math.log(1 - fraction(random))
    return Math.max(own, stalledUntil - timeline.now())
  }
  const fault = (call: DiskCall): DiskFault | undefined => {
    if (call.operation === 'read' && unreadable.has(nameOf(call.path))) return { kind: 'error', code: 'EIO' }
    if (!isSync(call)) return undefined
    if (call.path === failedLog) triedAgain = failedLog
    if (!isSyncFailing) return undefined
    isSyncFailing = false
    faults += 1
    if (isLog(call.path, names)) failedLog = call.path
    return { kind: 'error', code: 'EIO' }
  }
  /** Whatever the old life still asks of its disk meets a dead one. */
  const unmount = (): void => {
    mounted?.kill()
    mounted = null
    isSyncFailing = false
    failedLog = null
    awaited = null
  }
  const losePower = (isTorn: boolean): void => {
    unmount()
    names = namesOf(imageSurviving(names, isTorn ? tearing(options, tears) : keeping(options, { random, tears })))
  }
  const noteWritten = ({ operation, path, bytes }: DiskCall): void => {
    if (awaited === null || !writing.includes(operation) || bytes < awaited.bytesMin || !isLog(path, names)) return
    const { fn } = awaited
    awaited = null
    timeline.schedule(0, fn)
  }

  const damageBy = (change: Change, where: Where = placesIn) => (kind: DamagedKind): string | null => {
    const place = pick(random, where(imageSeen(names), kind))
    const inode = place && names.seen.get(place.path)
    if (place === undefined || inode === undefined) return null
    const before = inodeBytes(inode)
    const after = Uint8Array.from(before)
    const at = change(after.subarray(0, place.end), random)
    if (at === null) return null
    inode.corrupt((bytes) => bytes.set(bytes.map((byte, i) => (before[i] === after[i] ? byte : after[i] ?? byte))))
    faults += 1
    return `${place.path} at ${at}`
  }

  return {
    mount: (process) => {
      const fileSystem = createMemoryFileSystem({
        schedule: (fn, call) => {
          timeline.schedule(latency(call), fn, { process, kind: 'arrival' })
          noteWritten(call)
        },
        cache: names,
        capacityBytes: options.capacityBytes,
        hasSyncedWrites: options.hasSyncedWrites,
        fault,
      })
      mounted = fileSystem
      return fileSystem
    },
    killed: unmount,
    lostPower: () => losePower(chance(tears, options.torn)),
    tornPower: () => losePower(true),
    wiped: () => { names = namesOf(emptyImage) },
    onceWritten: (bytesMin, fn) => { awaited = { bytesMin, fn } },
    stallUntil: (atMs) => {
      faults += 1
      stalledUntil = Math.max(stalledUntil, atMs)
    },
    failNextSync: () => { isSyncFailing = true },
    triedAgain: () => triedAgain,
    fill: (freeBytes) => {
      faults += 1
      mounted?.setCapacity(mounted.usedBytes() + freeBytes)
    },
    makeRoom: () => mounted?.setCapacity(options.capacityBytes),
    copy: () => imageSeen(names),
    restore: (copy) => { names = namesOf(copy) },
    flipBit: damageBy(flipBit),
    zeroSector: damageBy(zeroSector),
    misdirectWrite: damageBy(misdirectWrite),
    zeroTail: damageBy(zeroTail, provenPlacesIn),
    cutShort: (kind) => {
      const place = pick(random, placesIn(imageSeen(names), kind))
      const inode = place && names.seen.get(place.path)
      if (place === undefined || inode === undefined) return null
      const length = between(random, 0, place.end - 1)
      inode.truncate(length)
      inode.beginSync()()
      faults += 1
      return `${place.path} at ${length}`
    },
    lose: (kind) => {
      const path = pick(random, filesIn(imageSeen(names), kind))?.path
      if (path === undefined) return null
      loseName(names, path)
      faults += 1
      return path
    },
    failReads: (path) => {
      faults += 1
      unreadable.add(path)
    },
    readAll: () => unreadable.clear(),
    faultsInjected: () => faults,
  }
}

export interface DiskStreams {
  readonly random: Random
  readonly tears: Random
}

/** A few pages survive, and few of those whole. */
const keeping = ({ keep, sectorBytes }: DiskOptions, { random, tears }: DiskStreams): Survival => {
  const survives = (): boolean => chance(random, keep)
  return { survives, sectors: () => (survives() ? ALL_SECTORS : sectorsOf(sectorBytes, tears)) }
}

const tearing = ({ sectorBytes }: DiskOptions, tears: Random): Survival =>
  ({ survives: () => chance(tears, 0.5), sectors: () => sectorsOf(sectorBytes, tears) })

const sectorsOf = (sectorBytes: number, tears: Random): number => (sectorBytes === PAGE_BYTES ? ALL_SECTORS : tears.uint32() & ALL_SECTORS)

const isSync = ({ operation }: DiskCall): boolean => operation === 'datasync' || operation === 'writeSynced'
const writing: readonly DiskOperation[] = ['writev', 'writeSynced']

const LOG_SUFFIX = '.wal'
const MADE_SUFFIX = '.new'

/** A segment that is written is called by the name it was made under; while it is being made, there is no other. */
const nameOf = (path: string): string => (path.endsWith(MADE_SUFFIX) ? path.slice(0, -MADE_SUFFIX.length) : path)

const isLog = (path: string, { seen }: MemoryNames): boolean =>
  seen.has(nameOf(path))
  && path.slice(path.indexOf('.')).startsWith(LOG_SUFFIX)

const UNPROVEN_BYTES = 8_192

interface Place {
  readonly path: string
  /** Damage goes before this position. */
  readonly end: number
}

type Where = (image: DiskImage, kind: DamagedKind) => Place[]

const endings: Readonly<Record<DamagedKind, string>> = { log: LOG_SUFFIX, snapshot: '.snap', map: MAP_FILE }

const filesIn: Where = (image, kind) => [...image.files]
  .filter(([path]) => path.endsWith(endings[kind]))
  .map(([path, bytes]) => ({ path, end: bytes.findLastIndex((byte) => byte !== 0) + 1 }))
  .filter(({ end }) => end > 0)
  .sort((a, b) => (a.path < b.path ? -1 : 1))

/** Without the newest segment: its successor's header proves how far a segment had been synced. */
const provenPlacesIn: Where = (image, kind) => (kind === 'log' ? filesIn(image, kind).slice(0, -1) : filesIn(image, kind))

const placesIn: Where = (image, kind) => {
  const places = filesIn(image, kind)
  const newest = kind === 'log' ? places.pop() : undefined
  if (newest !== undefined && newest.end > UNPROVEN_BYTES) places.push({ path: newest.path, end: newest.end - UNPROVEN_BYTES })
  return places
}

/** Changes the bytes, and returns where; null when that would change nothing. */
type Change = (bytes: Uint8Array, random: Random) => number | null

const flipBit: Change = (bytes, random) => {
  const at = positionOfContent(bytes, random)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << between(random, 0, 7))
  return at
}

const sectorOf = (bytes: Uint8Array, random: Random): number => Math.floor(positionOfContent(bytes, random) / SECTOR_BYTES) * SECTOR_BYTES

const zeroSector: Change = (bytes, random) => {
  const at = sectorOf(bytes, random)
  const sector = bytes.subarray(at, at + SECTOR_BYTES)
  if (sector.every((byte) => byte === 0)) return null
  sector.fill(0)
  return at
}

const misdirectWrite: Change = (bytes, random) => {
  const [from, to] = [sectorOf(bytes, random), sectorOf(bytes, random)]
  const length = Math.min(SECTOR_BYTES, bytes.length - from, bytes.length - to)
  const sector = bytes.slice(from, from + length)
  if (sector.every((byte, i) => byte === bytes[to + i])) return null
  bytes.set(sector, to)
  return to
}

const zeroTail: Change = (bytes, random) => {
  const at = positionOfContent(bytes, random)
  if (bytes.subarray(at).every((byte) => byte === 0)) return null
  bytes.fill(0, at)
  return at
}

/** A random position, mostly among bytes that are not zero: preallocated space says little. */
const positionOfContent = (bytes: Uint8Array, random: Random): number => {
  let at = between(random, 0, bytes.length - 1)
  if (chance(random, 0.1)) return at
  for (let tries = 0; tries < 64 && bytes[at] === 0; tries += 1) at = between(random, 0, bytes.length - 1)
  return at
}
