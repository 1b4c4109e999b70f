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

import type { Clock } from '../actors/kernel/clock.ts'
import type { Index } from '../actors/raft/protocol.ts'
import type { GroupId } from '../topology/ids.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { createReceives } from './snapshotReceives.ts'
import { createSerial } from './serial.ts'
import { parseSnapshotName, snapshotName } from './snapshotFormat.ts'
import { damagedError, verifySnapshot } from './snapshotReader.ts'
import { cancelledError, createWrites } from './snapshotWrites.ts'
import { createSlices } from './slices.ts'
import { FIRST_LEVEL } from '../topology/level.ts'
import type { Identity, Publish, SnapshotInfo, SnapshotStore, TemporaryPath } from './snapshotStore.ts'

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

  /** Verifies a complete, synced temporary file and gives it its final name. A peer may write by a level that is not known here yet. */
  const publish: Publish = ({ temporary, expected, isCancelled = () => false }, done) => {
    const { group, index, term } = expected
    const path = `${directoryOf(group)}/${snapshotName(index, term)}`
    verifySnapshot({ slices, path: temporary, onChunk: () => {}, levelMax: level(), open: open(temporary) }, (error, info) => {
      const failure = error ?? (isSame(info, expected) ? null : damagedError(temporary)) ?? (isCancelled() ? cancelledError() : null)
      if (failure !== null) {
        done(failure, info)
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
  const writes = createWrites({ fileSystem, slices, inUse, level, publish, pathOf: writtenPath })

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
  const removeAll = (group: GroupId, { names, isSpared }: Removal, done: Done): void => {
    const paths = names.map((name) => `${directoryOf(group)}/${name}`)
    for (const path of paths) verified.delete(path)
    removeEach(fileSystem, { paths, isSpared }, (failure) =>
      fileSystem.syncDirectory(directoryOf(group), (error) => done(failure ?? error)))
  }

  const prune: SnapshotStore['prune'] = (group, kept, done) => receives.dropThrough(group, kept.through, () => {
    namesOf(group, (listError, names) => {
      if (listError !== null || names.length === 0) {
        done(listError)
        return
      }
      const known = names.map((name) => verified.get(`${directoryOf(group)}/${name}`)).filter((info) => info !== undefined)
      const oldestKept = newestFirst(known.filter(({ index }) => index <= kept.through))[kept.newest - 1]
      const removed = names.filter((name) => {
        const isTemporary = name.endsWith(WRITE_SUFFIX) || name.endsWith(RECEIVE_SUFFIX)
        return isTemporary || (isOlder(name, oldestKept) && !isOneOf(name, kept.inUse))
      })
      // One that is in use is no left-over; and a left-over's name may be given to a new file before its turn comes.
      removeAll(group, { names: removed, isSpared: (path) => inUse.has(path) }, done)
    })
  })

  const clear: SnapshotStore['clear'] = (group, done) => receives.dropAll(group, () => writes.ended(group, () => {
    namesOf(group, (listError, names) => {
      if (listError !== null || names.length === 0) done(listError)
      else removeAll(group, { names, isSpared: () => false }, done)
    })
  }))

  return {
    write: writes.write, verify, list, prune, clear,
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

/** `isSpared` is asked just before each is removed. */
interface Removal { readonly names: readonly string[]; readonly isSpared: (path: string) => boolean }

interface Paths extends Pick<Removal, 'isSpared'> { readonly paths: readonly string[] }

/** The first error that says something else than that a file is gone already. */
const removeEach = (fileSystem: FileSystem, { paths, isSpared }: Paths, done: (failure: FileError | null) => void): void => {
  let failure: FileError | null = null
  const serial = createSerial<undefined>(undefined, () => done(failure))
  for (const path of paths) {
    serial.step((_, next) => {
      if (isSpared(path)) {
        next(null, undefined)
        return
      }
      fileSystem.remove(path, (error) => {
        if (error?.code !== 'ENOENT') failure ??= error
        next(null, undefined)
      })
    })
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

const pathWith = (suffix: string): TemporaryPath => ({ group, index, term }) =>
  ({ directory: directoryOf(group), temporary: `${directoryOf(group)}/${snapshotName(index, term)}${suffix}` })

const writtenPath = pathWith(WRITE_SUFFIX)
const receivedPath = pathWith(RECEIVE_SUFFIX)

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
