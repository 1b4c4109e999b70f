/**
 * A segment that is read once more before its file goes, so that what lives in it can be written again. Pure.
 *
 * A copy takes the place of the segment, and with the file goes the proof of what was not copied. So what was read has to be all of it: the
 * chain runs from the header's checksum through every record to the value that the successor's header carries, and only then is no record
 * missing and none another. A payload that does not match is passed over where the start of this process found it so: it was
 * judged then, by what the rest of the log says. Any other damage has come since, and nobody has judged it: the caller has to stop, with
 * everything still on the disk, for only a start reads the whole log and knows whom it harms.
 */

import type { FileError } from './fileSystem.ts'
import { decodeSegmentHeader } from './segment.ts'
import { readSegment } from './segmentReader.ts'
import type { ReadGroup } from './segmentReader.ts'
import type { WalRecord } from './record.ts'

/** Where the log left a segment, and the chain value there: what the successor's header says. */
export interface SegmentEnd { readonly offset: number; readonly chain: number }

export interface ColdSegment {
  readonly segment: number
  /** Undefined where the disk can not read it any more. */
  readonly image: Uint8Array | undefined
  readonly salt: number
  readonly end: SegmentEnd
  /** Offsets of the records whose payload the start of this process found damaged. */
  readonly judged: ReadonlySet<number>
}

/** Its entries, and the replica records that void those before them; or what is wrong with it, with code 'EDAMAGED'. */
export const recordsOf = (cold: ColdSegment): readonly WalRecord[] | FileError => {
  const { segment, image, salt, end } = cold
  if (image === undefined) return damagedError(cold, 'a part of it')
  const header = decodeSegmentHeader(image)
  if (header === undefined || header === 'newer') return damagedError(cold, 'its header')
  const { groups, damages, chain } = readSegment({ segment, image, chain: header.checksum, salt, limit: end.offset })
  const place = damages[0]?.offset ?? unjudgedIn(cold, groups)
  if (place !== undefined) return damagedError(cold, `what was written at offset ${place}`)
  if (chain !== end.chain) return damagedError(cold, 'its end')
  return groups.flatMap(({ records }) => records.map(({ record }) => record).filter(isWanted))
}

const isWanted = (record: WalRecord | undefined): record is WalRecord =>
  record?.kind === 'entry' || record?.kind === 'copiedEntry' || record?.kind === 'replica'

const unjudgedIn = ({ judged }: ColdSegment, groups: readonly ReadGroup[]): number | undefined => {
  for (const { records } of groups) {
    for (const { record, offset } of records) if (record === undefined && !judged.has(offset)) return offset
  }
  return undefined
}

const damagedError = ({ segment }: ColdSegment, what: string): FileError => Object.assign(new Error(
  `segment ${segment} of the log was good when this process started, and now ${what} does not read back. Nothing was removed`,
), { code: 'EDAMAGED' })
