/**
 * Snapshots that arrive in pieces: one temporary file each, pieces in order, one file operation at a time.
 *
 * A piece that does not start where the file ends changes nothing; the answer says where it ends. After a restart nothing is known, so the
 * answer is 0 and the sender starts anew: half a file of unknown history is never built upon.
 *
 * A replica receives one snapshot at a time, so the first piece of another one ends what its group was receiving. Nobody says that a
 * transfer was given up: its leader is gone, or sends another snapshot, or nothing any more. File and descriptor go with the next one, or
 * when the replica has come as far without it (`dropThrough`), or when it ends (`dropAll`).
 */

import type { Clock } from '../actors/kernel/clock.ts'
import type { GroupId } from '../topology/ids.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { writeFully } from './fileWriter.ts'
import { damagedError } from './snapshotReader.ts'
import type { Identity, Publish, SnapshotInfo, TemporaryPath } from './snapshotStore.ts'

interface Piece { readonly offset: number; readonly bytes: Uint8Array }

interface Receive extends Identity { readonly temporary: string; file: File; length: number }

/** A task ends by calling its argument. Waiting tasks are bounded by the sender's window: it awaits each answer. */
type Task = (ended: () => void) => void

export interface ReceivesOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly inUse: Set<string>
  readonly pathOf: TemporaryPath
  readonly publish: Publish
}

export interface Receives {
  readonly receive: (identity: Identity, piece: Piece, done: Done<number>) => void
  readonly finish: (identity: Identity, totalBytes: number, done: Done<SnapshotInfo>) => void
  /** Drops what the group receives of snapshots up to `index`: nobody waits for them any more. At once where there is nothing. */
  readonly dropThrough: (group: GroupId, index: number, done: () => void) => void
  /** Drops whatever the group receives, behind what is under way. */
  readonly dropAll: (group: GroupId, done: () => void) => void
}

export const createReceives = ({ fileSystem, clock, inUse, pathOf, publish }: ReceivesOptions): Receives => {
  const receives = new Map<string, Receive>()
  const waiting: Task[] = []
  let isBusy = false

  const runNext = (): void => {
    const task = waiting.shift()
    isBusy = task !== undefined
    task?.(runNext)
  }
  const enqueue = (task: Task): void => {
    waiting.push(task)
    if (!isBusy) runNext()
  }

  /** What can not be closed or removed is a left-over: `prune` tries again, and says what it can not remove. */
  const drop = ({ temporary, file }: Receive, done: () => void): void => {
    receives.delete(temporary)
    inUse.delete(temporary)
    file.close(() => fileSystem.remove(temporary, () => done()))
  }
  const dropEach = ([first, ...rest]: readonly Receive[], done: () => void): void => {
    if (first === undefined) done()
    else drop(first, () => dropEach(rest, done))
  }
  const ofGroup = (group: GroupId): Receive[] => [...receives.values()].filter((receive) => receive.group === group)
  const dropLater = (which: () => readonly Receive[], done: () => void): void => enqueue((ended) => {
    dropEach(which(), () => {
      ended()
      done()
    })
  })
  const begin = (identity: Identity, done: (error: FileError | null, receive: Receive | undefined) => void): void => {
    const { directory, temporary } = pathOf(identity)
    const fail = (error: FileError): void => {
      inUse.delete(temporary)
      done(error, undefined)
    }
    const open = (): void => fileSystem.open(temporary, 'create', (error, file) => {
      if (error !== null) {
        fail(error)
        return
      }
      const receive: Receive = { ...identity, temporary, file, length: 0 }
      receives.set(temporary, receive)
      done(null, receive)
    })
    dropEach(ofGroup(identity.group), () => {
      // Before anything is done with the name: `prune` may be about to remove what an earlier process left under it.
      inUse.add(temporary)
      fileSystem.remove(temporary, () =>
        fileSystem.makeDirectory(directory, (error) => (error === null ? open() : fail(error))))
    })
  }
  const append = (receive: Receive, bytes: Uint8Array, done: Done<number>): void => {
    writeFully(receive.file, { bytes, position: receive.length }, (error) => {
      if (error === null) {
        receive.length += bytes.length
        done(null, receive.length)
      } else drop(receive, () => done(error, 0))
    })
  }
  const complete = ({ temporary, file }: Receive, done: (error: FileError | null) => void): void => {
    receives.delete(temporary)
    file.datasync((syncError) => file.close((closeError) => done(syncError ?? closeError)))
  }

  return {
    receive: (identity, { offset, bytes }, done) => enqueue((ended) => {
      const answer: Done<number> = (error, length) => {
        ended()
        done(error, length)
      }
      const known = receives.get(pathOf(identity).temporary)
      if (offset === 0) {
        begin(identity, (error, receive) => (receive === undefined ? answer(error, 0) : append(receive, bytes, answer)))
      } else if (known !== undefined && offset === known.length) append(known, bytes, answer)
      else clock.defer(() => answer(null, known?.length ?? 0))
    }),
    finish: (identity, totalBytes, done) => enqueue((ended) => {
      const { temporary } = pathOf(identity)
      const receive = receives.get(temporary)
      const answer: Done<SnapshotInfo> = (error, info) => {
        inUse.delete(temporary)
        ended()
        done(error, info)
      }
      const nothing: SnapshotInfo = { ...identity, totalBytes: 0, configuration: { epoch: 0, voters: [], outgoing: [], learners: [] } }
      const refuse = (error: FileError): void => fileSystem.remove(temporary, () => answer(error, nothing))
      if (receive === undefined || receive.length !== totalBytes) {
        if (receive === undefined) refuse(damagedError(temporary))
        else drop(receive, () => answer(damagedError(temporary), nothing))
        return
      }
      complete(receive, (error) => {
        if (error !== null) refuse(error)
        else publish({ temporary, expected: identity },
          (publishError, info) => (publishError === null ? answer(null, info) : refuse(publishError)))
      })
    }),
    dropThrough: (group, index, done) => {
      const passed = (): Receive[] => ofGroup(group).filter((receive) => receive.index <= index)
      if (passed().length === 0) done()
      else dropLater(passed, done)
    },
    dropAll: (group, done) => dropLater(() => ofGroup(group), done),
  }
}
