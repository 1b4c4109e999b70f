/** A write that went astray: a sector or page of the log stands where another belongs. */

import { PAGE_BYTES, SECTOR_BYTES } from '../../storage/memoryInode.ts'
import { changed, segmentsOf, withFile } from '../specimen.ts'
import { changingLogs } from './logs.ts'
import type { Generator } from '../generator.ts'
import type { Specimen } from '../specimen.ts'
import type { SpecimensOf } from './logs.ts'

interface Spot { readonly path: string; readonly at: number; readonly length: number }
interface MovePlace { readonly to: Spot; readonly from: Spot }

/** Every target gets this many sources of its length, others in every pass. */
const SOURCES = 5
const STRIDE = 7

const spotsOf = ({ image }: Specimen, length: number): readonly Spot[] => segmentsOf(image).flatMap(({ path, bytes }) =>
  Array.from({ length: Math.floor(bytes.length / length) }, (_, at) => ({ path, at: at * length, length })))

const movesOf = (specimen: Specimen, pass: number): readonly MovePlace[] => [SECTOR_BYTES, PAGE_BYTES].flatMap((length) => {
  const spots = spotsOf(specimen, length)
  return spots.flatMap((to, i) => Array.from({ length: SOURCES }, (_, k) => spots[(i + 1 + pass + k * STRIDE) % spots.length])
    .flatMap((from) => (from === undefined ? [] : [{ to, from }])))
})

export const movedSectors = (specimensOf: SpecimensOf): Generator => changingLogs<MovePlace>({
  name: 'a sector or page written elsewhere', share: 3, specimensOf, placesOf: movesOf,
  change: ({ image }, { to, from }) => {
    const source = image.files.get(from.path) ?? new Uint8Array(0)
    return withFile(image, to.path, changed(image.files.get(to.path) ?? new Uint8Array(0), (bytes) => {
      bytes.set(source.subarray(from.at, from.at + from.length), to.at)
    }))
  },
})
