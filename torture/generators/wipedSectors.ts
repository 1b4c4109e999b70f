/** Sectors and pages that come back as zeros, as ones, or as noise. */

import { createRandom } from '../../actors/kernel/random.ts'
import { PAGE_BYTES, SECTOR_BYTES } from '../../storage/memoryInode.ts'
import { changed, segmentsOf, withFile } from '../specimen.ts'
import { changingLogs } from './logs.ts'
import type { Generator } from '../generator.ts'
import type { Specimen } from '../specimen.ts'
import type { SpecimensOf } from './logs.ts'

const fills = ['zeros', 'ones', 'noise'] as const

interface RunPlace { readonly path: string; readonly from: number; readonly length: number; readonly fill: (typeof fills)[number] }

const runsOf = ({ image }: Specimen): readonly RunPlace[] => segmentsOf(image).flatMap(({ path, bytes }) =>
  [SECTOR_BYTES, PAGE_BYTES].flatMap((length) => fills.flatMap((fill) =>
    Array.from({ length: Math.floor(bytes.length / length) }, (_, at) => ({ path, from: at * length, length, fill })))))

const wipe = (bytes: Uint8Array, { from, length, fill }: RunPlace): void => {
  const run = bytes.subarray(from, from + length)
  const random = createRandom(from)
  if (fill === 'noise') run.forEach((_, at) => { run[at] = random.uint32() & 0xff })
  else run.fill(fill === 'zeros' ? 0 : 0xff)
}

export const wipedSectors = (specimensOf: SpecimensOf): Generator => changingLogs<RunPlace>({
  name: 'a sector or page wiped', share: 3, specimensOf, placesOf: runsOf,
  change: ({ image }, place) =>
    withFile(image, place.path, changed(image.files.get(place.path) ?? new Uint8Array(0), (bytes) => wipe(bytes, place))),
})
