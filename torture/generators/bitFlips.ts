/** One bit flipped at every byte; another bit in every pass. */

import { changed, withFile } from '../specimen.ts'
import { changingLogs, everyByte } from './logs.ts'
import type { Generator } from '../generator.ts'
import type { BytePlace, SpecimensOf } from './logs.ts'

interface BitPlace extends BytePlace { readonly bit: number }

const BIT_STEP = 5

export const bitFlips = (specimensOf: SpecimensOf): Generator => changingLogs<BitPlace>({
  name: 'a bit flipped', share: 9, specimensOf,
  placesOf: (specimen, pass) => everyByte(specimen).map((place) => ({ ...place, bit: (place.offset * BIT_STEP + pass) % 8 })),
  change: ({ image }, { path, offset, bit }) => withFile(image, path, changed(image.files.get(path) ?? new Uint8Array(0), (bytes) => {
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit)
  })),
})
