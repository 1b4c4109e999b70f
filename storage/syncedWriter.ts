/**
 * Writing and syncing in one system call: a second descriptor of the same file, opened with O_DSYNC.
 *
 * A write and its fdatasync are two jobs of the thread pool, and between them the event loop must come round once to ask for the second:
 * on a busy machine that takes longer than the disk does (docs/PERFORMANCE.md). A write to a descriptor with O_DSYNC returns when its
 * bytes, and what is needed to read them back, are durable (open(2), "Synchronized I/O"); it syncs no other bytes.
 *
 * Linux only: elsewhere the flag may promise less than Node's fdatasync does (macOS: F_FULLFSYNC). And only on file systems whose own code
 * or the kernel's generic_write_sync keeps that promise: on FUSE with direct I/O, for one, the flag reaches a server that may ignore it,
 * while an fdatasync is a message of its own. The descriptor comes from /proc/self/fd, so that the file may have been renamed meanwhile.
 * Where the descriptor is refused or the file system is another, the two calls are made as ever.
 *
 * An error does not say which half failed. The kernel reports a failed sync as EIO, or as the lack of space that it met, and has dropped
 * the pages then. So EIO and all else is taken as a failed sync. Lack of space is not: the whole of the call is written again, which makes
 * its pages dirty again, and counts only if that succeeds.
 */

import * as fs from 'node:fs'
import { failureOfSyncedWrite, writeThenSync } from './fileWriter.ts'
import type { Done, File, WrittenSynced } from './fileSystem.ts'
import type { Piece } from './fileWriter.ts'

export interface SyncedWriter {
  readonly write: (buffers: readonly Uint8Array[], position: number, done: WrittenSynced) => void
  readonly close: (done: Done) => void
}

const { O_WRONLY, O_DSYNC } = fs.constants

/** As statfs(2) numbers them: ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs, and overlayfs, which hands the flag down to one of these. */
const syncingFileSystems: readonly number[] = [0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630]

export interface SyncedWriterOptions {
  readonly platform?: string
  /** The folder that has this process's descriptors as names. */
  readonly descriptors?: string
  /** The file systems, by their numbers, that are trusted to sync what is written with the flag. */
  readonly fileSystems?: readonly number[]
}

/** What is done where the second descriptor is refused. */
type PlainCalls = Pick<File, 'writev' | 'datasync'>

/** Null where the platform has no such call. Nothing is opened before the first write. */
export const createSyncedWriter = (fd: number, plain: PlainCalls, options: SyncedWriterOptions = {}): SyncedWriter | null => {
  const { platform = process.platform, descriptors = '/proc/self/fd', fileSystems = syncingFileSystems } = options
  if (platform !== 'linux') return null
  /** Null: not opened yet; `none`: it was refused. */
  let own: number | 'none' | null = null
  const write: SyncedWriter['write'] = (buffers, position, done) => {
    if (own === 'none') writeThenSync(plain, { buffers, position }, () => {}, done)
    else if (own !== null) writeSynced(own, { buffers, position }, done)
    else openSynced(`${descriptors}/${fd}`, fileSystems, (opened) => {
      own = opened
      write(buffers, position, done)
    })
  }
  return {
    write,
    close: (done) => {
      if (typeof own === 'number') fs.close(own, (error) => done(error ?? null))
      else done(null)
    },
  }
}

const openSynced = (path: string, fileSystems: readonly number[], done: (opened: number | 'none') => void): void => {
  fs.statfs(path, (unknown, found) => {
    // A number above 2^31 may come with a sign.
    if (unknown !== null || !fileSystems.includes(found.type >>> 0)) done('none')
    else fs.open(path, O_WRONLY | O_DSYNC, (error, opened) => done(error === null ? opened : 'none'))
  })
}

const writeSynced = (fd: number, { buffers, position }: Piece, done: WrittenSynced): void => {
  fs.writev(fd, buffers, position, (error, count) => {
    done(error === null ? null : failureOfSyncedWrite(error), count)
  })
}
