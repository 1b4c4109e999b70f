/**
 * An in-memory file system with the memory of a disk that forgets: what was not synced may be lost, torn or kept, page by page.
 *
 * Writes are visible to reads at once and durable only after a `datasync` that began after them; creations, renames and removals
 * only after a `syncDirectory`. A `datasync` that fails marks the pages clean, so the next one succeeds and writes nothing (Linux);
 * a `syncDirectory` that fails leaves all as it was, since names are journalled: where a journal can not be written, nothing is any more.
 * With `hasSyncedWrites` files have `writeSynced`, as on Linux: it makes durable what it wrote, and that alone. When it is made to fail its
 * bytes are in the cache, clean and not durable, since nobody can tell which half failed.
 * `crash` draws a surviving image and silences every pending callback; a new file system started from that image is what the restarted
 * process finds. `kill` ends the process alone: the next one's file system goes on with the same cache. Completion goes through the
 * injected `schedule`, never a promise.
 * Names are kept in storage/memoryNames.ts, the bytes of a file in storage/memoryInode.ts.
 *
 * Harsher than POSIX and real disks: synced bytes of a file whose name was not synced vanish with the name, and directory operations
 * survive in any subset.
 */

import type { Random } from '../actors/kernel/random.ts'
import type { Done, File, FileError, FileSystem, WrittenSynced } from './fileSystem.ts'
import { failureOfSyncedWrite } from './fileWriter.ts'
import type { Piece } from './fileWriter.ts'
import { ALL_SECTORS, createInode } from './memoryInode.ts'
import type { ByteRange, Inode, Survival } from './memoryInode.ts'
import {
  addDirectory, beginDirectorySync, createName, errorOf, imageSeen, imageSurviving, inodeNamed, listNames, namesOf, removeName,
  renameName,
} from './memoryNames.ts'
import type { MemoryNames } from './memoryNames.ts'

export type DiskOperation =
  'open' | 'makeDirectory' | 'list' | 'rename' | 'remove' | 'syncDirectory' | 'freeBytes'
  | 'writev' | 'writeSynced' | 'read' | 'datasync' | 'size' | 'truncate' | 'close'

export interface DiskCall {
  readonly operation: DiskOperation
  readonly path: string
  readonly bytes: number
}

/** `hang`: neither done nor answered, as in a process that dies there. `short`: only the first `bytes` of a write are written. */
export type DiskFault =
  | { readonly kind: 'error'; readonly code: string }
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'hang' }

/** What a disk holds while nobody runs: file bytes by path, and the directories. */
export interface DiskImage {
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly directories: ReadonlySet<string>
}

export interface MemoryFileSystemOptions {
  /** Runs `fn` later, never at once; the call says what for, so that a latency can be drawn. */
  readonly schedule: (fn: () => void, call: DiskCall) => void
  readonly image?: DiskImage
  /** Instead of an image: what a killed process left, on the platter and in the cache. */
  readonly cache?: MemoryNames
  /** Bytes all files may hold together; writes beyond are short, then ENOSPC. */
  readonly capacityBytes?: number
  /** A file has a call that writes and syncs. */
  readonly hasSyncedWrites?: boolean
  /** Asked before every call takes effect. */
  readonly fault?: (call: DiskCall) => DiskFault | undefined
}

export interface CrashOptions {
  readonly random: Random
  /** Probability that an unsynced page or directory operation survives, and that a page which does is not torn. */
  readonly keep: number
}

export interface MemoryFileSystem extends FileSystem {
  /** The surviving image. Pending callbacks never come; this file system is dead afterwards. */
  readonly crash: (options: CrashOptions) => DiskImage
  /** A kill -9 without power loss: as `crash`, but everything stays as it is, in the cache or on the platter. */
  readonly kill: () => MemoryNames
  /** Everything as a reader sees it now. */
  readonly image: () => DiskImage
  /** Changes bytes under the running system's feet, on the platter and in the cache. */
  readonly corrupt: (path: string, change: (bytes: Uint8Array) => void) => void
  readonly setCapacity: (bytes: number) => void
  readonly usedBytes: () => number
}

export const emptyImage: DiskImage = { files: new Map(), directories: new Set(['']) }

/** The disk as long as this file system lives. */
interface Disk {
  readonly options: MemoryFileSystemOptions
  readonly names: MemoryNames
  capacityBytes: number
  isDead: boolean
}

/** What a call does. `effect` acts at once and throws FileErrors; `empty` is the result beside an error. */
interface Task<T> {
  readonly empty: T
  readonly effect: (fault: DiskFault | undefined) => T
  /** The call is made to fail: what it leaves. May throw like `effect`, which then is the answer. */
  readonly onError?: () => void
  readonly atCompletion?: () => void
}

interface Handle {
  readonly disk: Disk
  readonly path: string
  readonly inode: Inode
  readonly isWritable: boolean
  isClosed: boolean
}

export const createMemoryFileSystem = (options: MemoryFileSystemOptions): MemoryFileSystem => {
  const names = options.cache ?? namesOf(options.image ?? emptyImage)
  const disk: Disk = { options, names, capacityBytes: options.capacityBytes ?? Number.POSITIVE_INFINITY, isDead: false }
  return {
    ...directoryCalls(disk),
    crash: ({ random, keep }) => {
      disk.isDead = true
      return imageSurviving(names, survivalOf(random, keep))
    },
    kill: () => {
      disk.isDead = true
      return names
    },
    image: () => imageSeen(names),
    corrupt: (path, change) => names.seen.get(path)?.corrupt(change),
    setCapacity: (bytes) => { disk.capacityBytes = bytes },
    usedBytes: () => usedBytes(disk),
  }
}

const survivalOf = (random: Random, keep: number): Survival => {
  const survives = (): boolean => random.uint32() / 0x1_0000_0000 < keep
  return { survives, sectors: () => (survives() ? ALL_SECTORS : random.uint32() & ALL_SECTORS) }
}

const directoryCalls = (disk: Disk): FileSystem => {
  const { names } = disk
  const closedFile = fileOf({ disk, path: '', inode: createInode(), isWritable: false, isClosed: true })
  const call = (operation: DiskOperation, path: string): DiskCall => ({ operation, path, bytes: 0 })
  return {
    open: (path, mode, done) => perform(disk, call('open', path), {
      empty: closedFile,
      effect: () => fileOf({
        disk, path, inode: mode === 'create' ? createName(names, path) : inodeNamed(names, path), isWritable: mode !== 'read',
        isClosed: false,
      }),
    }, done),
    makeDirectory: (path, done) => perform(disk, call('makeDirectory', path),
      { empty: undefined, effect: () => addDirectory(names, path) }, done),
    list: (path, done) => perform<readonly string[]>(disk, call('list', path),
      { empty: [], effect: () => listNames(names, path) }, done),
    rename: (from, to, done) => perform(disk, call('rename', from),
      { empty: undefined, effect: () => renameName(names, from, to) }, done),
    remove: (path, done) => perform(disk, call('remove', path),
      { empty: undefined, effect: () => removeName(names, path) }, done),
    syncDirectory: (path, done) => performSync(disk, call('syncDirectory', path),
      { begin: () => beginDirectorySync(names, path), fail: () => {} }, done),
    freeBytes: (path, done) => perform(disk, call('freeBytes', path),
      { empty: Number.POSITIVE_INFINITY, effect: () => Math.max(0, disk.capacityBytes - usedBytes(disk)) }, done),
  }
}

const fileOf = (handle: Handle): File => {
  const { disk, path, inode } = handle
  const call = (operation: DiskOperation, bytes = 0): DiskCall => ({ operation, path, bytes })
  const whileOpen = <T>(effect: () => T) => (): T => {
    requireOpen(handle)
    return effect()
  }
  return {
    writev: (buffers, position, done) => {
      perform(disk, call('writev', bytesOf(buffers)), {
        empty: 0, effect: (fault) => writeEffect(handle, { buffers, position }, fault),
      }, done)
    },
    writeSynced: disk.options.hasSyncedWrites === true
      ? (buffers, position, done) => performSyncedWrite(handle, { buffers, position }, done) : undefined,
    read: (position, length, done) => perform(disk, call('read', length), {
      empty: new Uint8Array(0), effect: whileOpen(() => inode.read(position, length)),
    }, done),
    datasync: (done) => performSync(disk, call('datasync'), { begin: whileOpen(inode.beginSync), fail: inode.failSync }, done),
    size: (done) => perform(disk, call('size'), { empty: 0, effect: whileOpen(() => inode.sizeBytes) }, done),
    truncate: (length, done) => perform(disk, call('truncate', length), {
      empty: undefined,
      effect: () => {
        requireWritable(handle)
        inode.truncate(length)
      },
    }, done),
    close: (done) => perform(disk, call('close'), { empty: undefined, effect: whileOpen(() => { handle.isClosed = true }) }, done),
  }
}

/** Asks for a fault, lets the task act at once, and answers later. */
const perform = <T>(disk: Disk, call: DiskCall, task: Task<T>, done: Done<T>): void => {
  if (disk.isDead) return
  const fault = disk.options.fault?.(call)
  if (disk.isDead || fault?.kind === 'hang') return
  const answer = (error: FileError | null, result: T): void => disk.options.schedule(() => {
    if (disk.isDead) return
    if (error === null) task.atCompletion?.()
    done(error, result)
  }, call)
  try {
    if (fault?.kind === 'error') {
      task.onError?.()
      answer(errorOf(fault.code, call.path), task.empty)
    } else answer(null, task.effect(fault))
  } catch (error) {
    answer(error as FileError, task.empty)
  }
}

/** A sync covers what was there when it began, and counts once it completes. */
const performSync = (disk: Disk, call: DiskCall, { begin, fail }: Sync, done: Done): void => {
  let settle = (): void => {}
  perform(disk, call, { empty: undefined, effect: () => { settle = begin() }, atCompletion: () => settle(), onError: fail }, done)
}

interface Sync { readonly begin: () => () => void; readonly fail: () => void }

/** The bytes that it counts are durable when it answers. */
const performSyncedWrite = (handle: Handle, piece: Piece, done: WrittenSynced): void => {
  const { disk, path, inode } = handle
  const write = (fault: DiskFault | undefined): ByteRange =>
    ({ from: piece.position, to: piece.position + writeEffect(handle, piece, fault) })
  let settle = (): void => {}
  perform(disk, { operation: 'writeSynced', path, bytes: bytesOf(piece.buffers) }, {
    empty: 0,
    effect: (fault) => {
      const range = write(fault)
      settle = inode.beginSyncOf(range)
      return range.to - range.from
    },
    atCompletion: () => settle(),
    onError: () => inode.failSync(write(undefined)),
  }, (error, count) => done(error === null ? null : failureOfSyncedWrite(error), count))
}

const bytesOf = (buffers: readonly Uint8Array[]): number => buffers.reduce((sum, { length }) => sum + length, 0)

const writeEffect = (handle: Handle, { buffers, position }: Piece, fault: DiskFault | undefined): number => {
  requireWritable(handle)
  const { disk, path, inode } = handle
  const total = bytesOf(buffers)
  const room = Math.max(0, inode.sizeBytes - position) + Math.max(0, disk.capacityBytes - usedBytes(disk))
  const limit = Math.min(total, room, fault?.kind === 'short' ? fault.bytes : total)
  if (limit <= 0 && total > 0) throw errorOf('ENOSPC', path)
  let written = 0
  for (const buffer of buffers) {
    const length = Math.min(buffer.length, limit - written)
    inode.write(position + written, buffer.subarray(0, length))
    written += length
  }
  return written
}

/** What was asked of a file before it was closed is done; nothing is after it. */
const requireOpen = ({ isClosed, path }: Handle): void => {
  if (isClosed) throw errorOf('EBADF', path)
}

const requireWritable = (handle: Handle): void => {
  requireOpen(handle)
  if (!handle.isWritable) throw errorOf('EBADF', handle.path)
}

const usedBytes = ({ names }: Disk): number => {
  let sum = 0
  for (const inode of names.seen.values()) sum += inode.sizeBytes
  return sum
}
