/**
 * The node file system, but what was written reaches a real file only when it is synced: so a SIGKILL loses what a power failure
 * would lose, and more than the kernel's own cache would. Reads see what was written. A few writes go to the file at once, in whole
 * pages, since a kernel writes pages back when it likes.
 *
 * Departures from a power failure: names (creations, renames, removals) are kept even when their directory was not synced. The simulator's
 * disk and the torture of the log forget those.
 */

import { createNodeFileSystem as createRealFileSystem } from '../../storage/nodeFileSystem.ts'
import { spell } from './orders.ts'
import { createUnsynced } from './unsynced.ts'
import type { Done, File, FileError, FileSystem } from '../../storage/fileSystem.ts'
import type { Unsynced } from './unsynced.ts'

const PAGE_BYTES = 4_096
/** Of 1: writes whose beginning reaches the file although nobody asked. */
const WRITTEN_BACK = 0.1

/** Takes the real one's name: it is put in its place (chaos/ground/hauntedBuild.ts). */
export const createNodeFileSystem = (root: string): FileSystem => {
  const real = createRealFileSystem(root)
  const unsynced = new Map<string, Unsynced>()
  const of = (path: string): Unsynced => {
    const known = unsynced.get(path)
    if (known !== undefined) return known
    const fresh = createUnsynced()
    unsynced.set(path, fresh)
    return fresh
  }
  return {
    ...real,
    open: (path, mode, done) => real.open(path, mode, (error, file) => {
      if (error !== null) done(error, file)
      else done(null, forgetful(file, of(path)))
    }),
    rename: (from, to, done) => real.rename(from, to, (error) => {
      const moved = unsynced.get(from)
      if (error === null && moved !== undefined) {
        unsynced.set(to, moved)
        unsynced.delete(from)
      }
      done(error)
    }),
    remove: (path, done) => real.remove(path, (error) => {
      if (error === null) unsynced.delete(path)
      done(error)
    }),
  }
}

const failure = (code: string): FileError => Object.assign(new Error(`${code}: the chaos lane wanted it so`), { code })

const forgetful = (real: File, unsynced: Unsynced): File => ({
  ...real,
  writev: (buffers, position, done) => {
    const code = spell.failingWrites
    if (code !== null) {
      setImmediate(() => done(failure(code), 0))
      return
    }
    // The caller's again after the callback: copied.
    const bytes = Uint8Array.from(Buffer.concat(buffers))
    unsynced.write(position, bytes)
    const pages = Math.floor(bytes.length / 2 / PAGE_BYTES) * PAGE_BYTES
    const finish = (): void => done(null, bytes.length)
    if (pages > 0 && Math.random() < WRITTEN_BACK) real.writev([bytes.subarray(0, pages)], position, finish)
    else setImmediate(finish)
  },
  writeSynced: undefined,
  read: (position, length, done) => unsynced.read(real, { position, length }, done),
  size: (done) => real.size((error, size) => done(error, unsynced.sizeOver(size))),
  truncate: (length, done) => {
    unsynced.truncate(length)
    setImmediate(() => done(null))
  },
  datasync: (done) => {
    if (spell.failingSyncs > 0) {
      spell.failingSyncs -= 1
      // The kernel marks pages clean after a failed writeback: what was not synced is gone for good.
      setImmediate(() => done(failure('EIO')))
      return
    }
    const sync: Done = (error) => (error === null ? real.datasync(done) : done(error))
    if (spell.slowSyncsMs > 0) setTimeout(() => unsynced.flush(real, sync), spell.slowSyncsMs)
    else unsynced.flush(real, sync)
  },
})
