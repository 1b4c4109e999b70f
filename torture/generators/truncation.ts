/** Every segment cut at every byte. */

import { withFile } from '../specimen.ts'
import { changingLogs, everyByte } from './logs.ts'
import type { Generator } from '../generator.ts'
import type { SpecimensOf } from './logs.ts'

export const truncation = (specimensOf: SpecimensOf): Generator => changingLogs({
  name: 'truncated at a byte', share: 8, specimensOf, placesOf: everyByte,
  change: ({ image }, { path, offset }) => withFile(image, path, image.files.get(path)?.slice(0, offset)),
})
