/**
 * The files of the log: opens and recovers them, prepares segments ahead, writes groups, removes what is no longer needed.
 *
 * It decides nothing. The writer's only state is the chain and the open files (storage/segmentFiles.ts); every call has one
 * completion. A group is written to its end however short the writes are, and synced; a failed sync is reported as such and must never be
 * repeated, but for a lack of space, after which the group is written again whole (storage/syncedWriter.ts). Recovery's reads and
 * repairs are in storage/logRecoverer.ts.
 */

import { assert, must } from '../actors/kernel/assert.ts'
import type { LogRecovery } from './recovery.ts'
import { recordsOf } from './coldSegment.ts'
import type { SegmentEnd } from './coldSegment.ts'
import { encodeGroup } from './group.ts'
import type { Position } from './group.ts'
import type { Done, File, FileSystem, WriteFailure, WrittenSynced } from './fileSystem.ts'
import { without, writeThenSync } from './fileWriter.ts'
import { recoverSegments, repairSegments } from './logRecoverer.ts'
import type { WalRecord } from './record.ts'
import { encodeSegmentHeader } from './segment.ts'
import { closeSegments, createSegmentFiles, prepareSegment, readSegmentFile, removeSegments } from './segmentFiles.ts'
import type { SegmentFiles } from './segmentFiles.ts'

/** One group as the core planned it. */
export interface GroupPlan {
  readonly at: Position
  /**
   * Set when the group is the first of its segment: where the log leaves the one before, and the file's size. `firstSegment` is what
   * was durable before: the header may survive where the group, and with it a raise, is torn.
   */
  readonly opens: {
    readonly previous: Position
    readonly sizeBytes: number
    readonly firstSegment: number
    readonly holdsReplicas: boolean
  } | undefined
  readonly synced: Position
  readonly firstSegment: number
  readonly isSeal: boolean
  /** Of the segment. */
  readonly level: number
  readonly records: readonly WalRecord[]
}

export interface LogFiles {
  /** Recovers the log and makes what it reports durable. `onScanned` comes once the directory is known, before the replay. */
  readonly open: (onScanned: () => void, done: Done<LogRecovery | undefined>) => void
  /** Creates the segment with zeros, synced, its name too; one that is too small is made anew. */
  readonly prepare: (segment: number, sizeBytes: number, done: Done) => void
  /** Writes and syncs. After ENOSPC `retry` goes on where the write stopped. A failed sync has `isSync`. */
  readonly write: (plan: GroupPlan, done: (failure: WriteFailure | undefined) => void) => void
  readonly retry: (done: (failure: WriteFailure | undefined) => void) => void
  readonly remove: (segments: readonly number[], done: Done) => void
  /**
   * The entry records of a segment that the log has left, to be copied forward, and the replica records that void those before them. An
   * error with code 'EDAMAGED' when it does not read back whole (storage/coldSegment.ts).
   */
  readonly readEntries: (segment: number, done: Done<readonly WalRecord[]>) => void
  readonly close: (done: Done) => void
}

export interface LogFilesOptions {
  readonly fileSystem: FileSystem
  readonly directory: string
  /** For a new log: see group.ts. */
  readonly newSalt: number
  /** A group is written and its sync begins. */
  readonly onSync?: () => void
}

type Written = (failure: WriteFailure | undefined) => void

interface Unwritten { readonly file: File; buffers: readonly Uint8Array[]; position: number }

/** Where the log goes on: the files, the chain value the next group continues, and the group whose write is under way. */
interface Writer {
  readonly segments: SegmentFiles
  readonly onSync: () => void
  chain: number
  salt: number
  unwritten: Unwritten | undefined
  /** Where the log left each segment but the one being written. */
  readonly ends: Map<number, SegmentEnd>
  /** See LogRecovery. */
  judged: ReadonlyMap<number, ReadonlySet<number>>
}

const nothingJudged: ReadonlySet<number> = new Set()

export const createLogFiles = (options: LogFilesOptions): LogFiles => {
  const segments = createSegmentFiles(options.fileSystem, options.directory)
  const writer: Writer = {
    segments, onSync: options.onSync ?? (() => {}), chain: 0, salt: options.newSalt, unwritten: undefined,
    ends: new Map(), judged: new Map(),
  }
  return {
    open: (onScanned, done) => openLog(writer, onScanned, done),
    prepare: (segment, sizeBytes, done) => prepareSegment(segments, { segment, sizeBytes }, done),
    write: (plan, done) => writeGroup(writer, plan, done),
    retry: (done) => writeOn(writer, done),
    remove: (numbers, done) => {
      for (const segment of numbers) writer.ends.delete(segment)
      removeSegments(segments, numbers, done)
    },
    readEntries: (segment, done) => readEntries(writer, segment, done),
    close: (done) => closeSegments(segments, done),
  }
}

const openLog = (writer: Writer, onScanned: () => void, done: Done<LogRecovery | undefined>): void => {
  recoverSegments(writer.segments, onScanned, (error, recovery) => {
    if (recovery === undefined) {
      done(error, undefined)
      return
    }
    const { salt, chain } = recovery.tail
    if (salt !== 0) writer.salt = salt
    writer.chain = chain
    for (const [segment, end] of recovery.ends) writer.ends.set(segment, end)
    writer.judged = recovery.judged
    if (recovery.isNewer) done(null, recovery)
    else repairSegments(writer.segments, recovery.repairs, (repairError) => done(repairError, recovery))
  })
}

const writeGroup = (writer: Writer, plan: GroupPlan, done: Written): void => {
  assert(writer.unwritten === undefined, 'one group is written at a time')
  const { at, opens, synced, firstSegment, isSeal, level } = plan
  const { salt } = writer
  const file = must(writer.segments.files.get(at.segment), `segment ${at.segment} is prepared`)
  const buffers: Uint8Array[] = []
  if (opens !== undefined) {
    writer.ends.set(opens.previous.segment, { offset: opens.previous.offset, chain: writer.chain })
    const header = encodeSegmentHeader({ salt, segment: at.segment, chain: writer.chain, level, ...opens })
    writer.chain = header.checksum
    buffers.push(header.bytes)
  }
  const group = encodeGroup({ at, synced, firstSegment, isSeal, level, chain: writer.chain, salt }, plan.records)
  writer.chain = group.chain
  buffers.push(group.bytes)
  writer.unwritten = { file, buffers, position: opens === undefined ? at.offset : 0 }
  writeOn(writer, done)
}

/** Writes what is left of the group under way and syncs it: in one call where the file has one (storage/syncedWriter.ts), or in two. */
const writeOn = (writer: Writer, done: Written): void => {
  const rest = must(writer.unwritten, 'there is a write to go on with')
  const settled: WrittenSynced = (failure, count) => {
    if (failure !== null) {
      done(failure)
      return
    }
    rest.buffers = without(rest.buffers, count)
    rest.position += count
    if (rest.buffers.length > 0) {
      writeOn(writer, done)
      return
    }
    writer.unwritten = undefined
    done(undefined)
  }
  if (rest.file.writeSynced === undefined) writeThenSync(rest.file, rest, writer.onSync, settled)
  else {
    writer.onSync()
    rest.file.writeSynced(rest.buffers, rest.position, settled)
  }
}

const readEntries = (writer: Writer, segment: number, done: Done<readonly WalRecord[]>): void => {
  const end = must(writer.ends.get(segment), `segment ${segment} has a successor`)
  readSegmentFile(writer.segments, segment, (error, image) => {
    if (error !== null) {
      done(error, [])
      return
    }
    const records = recordsOf({ segment, image, salt: writer.salt, end, judged: writer.judged.get(segment) ?? nothingJudged })
    if (records instanceof Error) done(records, [])
    else done(null, records)
  })
}
