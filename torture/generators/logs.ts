/** A generator that changes logs: one image for every place that `placesOf` names in every specimen of a pass. */

import { judgeLog } from '../oracle.ts'
import { remembered } from '../generator.ts'
import { segmentsOf } from '../specimen.ts'
import { endOfData } from '../../storage/bytes.ts'
import type { DiskImage } from '../../storage/memoryFileSystem.ts'
import type { Generator } from '../generator.ts'
import type { Specimen } from '../specimen.ts'

export type SpecimensOf = (pass: number) => readonly Specimen[]

export interface LogChange<Place> {
  readonly name: string
  readonly share: number
  readonly specimensOf: SpecimensOf
  readonly placesOf: (specimen: Specimen, pass: number) => readonly Place[]
  readonly change: (specimen: Specimen, place: Place) => DiskImage
}

export const changingLogs = <Place>({ name, share, specimensOf, placesOf, change }: LogChange<Place>): Generator => {
  const worksOf = remembered((pass) => specimensOf(pass).map((specimen) => ({ specimen, places: placesOf(specimen, pass) })))
  return {
    name, share,
    sizeOf: (pass) => worksOf(pass).reduce((sum, { places }) => sum + places.length, 0),
    judge: (pass, index) => {
      let at = index
      for (const { specimen, places } of worksOf(pass)) {
        const place = places[at]
        if (place === undefined) {
          at -= places.length
          continue
        }
        const verdict = judgeLog(specimen, change(specimen, place))
        return verdict.problem === undefined ? verdict
          : { ...verdict, problem: `${specimen.name}, ${JSON.stringify(place)}: ${verdict.problem}` }
      }
      throw new RangeError(`${name} has no image ${index} in pass ${pass}`)
    },
  }
}

export interface BytePlace { readonly path: string; readonly offset: number }

/** Nothing but zeros follows: one place stands for many. */
const ZEROS_STEP = 256
const MARGIN_BYTES = 48

/** Every byte of every segment up to the end of its data; then some. */
export const everyByte = ({ image }: Specimen): readonly BytePlace[] => segmentsOf(image).flatMap(({ path, bytes }) => {
  const places: BytePlace[] = []
  const headerEnd = endOfData(bytes.subarray(0, 4_096), 0) + MARGIN_BYTES
  const end = endOfData(bytes, 0) + MARGIN_BYTES
  for (let offset = 0; offset < bytes.length; offset += 1) {
    const isData = offset < headerEnd || (offset >= 4_096 && offset < end)
    if (isData || offset % ZEROS_STEP === 0) places.push({ path, offset })
  }
  return places
})
