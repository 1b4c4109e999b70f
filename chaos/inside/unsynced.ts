/** What was written to one file and is not in it yet: writes and truncations in their order, laid over what the file has. */

import type { Done, File } from '../../storage/fileSystem.ts'

export interface Unsynced {
  readonly write: (position: number, bytes: Uint8Array) => void
  readonly truncate: (length: number) => void
  readonly read: (file: File, range: Range, done: Done<Uint8Array>) => void
  /** The size that a reader sees over a file of this size. */
  readonly sizeOver: (size: number) => number
  /** Carries out everything that is there now, one flush at a time. */
  readonly flush: (file: File, done: Done) => void
}

interface Range {
  readonly position: number
  readonly length: number
}

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number }

export const createUnsynced = (): Unsynced => {
  let changes: Change[] = []
  let isFlushing = false
  const waiting: (() => void)[] = []
  const sizeOver = (size: number): number => changes.reduce(sizeAfter, size)
  const flush = (file: File, done: Done): void => {
    if (isFlushing) {
      waiting.push(() => flush(file, done))
      return
    }
    isFlushing = true
    const flushed = [...changes]
    carryOut(file, flushed, (error) => {
      // What came meanwhile stays; what failed stays, too: the caller must not go on.
      if (error === null) changes = changes.filter((change) => !flushed.includes(change))
      isFlushing = false
      done(error)
      waiting.shift()?.()
    })
  }
  return {
    write: (position, bytes) => { changes.push({ kind: 'write', position, bytes }) },
    truncate: (length) => { changes.push({ kind: 'truncate', length }) },
    sizeOver,
    flush,
    read: (file, { position, length }, done) => {
      const seen = [...changes]
      file.size((sizeError, size) => file.read(position, length, (readError, found) => {
        const error = sizeError ?? readError
        if (error !== null || seen.length === 0) done(error, found)
        else done(null, laidOver(found, { position, length }, { changes: seen, size }))
      }))
    },
  }
}

const sizeAfter = (size: number, change: Change): number =>
  (change.kind === 'truncate' ? change.length : Math.max(size, change.position + change.bytes.length))

/** One after the other: later ones may overwrite earlier ones. */
const carryOut = (file: File, changes: readonly Change[], done: Done): void => {
  const [first, ...rest] = changes
  if (first === undefined) done(null)
  else if (first.kind === 'truncate') file.truncate(first.length, next)
  else writeAll(file, first.position, first.bytes, next)
  function next(error: Parameters<Done>[0]): void {
    if (error === null) carryOut(file, rest, done)
    else done(error)
  }
}

const writeAll = (file: File, position: number, bytes: Uint8Array, done: Done): void =>
  file.writev([bytes], position, (error, written) => {
    if (error !== null || written === bytes.length) done(error)
    else writeAll(file, position + written, bytes.subarray(written), done)
  })

const laidOver = (
  found: Uint8Array, { position, length }: Range, over: { readonly changes: readonly Change[]; readonly size: number },
): Uint8Array => {
  const result = new Uint8Array(length)
  result.set(found)
  let { size } = over
  for (const change of over.changes) {
    if (change.kind === 'truncate') result.fill(0, Math.min(length, Math.max(0, change.length - position)))
    else copyOverlap(result, position, change)
    size = sizeAfter(size, change)
  }
  return result.subarray(0, Math.max(0, Math.min(length, size - position)))
}

const copyOverlap = (result: Uint8Array, position: number, change: { readonly position: number; readonly bytes: Uint8Array }): void => {
  const from = Math.max(position, change.position)
  const to = Math.min(position + result.length, change.position + change.bytes.length)
  if (to > from) result.set(change.bytes.subarray(from - change.position, to - change.position), from - position)
}
