/** Writing whatever must be written whole, however short the single writes are. */

import type { Done, File, FileError, WriteFailure, WrittenSynced } from './fileSystem.ts'

export const writeFully = (file: File, write: { readonly bytes: Uint8Array; readonly position: number }, done: Done): void => {
  const { bytes, position } = write
  if (bytes.length === 0) {
    done(null)
    return
  }
  file.writev([bytes], position, (error, count) => {
    if (error !== null) done(error)
    else if (count < bytes.length) writeFully(file, { bytes: bytes.subarray(count), position: position + count }, done)
    else done(null)
  })
}

export interface Piece {
  readonly buffers: readonly Uint8Array[]
  readonly position: number
}

/** As File.writeSynced, in two calls. What is short is not synced: the call that writes the rest syncs all of it. `onSync`: in between. */
export const writeThenSync = (
  file: Pick<File, 'writev' | 'datasync'>, { buffers, position }: Piece, onSync: () => void, done: WrittenSynced,
): void => {
  const wanted = buffers.reduce((sum, buffer) => sum + buffer.length, 0)
  file.writev(buffers, position, (error, count) => {
    if (error !== null) done({ isSync: false, error }, 0)
    else if (count < wanted) done(null, count)
    else {
      onSync()
      file.datasync((syncError) => done(syncError === null ? null : { isSync: true, error: syncError }, count))
    }
  })
}

/** There may be room later: what was not written can be written again. */
export const isOutOfSpace = ({ code }: FileError): boolean => code === 'ENOSPC' || code === 'EDQUOT'

/** Of a call that writes and syncs: nobody can tell which half failed, unless there was no room (storage/syncedWriter.ts). */
export const failureOfSyncedWrite = (error: FileError): WriteFailure => ({ isSync: !isOutOfSpace(error), error })

/** What is left of the buffers when the first `count` bytes are written. */
export const without = (buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] => {
  let skip = count
  const rest: Uint8Array[] = []
  for (const buffer of buffers) {
    const skipped = Math.min(skip, buffer.length)
    skip -= skipped
    if (skipped < buffer.length) rest.push(buffer.subarray(skipped))
  }
  return rest
}

const ZERO_SLICE_BYTES = 1_048_576
const zeros = new Uint8Array(ZERO_SLICE_BYTES)

export const writeZeros = (file: File, range: { readonly from: number; readonly to: number }, done: Done): void => {
  if (range.from >= range.to) {
    done(null)
    return
  }
  const length = Math.min(ZERO_SLICE_BYTES, range.to - range.from)
  file.writev([zeros.subarray(0, length)], range.from, (error, count) => {
    if (error !== null) done(error)
    else writeZeros(file, { from: range.from + count, to: range.to }, done)
  })
}
