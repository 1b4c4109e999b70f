/**
 * The segment files a log holds open: makes them ahead, reads them whole, removes and closes them.
 *
 *   prepare:  <name>.new ──zeros to the whole size──▶ sync ──▶ rename ──▶ sync the directory ──▶ answered
 *
 * A file gets its name when it has its whole size: a shorter one under a segment's name was cut. So it is never extended afterwards: a size
 * whose sync failed would look like any other to the next process. A full disk leaves the file under its temporary name, open, and the
 * next `prepareSegment` goes on with it.
 *
 * No segment takes the last of a disk: a newer cluster map needs a new file, and as long as it can not be written nothing leaves this
 * node, so that the disk would stay full (topology/liveMap.ts). So a segment is begun and gone on with where SPARE stays free beside it.
 * Where the disk does not tell, or another was faster, the part that met the end gives SPARE back until it is tried again.
 */

import { must } from '../actors/kernel/assert.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { isOutOfSpace, writeZeros } from './fileWriter.ts'
import { segmentName } from './segment.ts'
import { createSerial } from './serial.ts'

export interface SegmentFiles {
  readonly fileSystem: FileSystem
  readonly directory: string
  /** Open files by segment, in the order they were opened. */
  readonly files: Map<number, File>
  /** Segments whose file still has its temporary name, because the disk was full: none is written to before it has its own. */
  readonly unpublished: Set<number>
}

const READ_BYTES_MAX = 0xffff_ffff

/** What a segment leaves of the disk for other files: the map above all, of which two are there while one is replaced. */
const SPARE_BYTES_MAX = 1_048_576

/** Small segments are of small disks. */
export const spareBytes = (sizeBytes: number): number => Math.min(SPARE_BYTES_MAX, Math.floor(sizeBytes / 4))

export const createSegmentFiles = (fileSystem: FileSystem, directory: string): SegmentFiles =>
  ({ fileSystem, directory, files: new Map(), unpublished: new Set() })

export const segmentPath = ({ directory }: SegmentFiles, segment: number): string => `${directory}/${segmentName(segment)}`

const temporaryPath = (segments: SegmentFiles, segment: number): string => `${segmentPath(segments, segment)}.new`

export const segmentFile = ({ files }: SegmentFiles, segment: number): File => must(files.get(segment), `segment ${segment} is open`)

/** Undefined where the disk can not read it. */
export const readSegmentFile = (segments: SegmentFiles, segment: number, done: Done<Uint8Array | undefined>): void => {
  const file = segmentFile(segments, segment)
  file.size((error, sizeBytes) => {
    if (error !== null) done(error, undefined)
    else readBeginning(file, Math.min(sizeBytes, READ_BYTES_MAX), done)
  })
}

/**
 * EIO is what a disk says of a sector that it can not read: damage, and it will say so again at every start. It is no error here. Others
 * are of the process or of who set it up, and say nothing of what is there.
 */
export const readBeginning = (file: File, lengthMax: number, done: Done<Uint8Array | undefined>): void => {
  file.read(0, lengthMax, (error, bytes) => {
    if (error?.code === 'EIO') done(null, undefined)
    else done(error, bytes)
  })
}

export interface SegmentSize { readonly segment: number; readonly sizeBytes: number }

/** Creates the segment with zeros, synced, its name too; one that is too small is made anew. */
export const prepareSegment = (segments: SegmentFiles, { segment, sizeBytes }: SegmentSize, done: Done): void => {
  const known = segments.files.get(segment)
  if (known === undefined || segments.unpublished.has(segment)) {
    createSegment(segments, { segment, sizeBytes }, done)
    return
  }
  known.size((error, size) => {
    if (error !== null || size >= sizeBytes) done(error)
    else removeSegment(segments, segment, (removeError) => {
      if (removeError === null) createSegment(segments, { segment, sizeBytes }, done)
      else done(removeError)
    })
  })
}

const createSegment = (segments: SegmentFiles, { segment, sizeBytes }: SegmentSize, done: Done): void => {
  openTemporary(segments, segment, (error, file) => {
    if (file === undefined) done(error)
    else extendWithSpare(segments, { file, sizeBytes }, (extendError) => {
      if (extendError === null) publish(segments, segment, done)
      else done(extendError)
    })
  })
}

const openTemporary = (segments: SegmentFiles, segment: number, done: Done<File | undefined>): void => {
  const { fileSystem, files, unpublished } = segments
  const known = files.get(segment)
  if (known !== undefined) {
    done(null, known)
    return
  }
  const path = temporaryPath(segments, segment)
  const keep = (error: FileError | null, file: File): void => {
    if (error === null) {
      files.set(segment, file)
      unpublished.add(segment)
    }
    done(error, error === null ? file : undefined)
  }
  removeLeftOver(segments, path, (error) => {
    if (error !== null) done(error, undefined)
    else fileSystem.open(path, 'create', keep)
  })
}

/** Its removal is durable before another file takes its name: else a power loss could give that one's next name to this one. */
const removeLeftOver = ({ fileSystem, directory }: SegmentFiles, path: string, done: Done): void => {
  fileSystem.remove(path, (removeError) => {
    if (removeError === null) fileSystem.syncDirectory(directory, (syncError) => done(syncFailed(syncError)))
    else done(removeError.code === 'ENOENT' ? null : removeError)
  })
}

interface Growing { readonly file: File; readonly sizeBytes: number }

const extendWithSpare = ({ fileSystem, directory }: SegmentFiles, { file, sizeBytes }: Growing, done: Done): void => {
  file.size((error, from) => {
    if (error !== null) {
      done(error)
      return
    }
    fileSystem.freeBytes(directory, (unknown, free) => {
      if (unknown?.code === 'EIO') done(unknown)
      else if (unknown === null && free < sizeBytes - from + spareBytes(sizeBytes)) done(noRoom(directory))
      else extendFile({ file, sizeBytes }, from, done)
    })
  })
}

const noRoom = (directory: string): FileError =>
  Object.assign(new Error(`ENOSPC: a segment in ${directory} would take the last of the disk`), { code: 'ENOSPC' })

const extendFile = ({ file, sizeBytes }: Growing, from: number, done: Done): void => {
  writeZeros(file, { from, to: sizeBytes }, (writeError) => {
    if (writeError === null) file.datasync((syncError) => done(syncFailed(syncError)))
    else if (isOutOfSpace(writeError)) giveBack({ file, sizeBytes }, () => done(writeError))
    else done(writeError)
  })
}

/** Whether it can does not matter: the failure of the write is what counts. */
const giveBack = ({ file, sizeBytes }: Growing, done: () => void): void => file.size((error, size) => {
  if (error === null) file.truncate(Math.max(0, size - spareBytes(sizeBytes)), done)
  else done()
})

const publish = (segments: SegmentFiles, segment: number, done: Done): void => {
  const { fileSystem, directory } = segments
  fileSystem.rename(temporaryPath(segments, segment), segmentPath(segments, segment), (renameError) => {
    if (renameError !== null) {
      done(renameError)
      return
    }
    segments.unpublished.delete(segment)
    fileSystem.syncDirectory(directory, (syncError) => done(syncFailed(syncError)))
  })
}

/** A failed sync is final, whatever its code: of a segment made ahead, or while a log is recovered. Of a group: storage/syncedWriter.ts. */
export const syncFailed = (error: FileError | null): FileError | null =>
  (error === null ? null : Object.assign(new Error(`fsync: ${error.message}`), { code: 'EIO' }))

/** Closes and removes them one after another, then syncs the directory. */
export const removeSegments = (segments: SegmentFiles, numbers: readonly number[], done: Done): void => {
  const { fileSystem, directory } = segments
  const serial = createSerial<undefined>(undefined, (error) => done(error))
  for (const segment of numbers) serial.step((_, next) => removeSegment(segments, segment, (error) => next(error, undefined)))
  serial.step((_, next) => fileSystem.syncDirectory(directory, (error) => next(syncFailed(error), undefined)))
  serial.run()
}

/** The removal is durable only once the directory is synced. */
export const removeSegment = (segments: SegmentFiles, segment: number, done: Done): void => {
  closeSegment(segments, segment, (closeError) => {
    if (closeError !== null) done(closeError)
    else segments.fileSystem.remove(segmentPath(segments, segment), (error) => done(error?.code === 'ENOENT' ? null : error))
  })
}

export const closeSegments = (segments: SegmentFiles, done: Done): void => {
  const serial = createSerial<undefined>(undefined, (error) => done(error))
  for (const segment of segments.files.keys()) {
    serial.step((_, next) => closeSegment(segments, segment, (error) => next(error, undefined)))
  }
  serial.run()
}

const closeSegment = ({ files }: SegmentFiles, segment: number, done: Done): void => {
  const file = files.get(segment)
  files.delete(segment)
  if (file === undefined) done(null)
  else file.close(done)
}
