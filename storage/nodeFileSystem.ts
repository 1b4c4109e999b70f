/**
 * The file-system port on `node:fs`, rooted at a data directory. No call blocks the loop.
 *
 * A path never leaves the root: absolute paths and `..` are refused before anything is opened.
 */

import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { createSyncedWriter } from './syncedWriter.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'

type Failure = NodeJS.ErrnoException | null

const refused = (path: string): FileError =>
  Object.assign(new Error(`path "${path}" leaves the data directory; use a relative path without ".."`), { code: 'EINVAL' })

const isInside = (path: string): boolean => !path.startsWith('/') && !path.split('/').includes('..')

const flags = { read: 'r', write: 'r+', create: 'wx+' } as const

/** Reads until `length` bytes or the end of the file. */
const readFully = (fd: number, options: { readonly position: number; readonly length: number }, done: Done<Uint8Array>): void => {
  const bytes = new Uint8Array(options.length)
  const readMore = (filled: number): void => {
    fs.read(fd, bytes, filled, options.length - filled, options.position + filled, (error, count) => {
      if (error !== null) done(error, bytes)
      else if (count === 0 || filled + count === options.length) done(null, bytes.subarray(0, filled + count))
      else readMore(filled + count)
    })
  }
  readMore(0)
}

const fileOf = (fd: number): File => {
  const plain: Pick<File, 'writev' | 'datasync'> = {
    writev: (buffers, position, done) => fs.writev(fd, buffers, position, done),
    datasync: (done) => fs.fdatasync(fd, (error) => done(error)),
  }
  const synced = createSyncedWriter(fd, plain)
  return {
    writev: plain.writev,
    datasync: plain.datasync,
    read: (position, length, done) => readFully(fd, { position, length }, done),
    writeSynced: synced?.write,
    size: (done) => fs.fstat(fd, (error: Failure, stats) => done(error, error === null ? stats.size : 0)),
    truncate: (length, done) => fs.ftruncate(fd, length, (error) => done(error)),
    close: (done) => fs.close(fd, (error) => {
      if (synced === null) done(error ?? null)
      else synced.close((syncedError) => done(error ?? syncedError))
    }),
  }
}

/** Logs and snapshots hold every value: what is made here is its owner's alone. A folder that is there keeps what it has. */
const DIRECTORY_MODE = 0o700

const syncDirectory = (path: string, done: Done): void => {
  fs.open(path, 'r', (error, fd) => {
    if (error !== null) {
      done(error)
      return
    }
    fs.fsync(fd, (syncError) => fs.close(fd, (closeError) => done(syncError ?? closeError ?? null)))
  })
}

/**
 * Creates `path` below an existing ancestor, syncing each parent that gained a directory. One that is there may have been made by a process
 * that died before the sync, so its parent is synced, too; but for the root, whose parent is none of ours.
 */
const makeDirectory = (root: string, path: string, done: Done): void => {
  fs.mkdir(path, DIRECTORY_MODE, (error) => {
    if (error?.code === 'ENOENT') makeDirectory(root, dirname(path), (above) => (above === null ? makeOne(root, path, done) : done(above)))
    else hasMade(root, path, error, done)
  })
}

/** Below a folder that is there. Where a link that leads nowhere stands in its place this fails with ENOENT, however often it is tried. */
const makeOne = (root: string, path: string, done: Done): void =>
  fs.mkdir(path, DIRECTORY_MODE, (error) => hasMade(root, path, error, done))

const hasMade = (root: string, path: string, error: FileError | null, done: Done): void => {
  const isThere = error?.code === 'EEXIST'
  if (isThere && path === root) done(null)
  else if (error === null || isThere) syncDirectory(dirname(path), done)
  else done(error)
}

export const createNodeFileSystem = (root: string): FileSystem => {
  /** Runs `run` with the full path, or fails later: a callback is never called before the function has returned. */
  const within = (path: string, done: (error: FileError) => void, run: (full: string) => void): void => {
    if (isInside(path)) run(join(root, path))
    else setImmediate(() => done(refused(path)))
  }
  const fail = (done: Done<File>) => (error: FileError): void => (done as (error: FileError) => void)(error)
  return {
    open: (path, mode, done) => within(path, fail(done), (full) => {
      fs.open(full, flags[mode], (error, fd) => (error === null ? done(null, fileOf(fd)) : fail(done)(error)))
    }),
    makeDirectory: (path, done) => within(path, done, (full) => makeDirectory(join(root), full, done)),
    list: (path, done) => within(path, (error) => done(error, []), (full) => {
      fs.readdir(full, (error, names) => done(error, error === null ? names.sort() : []))
    }),
    rename: (from, to, done) => within(from, done, (fullFrom) => {
      within(to, done, (fullTo) => fs.rename(fullFrom, fullTo, (error) => done(error)))
    }),
    remove: (path, done) => within(path, done, (full) => fs.unlink(full, (error) => done(error))),
    syncDirectory: (path, done) => within(path, done, (full) => syncDirectory(full, done)),
    freeBytes: (path, done) => within(path, (error) => done(error, 0), (full) => fs.statfs(full, (error, found) => {
      // A file system that has no blocks to tell of (some in user space) says nothing about room.
      done(error, error === null && found.blocks > 0 ? found.bavail * found.bsize : Number.POSITIVE_INFINITY)
    })),
  }
}
