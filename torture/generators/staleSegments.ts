/**
 * Segments that come back: one that had been freed, an older copy of one that was written on, one under another's name, one gone.
 *
 * The newest segment is spared: with it gone or old the whole log is an older log, which nothing inside it can tell (docs/WAL_FORMAT.md,
 * "What remains possible"). Other members remember; the simulator and the chaos lane put whole old directories back.
 */

import { decodeSegmentHeader } from '../../storage/segment.ts'
import { segmentsOf, withFile } from '../specimen.ts'
import { changingLogs } from './logs.ts'
import type { Generator } from '../generator.ts'
import type { SegmentFile, Specimen } from '../specimen.ts'
import type { SpecimensOf } from './logs.ts'

/** `content`: index into the history; undefined removes the file. */
interface StalePlace { readonly path: string; readonly content: { readonly age: number; readonly path: string } | undefined }

const isBegun = ({ bytes }: SegmentFile): boolean => decodeSegmentHeader(bytes) !== undefined

const placesOf = ({ image, history }: Specimen): readonly StalePlace[] => {
  const now = segmentsOf(image)
  const top = now.filter(isBegun).at(-1)?.segment ?? 0
  const older = now.filter(({ segment }) => segment < top)
  const back = history.flatMap((then, age) => segmentsOf(then).filter(({ segment }) => segment < top)
    .map(({ path }) => ({ path, content: { age, path } })))
  const renamed = now.flatMap((one) => older.filter(({ path }) => path !== one.path)
    .map(({ path }) => ({ path: one.path, content: { age: history.length - 1, path } })))
  return [...back, ...renamed, ...older.map(({ path }) => ({ path, content: undefined }))]
}

export const staleSegments = (specimensOf: SpecimensOf): Generator => changingLogs<StalePlace>({
  name: 'a segment resurrected, stale, renamed, gone', share: 2, specimensOf, placesOf,
  change: ({ image, history }, { path, content }) =>
    withFile(image, path, content === undefined ? undefined : history[content.age]?.files.get(content.path)),
})
