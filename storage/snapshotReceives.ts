/**
 * Snapshots that arrive in pieces: one temporary file each, pieces in order, one file operation at a time.
 *
 * A piece that does not start where the file ends changes nothing; the answer says where it ends. After a restart nothing is known, so the
 * answer is 0 and the sender starts anew: half a file of unknown history is never built upon.
 */

import type { Clock } from '../actors/kernel/clock.ts'
import type { GroupId } from '../topology/ids.ts'
import type { Done, File, FileError, FileSystem } from './fileSystem.ts'
import { writeFully } from './fileWriter.ts'
import { damagedError } from './snapshotReader.ts'
import type { SnapshotInfo } from './snapshotStore.ts'

interface Identity { readonly group: GroupId; readonly index: number; readonly term: number }

interface Piece { readonly offset: number; readonly bytes: Uint8Array }

interface Receive { readonly temporary: string; readonly directory: string; file: File | undefined; length: number }

/** A task ends by calling its argument. Waiting tasks are bounded by the sender's window: it awaits each answer. */
type Task = (ended: () => void) => void

export interface ReceivesOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly inUse: Set<string>
  readonly pathOf: (identity: Identity) => { readonly directory: string; readonly temporary: string }
  readonly publish: (temporary: string, identity: Identity, done: Done<SnapshotInfo>) => void
}

export interface Receives {
  readonly receive: (identity: Identity, piece: Piece, done: Done<number>) => void
  readonly finish: (identity: Identity, totalBytes: number, done: Done<SnapshotInfo>) => void
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

  const drop = (receive: Receive, done: () => void): void => {
    receives.delete(receive.temporary)
    inUse.delete(receive.temporary)
    const remove = (): void => fileSystem.remove(receive.temporary, () => done())
    if (receive.file === undefined) remove()
    else receive.file.close(remove)
  }
  const begin = (identity: Identity, done: Done<Receive>): void => {
    const { directory, temporary } = pathOf(identity)
    const known = receives.get(temporary) ?? { temporary, directory, file: undefined, length: 0 }
    drop(known, () => {
      const receive: Receive = { temporary, directory, file: undefined, length: 0 }
      fileSystem.makeDirectory(directory, (makeError) => {
        if (makeError !== null) {
          done(makeError, receive)
          return
        }
        fileSystem.open(temporary, 'create', (error, file) => {
          if (error === null) {
            receive.file = file
            receives.set(temporary, receive)
            inUse.add(temporary)
          }
          done(error, receive)
        })
      })
    })
  }
  const append = (receive: Receive, bytes: Uint8Array, done: Done<number>): void => {
    const { file } = receive
    if (file === undefined) {
      done(null, receive.length)
      return
    }
    writeFully(file, { bytes, position: receive.length }, (error) => {
      if (error === null) {
        receive.length += bytes.length
        done(null, receive.length)
      } else drop(receive, () => done(error, 0))
    })
  }
  const complete = (receive: Receive, file: File, done: (error: FileError | null) => void): void => {
    receives.delete(receive.temporary)
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
        begin(identity, (error, receive) => (error === null ? append(receive, bytes, answer) : answer(error, 0)))
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
      if (receive?.file === undefined || receive.length !== totalBytes) {
        if (receive === undefined) refuse(damagedError(temporary))
        else drop(receive, () => answer(damagedError(temporary), nothing))
        return
      }
      complete(receive, receive.file, (error) => {
        if (error !== null) refuse(error)
        else publish(temporary, identity, (publishError, info) => (publishError === null ? answer(null, info) : refuse(publishError)))
      })
    }),
  }
}
