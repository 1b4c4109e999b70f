/** Walks a snapshot file from header to trailer, one chunk a slice, checking every checksum on the way. */

import type { Cancel } from '../actors/kernel/clock.ts'
import { crc32 } from './crc.ts'
import type { Done, File, FileError } from './fileSystem.ts'
import {
  CHUNK_HEADER_BYTES, decodePiece, decodeSnapshotHeader, decodeSnapshotPrefix, isOfLaterLayout, isTrailer, SNAPSHOT_PREFIX_BYTES,
  TRAILER_BYTES,
} from './snapshotFormat.ts'
import type { ChunkHeader } from './snapshotFormat.ts'
import type { Slices } from './slices.ts'
import type { SnapshotHeader, SnapshotInfo } from './snapshotStore.ts'

export const damagedError = (what: string): FileError =>
  Object.assign(new Error(`${what} does not verify; use the previous snapshot, or fetch one from a peer`), { code: 'EDAMAGED' })

const newerError = (what: string, level: number): FileError => Object.assign(new Error(
  `${what} is of a later layout than that of level ${level}, which is in force here: it is taken once the level has risen`,
), { code: 'ENEWER' })

export interface WalkOptions {
  readonly slices: Slices
  readonly file: File
  /** For messages. */
  readonly path: string
  readonly onChunk: (bytes: Uint8Array) => void
  /** What a later layout wrote than that of this level is refused with code ENEWER; absent: everything that this build reads is read. */
  readonly levelMax?: number
}

const noCancel: Cancel = () => {}
const nothing: SnapshotInfo = {
  group: 0, index: 0, term: 0, totalBytes: 0, configuration: { epoch: 0, voters: [], outgoing: [], learners: [] },
}

/** The result is what the file holds, verified whole; code EDAMAGED when anything about it is wrong. */
export const walkSnapshot = (options: WalkOptions, done: Done<SnapshotInfo>): Cancel => {
  const { slices, file, path, onChunk, levelMax } = options
  const damaged = (): void => done(damagedError(path), nothing)
  let whole = 0
  let chunks = 0
  let fileBytes = 0
  let isCancelled = false

  /** Reads exactly `length` bytes, or reports damage; asks for none that the file does not have, since a length may be damaged too. */
  const read = (position: number, length: number, use: (bytes: Uint8Array) => void): void => {
    if (position + length > fileBytes) {
      damaged()
      return
    }
    file.read(position, length, (error, bytes) => {
      if (isCancelled) return
      if (error !== null) done(error, nothing)
      else if (bytes.length < length) damaged()
      else use(bytes)
    })
  }
  const readPiece = (header: SnapshotHeader, position: number): void => {
    read(position, CHUNK_HEADER_BYTES, (bytes) => {
      const piece = decodePiece(bytes)
      if (piece === undefined) damaged()
      else if (piece.kind === 'trailer') readTrailer(header, position)
      else readChunk(piece, position + CHUNK_HEADER_BYTES, (payload) => {
        whole = crc32(payload, crc32(bytes, whole))
        chunks += 1
        readPiece(header, position + CHUNK_HEADER_BYTES + piece.length)
      })
    })
  }
  const readChunk = (piece: ChunkHeader, position: number, use: (payload: Uint8Array) => void): void => {
    read(position, piece.length, (payload) => slices.ask(() => {
      if (isCancelled) return
      if (crc32(payload) !== piece.crc) {
        damaged()
        return
      }
      onChunk(payload)
      use(payload)
    }))
  }
  const readTrailer = (header: SnapshotHeader, position: number): void => {
    read(position, TRAILER_BYTES, (bytes) => {
      if (!isTrailer(bytes, whole, chunks) || position + TRAILER_BYTES !== fileBytes) damaged()
      else done(null, { ...header, totalBytes: fileBytes })
    })
  }

  file.size((error, sizeBytes) => {
    if (isCancelled) return
    if (error !== null) {
      done(error, nothing)
      return
    }
    fileBytes = sizeBytes
    read(0, SNAPSHOT_PREFIX_BYTES, (prefix) => {
      if (levelMax !== undefined && isOfLaterLayout(prefix, levelMax)) {
        done(newerError(path, levelMax), nothing)
        return
      }
      const jsonBytes = decodeSnapshotPrefix(prefix)
      if (jsonBytes === undefined) {
        damaged()
        return
      }
      read(0, SNAPSHOT_PREFIX_BYTES + jsonBytes, (bytes) => {
        const header = decodeSnapshotHeader(bytes)
        whole = crc32(bytes)
        if (header === undefined) damaged()
        else readPiece(header, bytes.length)
      })
    })
  })
  return () => { isCancelled = true }
}

/** Opens, walks and closes. */
export const verifySnapshot = (options: Omit<WalkOptions, 'file'> & { readonly open: (done: Done<File>) => void },
  done: Done<SnapshotInfo>): Cancel => {
  let cancel = noCancel
  options.open((error, file) => {
    if (error !== null) {
      done(error, nothing)
      return
    }
    cancel = walkSnapshot({ ...options, file }, (walkError, info) => {
      file.close((closeError) => done(walkError ?? closeError, info))
    })
  })
  return () => cancel()
}
