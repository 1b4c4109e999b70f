/**
 * A log that is about to be damaged, and the truth about it: what a restart may find.
 *
 * A cut is what every Raft group says at the end of one commit group, as text. An undamaged restart finds the last cut. A damaged one may
 * find any cut that reaches the durable offset: how far the headers that are still whole in the damaged log say it had been
 * synced. In a sealed log that is all of it; where nothing follows the last group, all but that.
 */

import { must } from '../actors/kernel/assert.ts'
import { crc32 } from '../storage/crc.ts'
import { GROUP_HEADER_BYTES, isBefore } from '../storage/group.ts'
import { recoverLog } from '../storage/recovery.ts'
import { decodeSegmentHeader, segmentOfName } from '../storage/segment.ts'
import { readSegment } from '../storage/segmentReader.ts'
import { currentState } from './model.ts'
import { createRig } from './rig.ts'
import type { Entry, HardState } from '../actors/raft/protocol.ts'
import type { WalConfig } from '../actors/wal/config.ts'
import type { RecoveredGroup, ReplicaMark, SnapshotMark } from '../actors/wal/protocol.ts'
import type { Position } from '../storage/group.ts'
import type { DiskImage } from '../storage/memoryFileSystem.ts'
import type { LogRecovery } from '../storage/recovery.ts'
import type { GroupModel, ModelState } from './model.ts'
import type { Rig } from './rig.ts'

export interface Cut {
  /** What each Raft group says. */
  readonly states: ReadonlyMap<number, string>
  readonly end: Position
}

/** A header, byte by byte, and how far it says the log had been synced when it was written. */
export interface Proof {
  readonly path: string
  readonly offset: number
  readonly bytes: Uint8Array
  readonly synced: Position
}

export interface Specimen {
  readonly name: string
  readonly image: DiskImage
  readonly cuts: readonly Cut[]
  readonly proofs: readonly Proof[]
  /** Everything that was ever submitted, by Raft group: nothing else may come back. */
  readonly known: ReadonlyMap<number, ReadonlySet<string>>
  /** The disk at earlier cuts, for stale segments. */
  readonly history: readonly DiskImage[]
}

export interface Growth {
  readonly rig: Rig
  /** Waits until all that was submitted is on disk: the end of a commit group, or of several when it did not fit one. */
  readonly settle: () => void
}

export interface SpecimenOptions {
  readonly name: string
  readonly config?: Partial<WalConfig>
  readonly isSealed: boolean
}

const SETTLE_MS_MAX = 200
const SEAL_MS = 300
/** In which copying forward ends, and no log seals itself. */
const COPYING_MS = 8
/** What of a segment's header block its checksum covers. */
const SEGMENT_FIELDS_BYTES = 40

export const growSpecimen = (options: SpecimenOptions, story: (growth: Growth) => void): Specimen => {
  /** The disk after each commit group since the last `settle`. */
  let amid: DiskImage[] = []
  const rig = createRig({
    onGroup: (image) => { amid.push(image) }, ...(options.config === undefined ? {} : { config: options.config }),
  }).open()
  const cuts: Cut[] = [cutOf(rig)]
  const history: DiskImage[] = []
  const settle = (): void => {
    amid = []
    if (!rig.clock.runUntil(() => rig.wal.backlogBytes() === 0, SETTLE_MS_MAX)) throw new Error(`${options.name} does not settle`)
    // What was submitted did not fit one group: each that went before the last is a cut, too.
    cuts.push(...amid.slice(0, -1).map(cutAmid))
    history.push(...amid.slice(0, -1))
    rig.clock.advance(COPYING_MS)
    cuts.push(cutOf(rig))
    history.push(rig.disk.image())
  }
  story({ rig, settle })
  if (options.isSealed) {
    settle()
    rig.clock.advance(SEAL_MS)
    cuts.push(cutOf(rig))
  }
  const image = rig.disk.image()
  return { name: options.name, image, cuts, proofs: segmentsOf(image).flatMap(proofsOf), known: knownOf(rig.models), history }
}

/** What an undamaged restart finds. */
export const recovered = (image: DiskImage): LogRecovery =>
  recoverLog(new Map(segmentsOf(image).map(({ segment, bytes }) => [segment, bytes])))

const cutOf = ({ models, disk }: Rig): Cut => ({
  states: new Map([...models].map(([group, model]) => [group, stateText(currentState(model))])),
  end: recovered(disk.image()).tail.end,
})

/** While more waits: the model is ahead, so what an undamaged restart would find has to say it. */
const cutAmid = (image: DiskImage): Cut => {
  const { report, tail } = recovered(image)
  return { states: new Map([...report.groups].map(([id, group]) => [id, stateText({ ...group, mark: group.snapshot })])), end: tail.end }
}

const proofsOf = ({ path, segment, bytes }: SegmentFile): readonly Proof[] => {
  const header = decodeSegmentHeader(bytes)
  if (header === undefined || header === 'newer') return []
  const reading = readSegment({ segment, image: bytes, chain: header.checksum, salt: header.salt, limit: undefined })
  const groups = reading.groups.map(({ header: { at, synced } }) =>
    ({ path, offset: at.offset, bytes: bytes.slice(at.offset, at.offset + GROUP_HEADER_BYTES), synced }))
  return [{ path, offset: 0, bytes: bytes.slice(0, SEGMENT_FIELDS_BYTES), synced: header.previous }, ...groups]
}

/**
 * How far what is left of the log proves that it had been synced. A segment has its whole size before it has its name, so that one which
 * was begun and is shorter is damage by itself, whatever went with its end, proofs among it: nothing less than all is right then.
 */
export const durableEnd = ({ image: whole, cuts, proofs }: Specimen, image: DiskImage): Position => {
  const isShort = (path: string): boolean => (image.files.get(path)?.length ?? Infinity) < (whole.files.get(path)?.length ?? 0)
  if (proofs.some(({ path }) => isShort(path))) return must(cuts.at(-1), 'a log has a cut before anything is written').end
  let end: Position = { segment: 0, offset: 0 }
  for (const { path, offset, bytes, synced } of proofs) {
    const now = image.files.get(path)?.subarray(offset, offset + bytes.length)
    if (isBefore(end, synced) && now !== undefined && Buffer.compare(now, bytes) === 0) end = synced
  }
  return end
}

export const hardStateText = ({ term, vote }: HardState): string => `vote ${term} ${vote}`
export const markText = ({ index, term }: SnapshotMark): string => `mark ${index}/${term}`
export const entryText = ({ index, term, kind, payload }: Entry): string =>
  `${index}/${term}/${kind}/${payload.length}/${crc32(payload)}`

export const replicaText = (replica: ReplicaMark | undefined): string =>
  (replica === undefined ? 'genesis' : `replica ${replica.generation}${replica.isRemoved ? ' removed' : ''}`)

export const stateText = ({ hardState, mark, entries, replica }: Omit<ModelState, 'quarantined'>): string =>
  [replicaText(replica), hardStateText(hardState), markText(mark), ...entries.map(entryText)].join(' | ')

/** The same for what a restart found, and whether it is trusted. */
export const recoveredText = (group: RecoveredGroup): string =>
  `${group.quarantined === undefined ? 'trusted' : 'quarantined'}: ${stateText({ ...group, mark: group.snapshot })}`

const knownOf = (models: ReadonlyMap<number, GroupModel>): ReadonlyMap<number, ReadonlySet<string>> =>
  new Map([...models].map(([group, { steps }]) => {
    const texts = new Set([replicaText(undefined), hardStateText({ term: 0, vote: '' }), markText({ index: 0, term: 0 })])
    for (const step of steps) {
      if (step.kind === 'hardState') texts.add(hardStateText(step.hardState))
      else if (step.kind === 'entry') texts.add(entryText(step.entry))
      else if (step.kind === 'replica') texts.add(replicaText(step.replica))
      else if (step.kind !== 'quarantine') texts.add(markText(step.mark))
    }
    return [group, texts]
  }))

const segmentOfPath = (path: string): number | undefined => segmentOfName(path.slice(path.lastIndexOf('/') + 1))

export interface SegmentFile { readonly path: string; readonly segment: number; readonly bytes: Uint8Array }

/** The segments of an image, ascending. */
export const segmentsOf = (image: DiskImage): readonly SegmentFile[] => [...image.files].flatMap(([path, bytes]) => {
  const segment = segmentOfPath(path)
  return segment === undefined ? [] : [{ path, segment, bytes }]
}).sort((a, b) => a.segment - b.segment)

/** The image with another content for one file; without the file for undefined. The rest is shared and not to be changed. */
export const withFile = (image: DiskImage, path: string, bytes: Uint8Array | undefined): DiskImage => {
  const files = new Map(image.files)
  if (bytes === undefined) files.delete(path)
  else files.set(path, bytes)
  return { files, directories: image.directories }
}

export const changed = (bytes: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  change(copy)
  return copy
}
