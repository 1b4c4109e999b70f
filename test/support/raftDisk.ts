/**
 * The disk of one member in the Raft harness: what was written and what is durable, apart. Writes complete one by one, in order,
 * when the test says so; a crash loses those that have not.
 */

import { crc32 } from '../../storage/crc.ts'
import type { Configuration, Entry, HardState, Index, RaftEffect, RaftLocalEvent, Term } from '../../actors/raft/protocol.ts'
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

type EffectOf<Type extends RaftEffect['type']> = Extract<RaftEffect, { type: Type }>

/** As the harness writes a snapshot: its end says of what it is. */
export const isSnapshotOf = (bytes: Uint8Array, index: Index, term: Term): boolean =>
  new TextDecoder().decode(bytes).endsWith(`"at":[${index},${term}]}`)

/** The two newest are kept, and what is being sent; one of the same index is replaced. */
export const keepSnapshot = (disk: RaftDisk, inUse: readonly Index[], snapshot: DiskSnapshot): void => {
  const others = disk.snapshots.splice(0).filter(({ index }) => index !== snapshot.index)
  disk.snapshots.push(...others.filter(({ index }, i, all) => i >= all.length - 1 || inUse.includes(index)), snapshot)
}

export const chunkRead = ({ snapshots }: RaftDisk, effect: EffectOf<'raft.readChunk'>): RaftLocalEvent => {
  const { to, snapshotIndex, offset, lengthMax } = effect
  const bytes = snapshots.find(({ index }) => index === snapshotIndex)?.bytes.slice(offset, offset + lengthMax)
  if (bytes === undefined) return { type: 'raft.chunkReadFailed', to, snapshotIndex }
  return { type: 'raft.chunkRead', to, snapshotIndex, offset, crc: crc32(bytes), bytes }
}

export const snapshotVerified = ({ snapshots }: RaftDisk, { index, term }: EffectOf<'raft.verifySnapshot'>): RaftLocalEvent => {
  const file = snapshots.find((each) => each.index === index)
  return { type: 'raft.snapshotVerified', index, isGood: file !== undefined && isSnapshotOf(file.bytes, index, term) }
}
