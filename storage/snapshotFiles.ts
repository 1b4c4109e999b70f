/**
 * Snapshots as files: `snapshots/<group>/<index>-<term>.snap` (format in storage/snapshotFormat.ts).
 *
 *   write:    <name>.part ──chunks, in slices──▶ sync ──▶ read back and verify ──▶ rename ──▶ sync the directory ──▶ answered
 *   receive:  <name>.receive, as pieces arrive ──▶ the same from "sync" on
 *
 * A file under its final name was verified before it got it, and is of no later layout than the level in force: until that has risen
 * this node may go back to a version that could not read it. What was interrupted is a temporary file, which `prune` removes. A damaged
 * snapshot is named, never deleted by itself: it goes when enough good ones are newer than it.
 */

import { assert } from '../actors/kernel/assert.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { SnapshotChunks } from '../actors/shard/protocol.ts'
import type { Index } from '../actors/raft/protocol.ts'
import type { GroupId } from '../topology/ids.ts'
import { crc32 } from './crc.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { writeFully } from './fileWriter.ts'
import { createReceives } from './snapshotReceives.ts'
import { createSerial } from './serial.ts'
import {
  encodeChunkHeader, encodeSnapshotHeader, encodeTrailer, parseSnapshotName, snapshotName, SNAPSHOT_CHUNK_BYTES_MAX,
} from './snapshotFormat.ts'
import { damagedError, verifySnapshot } from './snapshotReader.ts'
import { createSlices } from './slices.ts'
import { FIRST_LEVEL } from '../topology/level.ts'
import type { Slices } from './slices.ts'
import type { SnapshotHeader, SnapshotInfo, SnapshotStore } from './snapshotStore.ts'

const ROOT = 'snapshots'
const WRITE_SUFFIX = '.part'
const RECEIVE_SUFFIX = '.receive'

/** What says nothing about a file: it could not be opened, whatever is in it. */
const noDescriptor: readonly string[] = ['EMFILE', 'ENFILE']
/** Errors that say what is there: something wrong, or nothing. Others say that it could not be looked at. */
const saysWhatIsThere: readonly string[] = ['EDAMAGED', 'ENOENT']
const notAllowed: readonly string[] = ['EACCES', 'EPERM']

const directoryOf = (group: GroupId): string => `${ROOT}/${group}`

export interface SnapshotFilesOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  /** The layout level in force, asked when a file is begun; left out, the first. */
  readonly level?: () => number
}

export const createSnapshotFiles = ({ fileSystem, clock, level = () => FIRST_LEVEL }: SnapshotFilesOptions): SnapshotStore => {
  const slices = createSlices(clock)
  /** Temporary files in use by this process: `prune` leaves them. */
  const inUse = new Set<string>()
  /** Snapshots this process has verified and whose names are durable, by path. */
  const verified = new Map<string, SnapshotInfo>()

  const open = (path: string) => (opened: Done<File>): void => fileSystem.open(path, 'read', opened)
  const verifyFile = (path: string, onChunk: (bytes: Uint8Array) => void, done: Done<SnapshotInfo>): void => {
    verifySnapshot({ slices, path, onChunk, open: open(path) }, done)
  }
  const removeQuietly = (path: string, done: () => void): void => fileSystem.remove(path, () => done())

  /** Verifies a complete, synced temporary file and gives it its final name. A peer may write by a level that is not known here yet. */
  const publish = (temporary: string, expected: SnapshotHeader | Identity, done: Done<SnapshotInfo>): void => {
    const { group, index, term } = expected
    const path = `${directoryOf(group)}/${snapshotName(index, term)}`
    verifySnapshot({ slices, path: temporary, onChunk: () => {}, levelMax: level(), open: open(temporary) }, (error, info) => {
      if (error !== null || !isSame(info, expected)) {
        done(error ?? damagedError(temporary), info)
        return
      }
      fileSystem.rename(temporary, path, (renameError) => {
        if (renameError !== null) {
          done(renameError, info)
          return
        }
        fileSystem.syncDirectory(directoryOf(group), (syncError) => {
          if (syncError === null) verified.set(path, info)
          done(syncError, info)
        })
      })
    })
  }

  const receives = createReceives({ fileSystem, clock, inUse, publish, pathOf: receivedPath })

  const write: SnapshotStore['write'] = (header, chunks, done) => {
    const temporary = `${directoryOf(header.group)}/${snapshotName(header.index, header.term)}${WRITE_SUFFIX}`
    let isCancelled = false
    inUse.add(temporary)
    const finish = (error: FileError | null, info: SnapshotInfo): void => {
      inUse.delete(temporary)
      if (error === null) done(null, info)
      else removeQuietly(temporary, () => { if (!isCancelled) done(error, info) })
    }
    const pending: SnapshotInfo = { ...header, totalBytes: 0 }
    const serial = createSerial<undefined>(undefined, (error) => {
      if (error === null) publish(temporary, header, finish)
      else finish(error, pending)
    })
    serial.step((_, next) => fileSystem.makeDirectory(directoryOf(header.group), (error) => next(error, undefined)))
    serial.step((_, next) => removeQuietly(temporary, () => next(null, undefined)))
    serial.step((_, next) => fileSystem.open(temporary, 'create', (openError, file) => {
      if (openError !== null) next(openError, undefined)
      else writeChunks({ file, header, level: level(), chunks, slices, isCancelled: () => isCancelled },
        (error) => file.close((closeError) => next(error ?? closeError, undefined)))
    }))
    serial.run()
    return () => { isCancelled = true }
  }

  const verifyNamed = (group: GroupId, name: string, done: Done<SnapshotInfo | undefined>): void => {
    const path = `${directoryOf(group)}/${name}`
    verifyFile(path, () => {}, (error, info) => {
      const isGood = error === null && info.group === group && snapshotName(info.index, info.term) === name
      if (isGood) verified.set(path, info)
      else verified.delete(path)
      done(error, isGood ? info : undefined)
    })
  }
  const verify: SnapshotStore['verify'] = (group, index, term, done) => {
    const name = snapshotName(index, term)
    const known = verified.get(`${directoryOf(group)}/${name}`)
    verifyNamed(group, name, (error, info) => {
      const isUnknown = noDescriptor.includes(error?.code ?? '')
      if (isUnknown && known !== undefined) verified.set(`${directoryOf(group)}/${name}`, known)
      done(isUnknown ? error : null, isUnknown || info !== undefined)
    })
  }
  const namesOf = (group: GroupId, done: Done<readonly string[]>): void => {
    fileSystem.list(directoryOf(group), (error, names) => (error?.code === 'ENOENT' ? done(null, []) : done(error, names)))
  }

  const list: SnapshotStore['list'] = (group, done) => {
    const good: SnapshotInfo[] = []
    const damaged: string[] = []
    let isUnread = false
    namesOf(group, (listError, names) => {
      const serial = createSerial<undefined>(undefined,
        (error) => done(error, { good: newestFirst(good), damaged, ...(isUnread ? { isUnread } : {}) }))
      serial.step((_, next) => next(listError, undefined))
      for (const name of names.filter((each) => parseSnapshotName(each) !== undefined)) {
        serial.step((_, next) => verifyNamed(group, name, (error, info) => {
          const refused = unopened(`${directoryOf(group)}/${name}`, error)
          if (info !== undefined) good.push(info)
          else if (refused === null) {
            damaged.push(name)
            isUnread ||= error !== null && !saysWhatIsThere.includes(error.code ?? '')
          }
          next(refused, undefined)
        }))
      }
      serial.run()
    })
  }

  /** One after the other, then the directory is synced. One that can not be removed keeps no other; `done` has the first error. */
  const removeAll = (group: GroupId, names: readonly string[], done: Done): void => {
    const paths = names.map((name) => `${directoryOf(group)}/${name}`)
    for (const path of paths) verified.delete(path)
    removeEach(fileSystem, paths, (failure) => fileSystem.syncDirectory(directoryOf(group), (error) => done(failure ?? error)))
  }

  const prune: SnapshotStore['prune'] = (group, kept, done) => receives.dropThrough(group, kept.through, () => {
    namesOf(group, (listError, names) => {
      if (listError !== null || names.length === 0) {
        done(listError)
        return
      }
      const known = names.map((name) => verified.get(`${directoryOf(group)}/${name}`)).filter((info) => info !== undefined)
      const oldestKept = newestFirst(known.filter(({ index }) => index <= kept.through))[kept.newest - 1]
      removeAll(group, names.filter((name) => {
        const isTemporary = name.endsWith(WRITE_SUFFIX) || name.endsWith(RECEIVE_SUFFIX)
        return (isTemporary && !inUse.has(`${directoryOf(group)}/${name}`)) || (isOlder(name, oldestKept) && !isOneOf(name, kept.inUse))
      }), done)
    })
  })

  const clear: SnapshotStore['clear'] = (group, done) => receives.dropAll(group, () => namesOf(group, (listError, names) => {
    if (listError !== null || names.length === 0) done(listError)
    else removeAll(group, names, done)
  }))

  return {
    write, verify, list, prune, clear,
    receive: (group, index, term, offset, bytes, done) => receives.receive({ group, index, term }, { offset, bytes }, done),
    finishReceive: (group, index, term, totalBytes, done) => receives.finish({ group, index, term }, totalBytes, done),
    readRange: (group, index, term, offset, lengthMax, done) => {
      fileSystem.open(`${directoryOf(group)}/${snapshotName(index, term)}`, 'read', (openError, file) => {
        if (openError !== null) done(openError, new Uint8Array(0))
        else file.read(offset, lengthMax, (error, bytes) => file.close((closeError) => done(error ?? closeError, bytes)))
      })
    },
    load: (info, onChunk, done) => {
      verifyFile(`${directoryOf(info.group)}/${snapshotName(info.index, info.term)}`, onChunk, (error) => done(error))
    },
  }
}

/** The first error that says something else than that a file is gone already. */
const removeEach = (fileSystem: FileSystem, paths: readonly string[], done: (failure: FileError | null) => void): void => {
  let failure: FileError | null = null
  const serial = createSerial<undefined>(undefined, () => done(failure))
  for (const path of paths) {
    serial.step((_, next) => fileSystem.remove(path, (error) => {
      if (error?.code !== 'ENOENT') failure ??= error
      next(null, undefined)
    }))
  }
  serial.run()
}

/** Null where the error says something of the file itself. Otherwise what is in it is not known, and nothing may be concluded from it. */
const unopened = (path: string, error: FileError | null): FileError | null => {
  const { code = '', message = '' } = error ?? {}
  const isNotAllowed = notAllowed.includes(code)
  if (!isNotAllowed && !noDescriptor.includes(code)) return null
  const cure = isNotAllowed ? 'give the data directory to the user that this node runs as' : 'raise the limit of open files (ulimit -n)'
  return Object.assign(new Error(`${path} can not be opened: ${cure} (${message})`), { code })
}

export interface Identity { readonly group: GroupId; readonly index: number; readonly term: number }

const receivedPath = ({ group, index, term }: Identity): { readonly directory: string; readonly temporary: string } =>
  ({ directory: directoryOf(group), temporary: `${directoryOf(group)}/${snapshotName(index, term)}${RECEIVE_SUFFIX}` })

const isSame = (info: Identity, expected: Identity): boolean =>
  info.group === expected.group && info.index === expected.index && info.term === expected.term

const newestFirst = (infos: readonly SnapshotInfo[]): SnapshotInfo[] =>
  [...infos].sort((a, b) => b.index - a.index || b.term - a.term)

const isOlder = (name: string, than: SnapshotInfo | undefined): boolean => {
  const parsed = parseSnapshotName(name)
  if (parsed === undefined || than === undefined) return false
  return parsed.index < than.index || (parsed.index === than.index && parsed.term < than.term)
}

const isOneOf = (name: string, indexes: readonly Index[]): boolean => indexes.includes(parseSnapshotName(name)?.index ?? 0)

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
      done(Object.assign(new Error('the snapshot was cancelled'), { code: 'ECANCELED' }))
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
