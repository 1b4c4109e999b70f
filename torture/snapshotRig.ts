/** Snapshot files on a disk that forgets, asked one call at a time. */

import { createSnapshotFiles } from '../storage/snapshotFiles.ts'
import { createMemoryFileSystem } from '../storage/memoryFileSystem.ts'
import { snapshotName } from '../storage/snapshotFormat.ts'
import { createVirtualClock } from './virtualClock.ts'
import type { Done, FileError } from '../storage/fileSystem.ts'
import type { DiskCall, DiskFault, DiskImage, MemoryFileSystem } from '../storage/memoryFileSystem.ts'
import type { SnapshotHeader, SnapshotInfo, SnapshotStore } from '../storage/snapshotStore.ts'
import type { ReplicaId } from '../topology/ids.ts'
import type { VirtualClock } from './virtualClock.ts'

const GROUP = 3
const TERM = 2
const ANSWER_MS = 50

export const headerOf = (index: number): SnapshotHeader => ({
  group: GROUP, index, term: TERM, configuration: { epoch: 0, voters: ['a:1' as ReplicaId], outgoing: [], learners: ['b:2' as ReplicaId] },
})

/** The content of the snapshot at an index. */
export const fillOf = (index: number, bytes: number): readonly Uint8Array[] =>
  Array.from({ length: 3 }, (_, at) => new Uint8Array(bytes + at).fill(index * 16 + at))

type Listing = Parameters<Parameters<SnapshotStore['list']>[1]>[1]
type Answer<T> = { readonly error: FileError | null; readonly result: T } | undefined

export interface SnapshotRig {
  readonly clock: VirtualClock
  readonly disk: MemoryFileSystem
  readonly store: SnapshotStore
  /** Undefined when there was no answer. */
  readonly ask: <T>(call: (done: Done<T>) => void) => Answer<T>
  /** Null: written, verified and durable. Undefined: no answer. */
  readonly write: (index: number, chunks: readonly Uint8Array[]) => FileError | null | undefined
  readonly list: () => Listing
  readonly load: (info: SnapshotInfo) => { readonly chunks: readonly Uint8Array[]; readonly error: FileError | null | undefined }
  /** `through`: what the log has reached; left out, all. */
  readonly prune: (keep: number, through?: number) => FileError | null | undefined
  readonly pathOf: (index: number) => string
}

export interface SnapshotRigOptions {
  readonly image?: DiskImage
  readonly fault?: (call: DiskCall) => DiskFault | undefined
  /** Another rig's disk and clock. */
  readonly on?: { readonly clock: VirtualClock; readonly disk: MemoryFileSystem }
}

export const createSnapshotRig = (options: SnapshotRigOptions = {}): SnapshotRig => {
  const clock = options.on?.clock ?? createVirtualClock()
  const { image, fault } = options
  const disk = options.on?.disk ?? createMemoryFileSystem({
    schedule: (fn) => clock.defer(fn), ...(image === undefined ? {} : { image }), ...(fault === undefined ? {} : { fault }),
  })
  const store = createSnapshotFiles({ fileSystem: disk, clock })
  const ask: SnapshotRig['ask'] = (call) => {
    let answer: ReturnType<SnapshotRig['ask']>
    call((error, result) => { answer = { error, result } })
    clock.runUntil(() => answer !== undefined, ANSWER_MS)
    return answer as never
  }
  return {
    clock, disk, store, ask,
    write: (index, chunks) => ask((done) => store.write(headerOf(index), chunks[Symbol.iterator](), done))?.error,
    list: () => ask<Listing>((done) => store.list(GROUP, done))?.result ?? { good: [], damaged: [] },
    load: (info) => {
      const chunks: Uint8Array[] = []
      const answer = ask((done) => store.load(info, (bytes) => chunks.push(Uint8Array.from(bytes)), done))
      return { chunks, error: answer?.error }
    },
    prune: (newest, through = Number.POSITIVE_INFINITY) => ask((done) => store.prune(GROUP, { newest, through, inUse: [] }, done))?.error,
    pathOf: (index) => `snapshots/${GROUP}/${snapshotName(index, TERM)}`,
  }
}
