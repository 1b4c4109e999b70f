/**
 * A commit group that was written and not synced, of which any of its pages reached the disk: every subset of up to ten pages. It is kept
 * whole or cut whole.
 */

import { createRandom } from '../../actors/kernel/random.ts'
import { between } from '../../actors/kernel/random.ts'
import { PAGE_BYTES } from '../../storage/memoryInode.ts'
import { entriesOf, vote } from '../rig.ts'
import { changed, growSpecimen, segmentsOf, withFile } from '../specimen.ts'
import { remembered } from '../generator.ts'
import { judgeLog } from '../oracle.ts'
import type { Generator } from '../generator.ts'
import type { Specimen } from '../specimen.ts'

const PAGES_MAX = 10
const CONFIG = { segmentBytes: 65_536, groupBytesMax: 65_536 }

interface Unsynced { readonly specimen: Specimen; readonly path: string; readonly before: Uint8Array; readonly pages: readonly number[] }

/** Pass 0 writes the group right behind others in their segment; others start where the seed says, some in a new segment. */
const unsyncedOf = (seed: number, pass: number): Unsynced => {
  const random = createRandom(seed * 7_919 + pass)
  const lead = pass === 0 ? 3 : between(random, 1, 30)
  const bytes = pass === 0 ? 4_700 : between(random, 1_800, 4_800)
  const specimen = growSpecimen({ name: `unsynced group ${seed}/${pass}`, config: CONFIG, isSealed: false }, ({ rig, settle }) => {
    rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, lead, { bytes: pass === 0 ? 40 : 1_500 }) })
    settle()
    rig.append(1, { hardState: { term: 2, vote: vote('c') }, entries: entriesOf(lead, lead + 7, { term: 2, bytes }) })
    settle()
  })
  const last = specimen.history.at(-2)
  if (last === undefined) throw new Error('the specimen has two groups')
  for (const { path, bytes: after } of segmentsOf(specimen.image)) {
    const before = last.files.get(path) ?? new Uint8Array(after.length)
    const pages = dirtyPages(before, after)
    if (pages.length > 0) return { specimen, path, before, pages: pages.slice(0, PAGES_MAX) }
  }
  throw new Error('the last group wrote something')
}

const dirtyPages = (before: Uint8Array, after: Uint8Array): readonly number[] => {
  const pages: number[] = []
  for (let page = 0; page * PAGE_BYTES < after.length; page += 1) {
    const [from, to] = [page * PAGE_BYTES, (page + 1) * PAGE_BYTES]
    if (Buffer.compare(before.subarray(from, to), after.subarray(from, to)) !== 0) pages.push(page)
  }
  return pages
}

export const unsyncedPages = (seed: number): Generator => {
  const worksOf = remembered((pass) => unsyncedOf(seed, pass))
  return {
    name: 'some pages of an unsynced group', share: 2,
    sizeOf: (pass) => 2 ** worksOf(pass).pages.length,
    judge: (pass, index) => {
      const { specimen, path, before, pages } = worksOf(pass)
      const after = specimen.image.files.get(path) ?? new Uint8Array(0)
      const image = withFile(specimen.image, path, changed(before, (bytes) => {
        for (const [bit, page] of pages.entries()) {
          if (((index >> bit) & 1) === 1) bytes.set(after.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), page * PAGE_BYTES)
        }
      }))
      const verdict = judgeLog(specimen, image)
      if (verdict.problem === undefined && verdict.kind.includes('damaged')) {
        return { ...verdict, problem: `pages ${index.toString(2)} of ${specimen.name}: a torn group is called damage` }
      }
      return verdict
    },
  }
}
