/**
 * The files of the log: opens and recovers them, prepares segments ahead, writes groups, removes what is no longer needed.
 *
 * It decides nothing. The writer's only state is the chain and the open files; every call has one completion. A group is written
 * to its end however short the writes are, then synced once; a failed sync is reported as such and must never be repeated.
 */

import { assert, must } from '../actors/kernel/assert.ts'
import { createRecovery } from './recovery.ts'
import type { LogRecovery, Recovery, Repair, SegmentHead } from './recovery.ts'
import { encodeGroup } from './group.ts'
import type { Position } from './group.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { without, writeZeros } from './fileWriter.ts'
import type { WalRecord } from './record.ts'
import { readSegment } from './segmentReader.ts'
import { BLOCK_BYTES, decodeSegmentHeader, encodeSegmentHeader, segmentName, segmentOfName } from './segment.ts'
import { createSerial } from './serial.ts'

/** One group as the core planned it. */
export interface GroupPlan {
  readonly at: Position
  /**
   * Set when the group is the first of its segment: where the log leaves the one before, and the file's size. `firstSegment` is what
   * was durable before: the header may survive where the group, and with it a raise, is torn.
   */
  readonly opens?: { readonly previous: Position; readonly sizeBytes: number; readonly firstSegment: number }
  readonly synced: Position
  readonly firstSegment: number
  readonly isSeal: boolean
  readonly records: readonly WalRecord[]
}

export interface LogFiles {
  /** Recovers the log and makes what it reports durable. `onScanned` comes once the directory is known, before the replay. */
  readonly open: (onScanned: () => void, done: Done<LogRecovery | undefined>) => void
  /** Creates or extends the segment with zeros, synced, its name too. */
  readonly prepare: (segment: number, sizeBytes: number, done: Done) => void
  /** Writes and syncs. After ENOSPC `retry` goes on where the write stopped. A failed sync has `isSync`. */
  readonly write: (plan: GroupPlan, done: (failure: WriteFailure | undefined) => void) => void
  readonly retry: (done: (failure: WriteFailure | undefined) => void) => void
  readonly remove: (segments: readonly number[], done: Done) => void
  /** The entry records of a segment, to be copied forward. */
  readonly readEntries: (segment: number, done: Done<readonly WalRecord[]>) => void
  readonly close: (done: Done) => void
}

export interface WriteFailure {
  readonly isSync: boolean
  readonly error: FileError
}

export interface LogFilesOptions {
  readonly fileSystem: FileSystem
  readonly directory: string
  /** For a new log: see group.ts. */
  readonly newSalt: number
}

const READ_BYTES_MAX = 0xffff_ffff

interface Unwritten { readonly file: File; buffers: readonly Uint8Array[]; position: number }

export const createLogFiles = (options: LogFilesOptions): LogFiles => {
  const { fileSystem, directory } = options
  const files = new Map<number, File>()
  const pathOf = (segment: number): string => `${directory}/${segmentName(segment)}`
  const temporaryOf = (segment: number): string => `${pathOf(segment)}.new`
  /** Segments whose file still has its temporary name, because the disk was full. */
  const unpublished = new Set<number>()
  let chain = 0
  let salt = options.newSalt
  let unwritten: Unwritten | undefined

  const dropFile = (segment: number, done: Done): void => {
    const file = files.get(segment)
    files.delete(segment)
    if (file === undefined) done(null)
    else file.close(done)
  }

  const open = (onScanned: () => void, done: Done<LogRecovery | undefined>): void => {
    const fail = (error: FileError): void => done(error, undefined)
    scan((error, heads) => {
      if (error !== null) {
        fail(error)
        return
      }
      onScanned()
      const recovery = createRecovery(heads)
      replay(recovery, (replayError) => {
        if (replayError !== null) {
          fail(replayError)
          return
        }
        const result = recovery.finish()
        if (result.tail.salt !== 0) salt = result.tail.salt
        chain = result.tail.chain
        if (result.isNewer) done(null, result)
        else repairAll(result, (repairError) => done(repairError, result))
      })
    })
  }

  const scan = (done: Done<readonly SegmentHead[]>): void => {
    const serial = createSerial<SegmentHead[]>([], done)
    serial.step((heads, next) => fileSystem.makeDirectory(directory, (error) => next(error, heads)))
    serial.step((heads, next) => fileSystem.list(directory, (error, names) => {
      const numbers = names.map(segmentOfName).filter((segment) => segment !== undefined)
      for (const segment of numbers) serial.step((found, after) => readHead(segment, found, after))
      next(error, heads)
    }))
    serial.run()
  }
  const readHead = (segment: number, heads: SegmentHead[], done: Done<SegmentHead[]>): void => {
    fileSystem.open(pathOf(segment), 'write', (openError, file) => {
      if (openError !== null) {
        done(openError, heads)
        return
      }
      files.set(segment, file)
      file.size((sizeError, sizeBytes) => {
        if (sizeError !== null) done(sizeError, heads)
        else file.read(0, BLOCK_BYTES, (error, block) => done(error, [...heads, { segment, sizeBytes, block }]))
      })
    })
  }
  const replay = (recovery: Recovery, done: Done): void => {
    const segment = recovery.next()
    if (segment === undefined) {
      done(null)
      return
    }
    readWhole(segment, (error, image) => {
      if (error !== null) {
        done(error)
        return
      }
      recovery.load(segment, image)
      replay(recovery, done)
    })
  }
  const readWhole = (segment: number, done: Done<Uint8Array>): void => {
    const file = must(files.get(segment), `segment ${segment} is open`)
    file.size((error, sizeBytes) => {
      if (error !== null) done(error, new Uint8Array(0))
      else file.read(0, Math.min(sizeBytes, READ_BYTES_MAX), done)
    })
  }
  const repairAll = (recovery: LogRecovery, done: Done): void => {
    const serial = createSerial<undefined>(undefined, (error) => done(error))
    for (const repair of recovery.repairs) serial.step((_, next) => repairOne(repair, (error) => next(error, undefined)))
    serial.step((_, next) => fileSystem.syncDirectory(directory, (error) => next(error, undefined)))
    serial.run()
  }
  const repairOne = (repair: Repair, done: Done): void => {
    if (repair.kind === 'remove') {
      removeOne(repair.segment, done)
      return
    }
    const file = must(files.get(repair.segment), `segment ${repair.segment} is open`)
    if (repair.kind === 'sync') file.datasync(done)
    else writeZeros(file, repair, (error) => (error === null ? file.datasync(done) : done(error)))
  }

  const prepare = (segment: number, sizeBytes: number, done: Done): void => {
    const extend = (file: File, extended: Done): void => file.size((error, from) => {
      if (error !== null) {
        extended(error)
        return
      }
      writeZeros(file, { from, to: sizeBytes }, (writeError) => {
        if (writeError !== null) extended(writeError)
        else file.datasync((syncError) => extended(syncError === null ? null : asSync(syncError)))
      })
    })
    /** A file gets its name when it has its whole size: a shorter one under a segment's name was cut. */
    const publish = (error: FileError | null): void => {
      if (error !== null) done(error)
      else fileSystem.rename(temporaryOf(segment), pathOf(segment), (renameError) => {
        if (renameError !== null) done(renameError)
        else fileSystem.syncDirectory(directory, (syncError) => done(syncError === null ? null : asSync(syncError)))
      })
    }
    const known = files.get(segment)
    if (known !== undefined && !unpublished.has(segment)) {
      extend(known, done)
      return
    }
    openTemporary(segment, (error, file) => {
      if (file === undefined) done(error)
      else extend(file, (extendError) => {
        if (extendError === null) unpublished.delete(segment)
        publish(extendError)
      })
    })
  }
  const openTemporary = (segment: number, done: Done<File | undefined>): void => {
    const known = files.get(segment)
    if (known !== undefined) {
      done(null, known)
      return
    }
    const keep = (error: FileError | null, file: File): void => {
      if (error === null) {
        files.set(segment, file)
        unpublished.add(segment)
      }
      done(error, error === null ? file : undefined)
    }
    fileSystem.remove(temporaryOf(segment), (removeError) => {
      if (removeError !== null && removeError.code !== 'ENOENT') done(removeError, undefined)
      else fileSystem.open(temporaryOf(segment), 'create', keep)
    })
  }

  const write = (plan: GroupPlan, done: (failure: WriteFailure | undefined) => void): void => {
    assert(unwritten === undefined, 'one group is written at a time')
    const file = must(files.get(plan.at.segment), `segment ${plan.at.segment} is prepared`)
    const buffers: Uint8Array[] = []
    if (plan.opens !== undefined) {
      const header = encodeSegmentHeader({ salt, segment: plan.at.segment, chain, ...plan.opens })
      chain = header.checksum
      buffers.push(header.bytes)
    }
    const { at, synced, firstSegment, isSeal } = plan
    const group = encodeGroup({ at, synced, firstSegment, isSeal, chain, salt }, plan.records)
    chain = group.chain
    buffers.push(group.bytes)
    unwritten = { file, buffers, position: plan.opens === undefined ? at.offset : 0 }
    retry(done)
  }
  const retry = (done: (failure: WriteFailure | undefined) => void): void => {
    const rest = must(unwritten, 'there is a write to go on with')
    rest.file.writev(rest.buffers, rest.position, (error, count) => {
      if (error !== null) {
        done({ isSync: false, error })
        return
      }
      rest.buffers = without(rest.buffers, count)
      rest.position += count
      if (rest.buffers.length > 0) {
        retry(done)
        return
      }
      unwritten = undefined
      rest.file.datasync((syncError) => done(syncError === null ? undefined : { isSync: true, error: syncError }))
    })
  }

  const removeOne = (segment: number, done: Done): void => {
    dropFile(segment, (closeError) => {
      if (closeError !== null) done(closeError)
      else fileSystem.remove(pathOf(segment), (error) => done(error?.code === 'ENOENT' ? null : error))
    })
  }
  const remove = (segments: readonly number[], done: Done): void => {
    const serial = createSerial<undefined>(undefined, (error) => done(error))
    for (const segment of segments) serial.step((_, next) => removeOne(segment, (error) => next(error, undefined)))
    serial.step((_, next) => fileSystem.syncDirectory(directory, (error) => next(error, undefined)))
    serial.run()
  }

  return {
    open, prepare, write, retry, remove,
    readEntries: (segment, done) => readWhole(segment, (error, image) => {
      done(error, error === null ? entriesOf(segment, image, salt) : [])
    }),
    close: (done) => {
      const serial = createSerial<undefined>(undefined, (error) => done(error))
      for (const segment of files.keys()) serial.step((_, next) => dropFile(segment, (error) => next(error, undefined)))
      serial.run()
    },
  }
}

/** A failed sync of a segment made ahead is as final as any other, whatever its code. */
const asSync = (error: FileError): FileError => Object.assign(new Error(`fsync: ${error.message}`), { code: 'EIO' })

const entriesOf = (segment: number, image: Uint8Array, salt: number): readonly WalRecord[] => {
  const header = decodeSegmentHeader(image)
  const chain = header === 'newer' ? undefined : header?.checksum
  const records: WalRecord[] = []
  for (const group of readSegment({ segment, image, chain, salt, limit: undefined }).groups) {
    for (const { record } of group.records) {
      if (record?.kind === 'entry' || record?.kind === 'copiedEntry') records.push(record)
    }
  }
  return records
}
