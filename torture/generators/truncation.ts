/**
 * Every segment cut at every byte, and every segment with zeros from a byte on and its length kept: what file systems leave of a file that
 * they had not written out when the power went (ext4, XFS).
 */

import { endOfData } from '../../storage/bytes.ts'
import { changed, withFile } from '../specimen.ts'
import { changingLogs, everyByte } from './logs.ts'
import type { Generator } from '../generator.ts'
import type { Specimen } from '../specimen.ts'
import type { BytePlace, SpecimensOf } from './logs.ts'

export const truncation = (specimensOf: SpecimensOf): Generator => changingLogs({
  name: 'truncated at a byte', share: 8, specimensOf, placesOf: everyByte,
  change: ({ image }, { path, offset }) => withFile(image, path, image.files.get(path)?.slice(0, offset)),
})

/** Behind the data there are zeros already. */
const beforeTheEnd = (specimen: Specimen): readonly BytePlace[] => everyByte(specimen).filter(({ path, offset }) =>
  offset < endOfData(specimen.image.files.get(path) ?? new Uint8Array(0), 0))

export const zeroedTails = (specimensOf: SpecimensOf): Generator => changingLogs({
  name: 'zeros from a byte on', share: 5, specimensOf, placesOf: beforeTheEnd,
  change: ({ image }, { path, offset }) =>
    withFile(image, path, changed(image.files.get(path) ?? new Uint8Array(0), (bytes) => bytes.fill(0, offset))),
})
