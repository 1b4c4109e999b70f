/**
 * The disk of one member in the Raft harness: what was written and what is durable, apart. Writes complete one by one, in order,
 * when the test says so; a crash loses those that have not.
 */

import type { Entry, HardState, Index, RaftEffect, Term } from '../../actors/raft/protocol.ts'
import type { Configuration } from '../../actors/raft/protocol.ts'
import type { GroupId } from '../../topology/ids.ts'
import type { RecoveredGroup } from '../../actors/wal/protocol.ts'

export interface DiskImage {
  hardState: HardState
  mark: { readonly index: Index, readonly term: Term }
  entries: Entry[]
  quarantined: string | undefined
}

export interface DiskSnapshot {
  readonly index: Index
  readonly term: Term
  readonly configuration: Configuration
  readonly bytes: Uint8Array
}

export interface Write {
  readonly apply: (image: DiskImage) => void
  /** Tells the member that it is durable. */
  readonly done: () => void
  readonly ticket: number
}

export interface RaftDisk {
  /** What survives a crash. */
  readonly durable: DiskImage
  /** What the disk will hold once every write is done. */
  readonly written: DiskImage
  readonly writes: Write[]
  /** Newest last; two are kept, and what is being sent. */
  readonly snapshots: DiskSnapshot[]
}

const emptyImage = (): DiskImage => ({ hardState: { term: 0, vote: '' }, mark: { index: 0, term: 0 }, entries: [], quarantined: undefined })

export const createRaftDisk = (): RaftDisk => ({ durable: emptyImage(), written: emptyImage(), writes: [], snapshots: [] })

export const imageLastIndex = (image: DiskImage): Index => image.mark.index + image.entries.length

export const imageTermAt = (image: DiskImage, index: Index): Term | undefined =>
  index === image.mark.index ? image.mark.term : image.entries[index - image.mark.index - 1]?.term

export const applyAppend = (image: DiskImage, effect: Extract<RaftEffect, { type: 'wal.append' }>): void => {
  if (effect.hardState !== undefined) image.hardState = effect.hardState
  for (const entry of effect.entries) {
    const at = entry.index - image.mark.index - 1
    if (at < 0 || at > image.entries.length) throw new Error(`entry ${entry.index} leaves a gap: the disk ends at ${imageLastIndex(image)}`)
    image.entries.length = at
    image.entries.push(entry)
  }
}

/** The record of an installed snapshot: the log after it survives only where its terms agree. */
export const applyInstall = (image: DiskImage, index: Index, term: Term): void => {
  const keeps = imageTermAt(image, index) === term
  image.entries = keeps ? image.entries.slice(index - image.mark.index) : []
  image.mark = { index, term }
}

export const applyCompact = (image: DiskImage, index: Index, term: Term): void => {
  if (index <= image.mark.index) return
  image.entries = image.entries.slice(index - image.mark.index)
  image.mark = { index, term }
}

/** Loses every write that is not done. */
export const loseUnsynced = (disk: RaftDisk): void => {
  disk.writes.length = 0
  copyImage(disk.durable, disk.written)
}

export const copyImage = (from: DiskImage, to: DiskImage): void => {
  Object.assign(to, { ...from, entries: [...from.entries] })
}

export const recover = (disk: RaftDisk, group: GroupId): RecoveredGroup => {
  const { hardState, mark, entries, quarantined } = disk.durable
  return { group, hardState, snapshot: mark, entries: [...entries], ...(quarantined === undefined ? {} : { quarantined }) }
}
