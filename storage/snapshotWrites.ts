/**
 * Snapshots that this node writes of its own state, each to a temporary file, a chunk a slice; then it is verified and gets its name.
 *
 * One that is cancelled is spoken of no more, however far it has come: its replica has ended, and another of the group may have begun in
 * its place, whose files would be taken for what the first one had left behind (test: "that is cancelled while it is verified ..."):
 * 1. A replica ends while its snapshot 150 is verified. Its files are removed, and another one begins, and is sent snapshot 100.
 * 2. Snapshot 150 is good, gets its name, and what is older than that may go: also what is being received, of which nobody is told.
 * 3. The sender hears that its peer has what it had, asks for no more than that, and the new replica never has any state.
 * So whoever removes all files of a group first waits until nothing of it is written any more (`ended`).
 */

import { assert } from '../actors/kernel/assert.ts'
import type { SnapshotChunks } from '../actors/shard/protocol.ts'
import type { GroupId } from '../topology/ids.ts'
import { crc32 } from './crc.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { writeFully } from './fileWriter.ts'
import { createSerial } from './serial.ts'
import type { Slices } from './slices.ts'
import { encodeChunkHeader, encodeSnapshotHeader, encodeTrailer, SNAPSHOT_CHUNK_BYTES_MAX } from './snapshotFormat.ts'
import type { Publish, SnapshotHeader, SnapshotInfo, SnapshotStore, TemporaryPath } from './snapshotStore.ts'

export interface WritesOptions {
  readonly fileSystem: FileSystem
  readonly slices: Slices
  readonly inUse: Set<string>
  readonly level: () => number
  readonly pathOf: TemporaryPath
  readonly publish: Publish
}

export interface Writes {
  readonly write: SnapshotStore['write']
  /** Called back once nothing of the group is written any more; at once where nothing is. */
  readonly ended: (group: GroupId, done: () => void) => void
}

interface Job { readonly group: GroupId; isCancelled: boolean }

interface Waiter { readonly group: GroupId; readonly done: () => void }

export const cancelledError = (): FileError => Object.assign(new Error('the snapshot was cancelled'), { code: 'ECANCELED' })

export const createWrites = ({ fileSystem, slices, inUse, level, pathOf, publish }: WritesOptions): Writes => {
  const jobs = new Set<Job>()
  let waiting: readonly Waiter[] = []

  const isWritten = (group: GroupId): boolean => [...jobs].some((job) => job.group === group)
  const end = (job: Job): void => {
    jobs.delete(job)
    const due = waiting.filter(({ group }) => !isWritten(group))
    waiting = waiting.filter(({ group }) => isWritten(group))
    for (const { done } of due) done()
  }

  const write: SnapshotStore['write'] = (header, chunks, done) => {
    const { directory, temporary } = pathOf(header)
    const job: Job = { group: header.group, isCancelled: false }
    const isCancelled = (): boolean => job.isCancelled
    jobs.add(job)
    inUse.add(temporary)
    const finish = (error: FileError | null, info: SnapshotInfo): void => {
      inUse.delete(temporary)
      const answer = (): void => {
        end(job)
        if (!job.isCancelled) done(error, info)
      }
      if (error === null) answer()
      else fileSystem.remove(temporary, answer)
    }
    const serial = createSerial<undefined>(undefined, (error) => {
      if (error === null) publish({ temporary, expected: header, isCancelled }, finish)
      else finish(error, { ...header, totalBytes: 0 })
    })
    serial.step((_, next) => fileSystem.makeDirectory(directory, (error) => next(error, undefined)))
    serial.step((_, next) => fileSystem.remove(temporary, () => next(null, undefined)))
    serial.step((_, next) => fileSystem.open(temporary, 'create', (openError, file) => {
      if (openError !== null) next(openError, undefined)
      else writeChunks({ file, header, level: level(), chunks, slices, isCancelled },
        (error) => file.close((closeError) => next(error ?? closeError, undefined)))
    }))
    serial.run()
    return () => { job.isCancelled = true }
  }

  return {
    write,
    ended: (group, done) => {
      if (isWritten(group)) waiting = [...waiting, { group, done }]
      else done()
    },
  }
}

interface WriteJob {
  readonly file: File
  readonly header: SnapshotHeader
  readonly level: number
  readonly chunks: SnapshotChunks
  readonly slices: Slices
  readonly isCancelled: () => boolean
}

/** Header, chunks a slice each, trailer, sync. */
const writeChunks = ({ file, header, level, chunks, slices, isCancelled }: WriteJob, done: Done): void => {
  let position = 0
  let whole = 0
  let count = 0
  const put = (bytes: Uint8Array, then: () => void): void => {
    const at = position
    position += bytes.length
    whole = crc32(bytes, whole)
    writeFully(file, { bytes, position: at }, (error) => (error === null ? then() : done(error)))
  }
  const slice = (entriesMax: number): void => {
    if (isCancelled()) {
      done(cancelledError())
      return
    }
    const next = chunks.next(entriesMax)
    if (next.done === true) {
      put(encodeTrailer(whole, count), () => file.datasync(done))
      return
    }
    const chunk = next.value
    assert(chunk.length <= SNAPSHOT_CHUNK_BYTES_MAX, `a snapshot's chunk holds at most ${SNAPSHOT_CHUNK_BYTES_MAX} bytes`)
    count += 1
    put(encodeChunkHeader(chunk), () => put(chunk, () => slices.ask(slice)))
  }
  put(encodeSnapshotHeader(header, level), () => slices.ask(slice))
}
