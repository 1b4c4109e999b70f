/**
 * Every segment that the disk can not read: its header block, which a start reads first, what stands behind it, or all of it. The log goes
 * on, and says that it is damaged; and a start that can read it again loses nothing without a word (oracle.ts).
 */

import { BLOCK_BYTES } from '../../storage/segment.ts'
import { remembered } from '../generator.ts'
import { judgeUnread } from '../oracle.ts'
import { segmentsOf } from '../specimen.ts'
import type { DiskCall } from '../../storage/memoryFileSystem.ts'
import type { Generator } from '../generator.ts'
import type { SpecimensOf } from './logs.ts'

const parts = ['header', 'rest', 'all'] as const

interface Unread { readonly segment: number; readonly path: string; readonly part: typeof parts[number] }

const isHit = (unread: Unread, { operation, path, bytes }: DiskCall): boolean => operation === 'read' && path === unread.path
  && (unread.part === 'all' || (bytes === BLOCK_BYTES) === (unread.part === 'header'))

export const unreadSegments = (specimensOf: SpecimensOf): Generator => {
  const worksOf = remembered((pass) => specimensOf(pass).flatMap((specimen) =>
    segmentsOf(specimen.image).flatMap(({ segment, path }) => parts.map((part) => ({ specimen, unread: { segment, path, part } })))))
  return {
    name: 'a segment that can not be read', share: 2,
    sizeOf: (pass) => worksOf(pass).length,
    judge: (pass, index) => {
      const work = worksOf(pass)[index]
      if (work === undefined) throw new RangeError(`there is no unread segment ${index} in pass ${pass}`)
      const { specimen, unread } = work
      const verdict = judgeUnread(specimen, unread.segment, (call) => (isHit(unread, call) ? { kind: 'error', code: 'EIO' } : undefined))
      return verdict.problem === undefined ? verdict
        : { ...verdict, problem: `${specimen.name}, ${unread.part} of ${unread.path}: ${verdict.problem}` }
    },
  }
}
