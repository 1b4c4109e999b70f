/**
 * What recovery asks of the disk: finds and opens the segments, hands their images one at a time to the decision table
 * (storage/recovery.ts), and carries out the repairs it decided on. Every repair is synced, and the directories after the last: a process
 * before this one may have died between a renaming and its sync. What the disk can not read is damage like any other, and decided on there:
 * it would be so at every start. All other errors end this one.
 */

import type { Done } from './fileSystem.ts'
import { writeFully, writeZeros } from './fileWriter.ts'
import { createRecovery } from './recovery.ts'
import type { LogRecovery, Recovery, Repair, SegmentHead } from './recovery.ts'
import { BLOCK_BYTES, segmentOfName } from './segment.ts'
import { readBeginning, segmentFile, readSegmentFile, removeSegment, segmentPath, syncFailed } from './segmentFiles.ts'
import type { SegmentFiles } from './segmentFiles.ts'
import { createSerial } from './serial.ts'

/** Only reads. `onScanned` comes once the directory is known, before the replay. Without a result there is an error. */
export const recoverSegments = (segments: SegmentFiles, onScanned: () => void, done: Done<LogRecovery | undefined>): void => {
  scan(segments, (error, heads) => {
    if (error !== null) {
      done(error, undefined)
      return
    }
    onScanned()
    const recovery = createRecovery(heads)
    replay(segments, recovery, (replayError) => {
      if (replayError === null) done(null, recovery.finish())
      else done(replayError, undefined)
    })
  })
}

/**
 * Makes what recovery read, and what it decided, durable; also the names above the log: its own directory's, the genesis', the map's, which
 * are read already or will be.
 */
export const repairSegments = (segments: SegmentFiles, repairs: readonly Repair[], done: Done): void => {
  const { fileSystem, directory } = segments
  const serial = createSerial<undefined>(undefined, (error) => done(error))
  for (const repair of repairs) serial.step((_, next) => repairOne(segments, repair, (error) => next(error, undefined)))
  for (const path of [directory, '']) {
    serial.step((_, next) => fileSystem.syncDirectory(path, (error) => next(syncFailed(error), undefined)))
  }
  serial.run()
}

const scan = (segments: SegmentFiles, done: Done<readonly SegmentHead[]>): void => {
  const { fileSystem, directory } = segments
  const serial = createSerial<SegmentHead[]>([], done)
  serial.step((heads, next) => fileSystem.makeDirectory(directory, (error) => next(error, heads)))
  serial.step((heads, next) => fileSystem.list(directory, (error, names) => {
    const numbers = names.map(segmentOfName).filter((segment) => segment !== undefined)
    for (const segment of numbers) serial.step((found, after) => openHead(segments, { segment, heads: found }, after))
    next(error, heads)
  }))
  serial.run()
}

interface HeadsBefore { readonly segment: number; readonly heads: SegmentHead[] }

const openHead = (segments: SegmentFiles, { segment, heads }: HeadsBefore, done: Done<SegmentHead[]>): void => {
  segments.fileSystem.open(segmentPath(segments, segment), 'write', (openError, file) => {
    if (openError !== null) {
      done(openError, heads)
      return
    }
    segments.files.set(segment, file)
    file.size((sizeError, sizeBytes) => {
      if (sizeError !== null) done(sizeError, heads)
      else readBeginning(file, BLOCK_BYTES, (error, block) => done(error, [...heads, { segment, sizeBytes, block }]))
    })
  })
}

const replay = (segments: SegmentFiles, recovery: Recovery, done: Done): void => {
  const segment = recovery.next()
  if (segment === undefined) {
    done(null)
    return
  }
  readSegmentFile(segments, segment, (error, image) => {
    if (error !== null) {
      done(error)
      return
    }
    recovery.load(segment, image)
    replay(segments, recovery, done)
  })
}

const repairOne = (segments: SegmentFiles, repair: Repair, done: Done): void => {
  if (repair.kind === 'remove') {
    removeSegment(segments, repair.segment, done)
    return
  }
  const file = segmentFile(segments, repair.segment)
  const sync: Done = (error) => (error === null ? file.datasync((syncError) => done(syncFailed(syncError))) : done(error))
  if (repair.kind === 'rewrite') writeFully(file, { bytes: repair.bytes, position: repair.from }, sync)
  else writeZeros(file, repair, sync)
}
