/** Records and commit groups written twice, swapped, left out, or standing where others belong, with every byte of theirs intact. */

import { GROUP_HEADER_BYTES } from '../../storage/group.ts'
import { readSegment } from '../../storage/segmentReader.ts'
import { changed, segmentsOf, withFile } from '../specimen.ts'
import { changingLogs } from './logs.ts'
import type { Generator } from '../generator.ts'
import type { SegmentFile, Specimen } from '../specimen.ts'
import type { SpecimensOf } from './logs.ts'

interface Unit { readonly path: string; readonly from: number; readonly to: number }

const tricks = ['doubled', 'left out', 'swapped', 'overwritten'] as const

interface RecordPlace { readonly trick: (typeof tricks)[number]; readonly unit: Unit; readonly other: Unit }

/** Every unit meets its neighbour and a few further away, others in every pass. */
const PARTNERS = 3
const STRIDE = 11

const groupsOf = ({ path, segment, bytes }: SegmentFile): readonly (readonly Unit[])[] =>
  readSegment({ segment, image: bytes, chain: undefined, salt: undefined, limit: undefined }).groups.map(({ header, records }) => {
    let at = header.at.offset + GROUP_HEADER_BYTES
    const whole = { path, from: header.at.offset, to: at + header.bodyBytes }
    return [whole, ...records.map((record) => {
      const unit = { path, from: at, to: at + record.bytes }
      at = unit.to
      return unit
    })]
  })

const placesOf = ({ image }: Specimen, pass: number): readonly RecordPlace[] => {
  const groups = segmentsOf(image).flatMap(groupsOf)
  const wholes = groups.flatMap(([whole]) => (whole === undefined ? [] : [whole]))
  const records = groups.flatMap(([, ...units]) => units)
  return [wholes, records].flatMap((units) => units.flatMap((unit, i) => Array.from({ length: PARTNERS }, (_, k) => {
    const other = units[(i + 1 + (k === 0 ? 0 : pass + k * STRIDE)) % units.length] ?? unit
    return tricks.map((trick) => ({ trick, unit, other }))
  }).flat()))
}

const bytesOf = (specimen: Specimen, { path, from, to }: Unit): Uint8Array =>
  specimen.image.files.get(path)?.slice(from, to) ?? new Uint8Array(0)

const put = (bytes: Uint8Array, at: number, unit: Uint8Array): void => bytes.set(unit.subarray(0, Math.max(0, bytes.length - at)), at)

/** Nothing moves but what is named: a log whose whole tail stands elsewhere is a log without that tail, which nobody can know. */
const play = (bytes: Uint8Array, specimen: Specimen, { trick, unit, other }: RecordPlace): void => {
  const own = bytesOf(specimen, unit)
  switch (trick) {
    case 'doubled': put(bytes, unit.to, own); return
    case 'left out': bytes.fill(0, unit.from, unit.to); return
    case 'swapped':
      put(bytes, unit.from, bytesOf(specimen, other))
      if (other.path === unit.path) put(bytes, other.from, own)
      return
    case 'overwritten': put(bytes, unit.from, bytesOf(specimen, other)); return
  }
  trick satisfies never
}

export const movedRecords = (specimensOf: SpecimensOf): Generator => changingLogs<RecordPlace>({
  name: 'a record or group doubled, swapped, misplaced', share: 5, specimensOf, placesOf,
  change: (specimen, place) => {
    const { image } = specimen
    const { path } = place.unit
    return withFile(image, path, changed(image.files.get(path) ?? new Uint8Array(0), (bytes) => play(bytes, specimen, place)))
  },
})
