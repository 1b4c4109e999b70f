/**
 * An in-memory file system with the memory of a disk that forgets: what was not synced may be lost, torn or kept, page by page.
 *
 * Writes are visible to reads at once and durable only after a `datasync` that began after them; creations, renames and removals
 * only after a `syncDirectory`. `crash` draws a surviving image and silences every pending callback; a new file system started
 * from that image is what the restarted process finds. Completion goes through the injected `schedule`, never a promise.
 *
 * Harsher than POSIX and real disks: synced bytes of a file whose name was not synced vanish with the name, and directory operations
 * survive in any subset.
 */

import type { Random } from '../actors/kernel/random.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { createInode, crashInode, inodeBytes, inodeOf } from './memoryInode.ts'
import type { Inode } from './memoryInode.ts'

export type DiskOperation =
  'open' | 'makeDirectory' | 'list' | 'rename' | 'remove' | 'syncDirectory'
  | 'writev' | 'read' | 'datasync' | 'size' | 'truncate' | 'close'

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
  /** Bytes all files may hold together; writes beyond are short, then ENOSPC. */
  readonly capacityBytes?: number
  /** Asked before every call takes effect. */
  readonly fault?: (call: DiskCall) => DiskFault | undefined
}

export interface CrashOptions {
  readonly random: Random
  /** Probability that an unsynced page or directory operation survives. */
  readonly keep: number
}

export interface MemoryFileSystem extends FileSystem {
  /** The surviving image. Pending callbacks never come; this file system is dead afterwards. */
  readonly crash: (options: CrashOptions) => DiskImage
  /** Everything as a reader sees it now (what a kill -9 without power loss leaves). */
  readonly image: () => DiskImage
  /** Changes bytes under the running system's feet, on the platter and in the cache. */
  readonly corrupt: (path: string, change: (bytes: Uint8Array) => void) => void
  readonly setCapacity: (bytes: number) => void
  readonly usedBytes: () => number
}

export const emptyImage: DiskImage = { files: new Map(), directories: new Set(['']) }

type DirectoryOperation =
  | { readonly kind: 'create'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
const errorOf = (code: string, path: string): FileError => Object.assign(new Error(`${code}: ${path}`), { code })

const applyOperation = (names: Map<string, Inode>, operation: DirectoryOperation): void => {
  if (operation.kind === 'create') {
    names.set(operation.path, operation.inode)
    return
  }
  const inode = names.get(operation.path)
  if (inode === undefined) return
  names.delete(operation.path)
  if (operation.kind === 'rename') names.set(operation.to, inode)
}

export const createMemoryFileSystem = (options: MemoryFileSystemOptions): MemoryFileSystem => {
  const image = options.image ?? emptyImage
  const durable = new Map([...image.files].map(([path, bytes]) => [path, inodeOf(bytes)]))
  const current = new Map(durable)
  const directories = new Set(image.directories)
  directories.add('')
  let unsynced: DirectoryOperation[] = []
  let capacity = options.capacityBytes ?? Number.POSITIVE_INFINITY
  let isDead = false

  const usedBytes = (): number => {
    let sum = 0
    for (const inode of current.values()) sum += inode.sizeBytes
    return sum
  }
  const record = (operation: DirectoryOperation): void => {
    unsynced.push(operation)
    applyOperation(current, operation)
  }
  /** Asks for a fault, lets `effect` act at once, and answers later. `effect` throws FileErrors. */
  const perform = <T>(call: DiskCall, task: { readonly empty: T; readonly effect: (fault: DiskFault | undefined) => T
    readonly atCompletion?: () => void }, done: Done<T>): void => {
    if (isDead) return
    const fault = options.fault?.(call)
    if (isDead || fault?.kind === 'hang') return
    const answer = (error: FileError | null, result: T): void => options.schedule(() => {
      if (isDead) return
      if (error === null) task.atCompletion?.()
      done(error, result)
    }, call)
    if (fault?.kind === 'error') {
      answer(errorOf(fault.code, call.path), task.empty)
      return
    }
    try {
      answer(null, task.effect(fault))
    } catch (error) {
      answer(error as FileError, task.empty)
    }
  }

  const writeAll = (inode: Inode, buffers: readonly Uint8Array[], { position, limit }: { position: number; limit: number }): number => {
    let written = 0
    for (const buffer of buffers) {
      const length = Math.min(buffer.length, limit - written)
      inode.write(position + written, buffer.subarray(0, length))
      written += length
    }
    return written
  }
  const room = (inode: Inode, position: number): number =>
    Math.max(0, inode.sizeBytes - position) + Math.max(0, capacity - usedBytes())

  const fileOf = (path: string, inode: Inode, isWritable: boolean): File => {
    const call = (operation: DiskOperation, bytes = 0): DiskCall => ({ operation, path, bytes })
    const requireWritable = (): void => {
      if (!isWritable) throw errorOf('EBADF', path)
    }
    return {
      writev: (buffers, position, done) => {
        const total = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
        perform(call('writev', total), {
          empty: 0,
          effect: (fault) => {
            requireWritable()
            const limit = Math.min(total, room(inode, position), fault?.kind === 'short' ? fault.bytes : total)
            if (limit <= 0 && total > 0) throw errorOf('ENOSPC', path)
            return writeAll(inode, buffers, { position, limit })
          },
        }, done)
      },
      read: (position, length, done) => perform(call('read', length), {
        empty: new Uint8Array(0), effect: () => inode.read(position, length),
      }, done),
      datasync: (done) => {
        let settle = (): void => {}
        perform(call('datasync'), {
          empty: undefined, effect: () => { settle = inode.beginSync() }, atCompletion: () => settle(),
        }, done)
      },
      size: (done) => perform(call('size'), { empty: 0, effect: () => inode.sizeBytes }, done),
      truncate: (length, done) => perform(call('truncate', length), {
        empty: undefined,
        effect: () => {
          requireWritable()
          inode.truncate(length)
        },
      }, done),
      close: (done) => perform(call('close'), { empty: undefined, effect: () => {} }, done),
    }
  }

  const openEffect = (path: string, mode: 'read' | 'write' | 'create'): File => {
    const existing = current.get(path)
    if (mode !== 'create') {
      if (existing === undefined) throw errorOf('ENOENT', path)
      return fileOf(path, existing, mode === 'write')
    }
    if (existing !== undefined) throw errorOf('EEXIST', path)
    if (!directories.has(parentOf(path))) throw errorOf('ENOENT', path)
    const inode = createInode()
    record({ kind: 'create', path, inode })
    return fileOf(path, inode, true)
  }
  const makeEffect = (path: string): void => {
    for (let at = path; at !== ''; at = parentOf(at)) directories.add(at)
  }
  const listEffect = (path: string): readonly string[] => {
    if (!directories.has(path)) throw errorOf('ENOENT', path)
    const names = [...current.keys(), ...directories]
      .filter((entry) => entry !== '' && parentOf(entry) === path).map(nameOf)
    return names.sort()
  }
  const requireFile = (path: string): void => {
    if (!current.has(path)) throw errorOf('ENOENT', path)
  }
  const syncEffect = (path: string): (() => void) => {
    const covered = new Set(unsynced.filter((operation) => parentOf(operation.path) === path))
    return () => {
      for (const operation of covered) applyOperation(durable, operation)
      unsynced = unsynced.filter((operation) => !covered.has(operation))
    }
  }
  const closedFile = fileOf('', createInode(), false)

  return {
    open: (path, mode, done) => perform({ operation: 'open', path, bytes: 0 },
      { empty: closedFile, effect: () => openEffect(path, mode) }, done),
    makeDirectory: (path, done) => perform({ operation: 'makeDirectory', path, bytes: 0 },
      { empty: undefined, effect: () => makeEffect(path) }, done),
    list: (path, done) => perform<readonly string[]>({ operation: 'list', path, bytes: 0 },
      { empty: [], effect: () => listEffect(path) }, done),
    rename: (from, to, done) => perform({ operation: 'rename', path: from, bytes: 0 }, {
      empty: undefined,
      effect: () => {
        requireFile(from)
        record({ kind: 'rename', path: from, to })
      },
    }, done),
    remove: (path, done) => perform({ operation: 'remove', path, bytes: 0 }, {
      empty: undefined,
      effect: () => {
        requireFile(path)
        record({ kind: 'remove', path })
      },
    }, done),
    syncDirectory: (path, done) => {
      let settle = (): void => {}
      perform({ operation: 'syncDirectory', path, bytes: 0 },
        { empty: undefined, effect: () => { settle = syncEffect(path) }, atCompletion: () => settle() }, done)
    },
    crash: ({ random, keep }) => {
      isDead = true
      const survives = (): boolean => random.uint32() / 0x1_0000_0000 < keep
      for (const operation of unsynced) {
        if (survives()) applyOperation(durable, operation)
      }
      const files = new Map([...durable].map(([path, inode]) => [path, crashInode(inode, survives)]))
      return { files, directories: new Set(directories) }
    },
    image: () => ({
      files: new Map([...current].map(([path, inode]) => [path, inodeBytes(inode)])), directories: new Set(directories),
    }),
    corrupt: (path, change) => current.get(path)?.corrupt(change),
    setCapacity: (bytes) => { capacity = bytes },
    usedBytes,
  }
}
