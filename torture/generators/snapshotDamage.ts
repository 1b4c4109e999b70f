/**
 * Snapshot files cut, flipped and zeroed from there on at every byte, wiped, grown, swapped, under another's name. The oracle: a file that
 * is not as it was written is named and never used, whatever else is there stays good and loads as it was written, and nothing is deleted.
 */

import { changed, withFile } from '../specimen.ts'
import { createSnapshotRig, fillOf, headerOf } from '../snapshotRig.ts'
import { remembered } from '../generator.ts'
import type { DiskImage } from '../../storage/memoryFileSystem.ts'
import type { Generator, Verdict } from '../generator.ts'

const tricks = ['cut', 'flipped', 'zeroed', 'wiped', 'grown', 'swapped', 'renamed'] as const
interface Place { readonly trick: (typeof tricks)[number]; readonly path: string; readonly at: number }

interface Work { readonly image: DiskImage; readonly places: readonly Place[]; readonly chunkBytes: number }

const INDEXES = [5, 7] as const
const WIPED_BYTES = 16
const CHUNK_BYTES = 210

const workOf = (pass: number): Work => {
  const chunkBytes = CHUNK_BYTES + pass * 67
  const rig = createSnapshotRig()
  for (const index of INDEXES) rig.write(index, fillOf(index, chunkBytes))
  const image = rig.disk.image()
  const places = [...image.files].flatMap(([path, bytes]): Place[] => {
    const offsets = Array.from({ length: bytes.length }, (_, at) => at)
    return [
      ...offsets.flatMap((at) => [{ trick: 'cut', path, at }, { trick: 'flipped', path, at }, { trick: 'zeroed', path, at }] as const),
      ...offsets.filter((at) => at % WIPED_BYTES === 0).map((at) => ({ trick: 'wiped', path, at }) as const),
      ...[1, 8, 16, 512].map((at) => ({ trick: 'grown', path, at }) as const),
      { trick: 'swapped', path, at: 0 }, { trick: 'renamed', path, at: 0 },
    ]
  })
  return { image, places, chunkBytes }
}

const damaged = ({ image }: Work, { trick, path, at }: Place, pass: number): DiskImage => {
  const bytes = image.files.get(path) ?? new Uint8Array(0)
  const others = [...image.files].filter(([name]) => name !== path)
  switch (trick) {
    case 'cut': return withFile(image, path, bytes.slice(0, at))
    case 'flipped': return withFile(image, path, changed(bytes, (copy) => { copy[at] = (copy[at] ?? 0) ^ (1 << ((at + pass) % 8)) }))
    case 'zeroed': return withFile(image, path, changed(bytes, (copy) => copy.fill(0, at)))
    case 'wiped': return withFile(image, path, changed(bytes, (copy) => copy.fill(0, at, at + WIPED_BYTES)))
    case 'grown': return withFile(image, path, Buffer.concat([bytes, new Uint8Array(at)]))
    case 'swapped': return withFile(image, path, others[0]?.[1])
    case 'renamed': return withFile(withFile(image, path, undefined), path.replace(/-2\.snap$/, '-3.snap'), bytes)
  }
  return trick satisfies never
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0

const judge = (work: Work, image: DiskImage): Verdict => {
  const rig = createSnapshotRig({ image })
  const wanted = INDEXES.filter((index) => isSame(work.image.files.get(rig.pathOf(index)), image.files.get(rig.pathOf(index))))
  const { good, damaged: named } = rig.list()
  const kind = named.length === 0 ? 'exact' : 'named'
  const found = good.map(({ index }) => index)
  const problem = (text: string): Verdict => ({ kind, problem: text })
  if (found.join(' ') !== wanted.toReversed().join(' ')) return problem(`${found.join(' ')} are called good, ${wanted.join(' ')} are`)
  if (named.length + good.length !== image.files.size) return problem('a file is neither good nor named')
  for (const info of good) {
    const { chunks, error } = rig.load(info)
    const isWhole = error === null && Buffer.compare(Buffer.concat(chunks), Buffer.concat(fillOf(info.index, work.chunkBytes))) === 0
    if (!isWhole || info.term !== headerOf(info.index).term) return problem(`INVENTED: snapshot ${info.index} loads as something else`)
  }
  if (rig.prune(2) !== null) return problem('prune fails')
  for (const [path, bytes] of image.files) if (!isSame(rig.disk.image().files.get(path), bytes)) return problem(`${path} was changed`)
  return rig.write(9, fillOf(9, 100)) === null ? { kind } : problem('a new snapshot can not be written beside it')
}

export const snapshotDamage = (): Generator => {
  const workAt = remembered(workOf)
  return {
    name: 'a snapshot cut, flipped, zeroed, wiped, swapped', share: 5,
    sizeOf: (pass) => workAt(pass).places.length,
    judge: (pass, index) => {
      const work = workAt(pass)
      const place = work.places[index]
      if (place === undefined) throw new RangeError(`there is no snapshot ${index} in pass ${pass}`)
      const verdict = judge(work, damaged(work, place, pass))
      return verdict.problem === undefined ? verdict
        : { ...verdict, problem: `${place.trick} at ${place.at} of ${place.path}: ${verdict.problem}` }
    },
  }
}
