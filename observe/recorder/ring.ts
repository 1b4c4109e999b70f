/**
 * A ring of what happened: bounded in bytes, the oldest goes first. Kept as objects, since most are never looked at: to write one
 * down costs more than to keep it.
 *
 * The bytes of an entry are reckoned, not measured: what its objects and numbers take in V8, and two bytes for each character of its
 * texts, which is what any text takes at most. Most take one, and those that are constants of the program nothing; so the ring may hold
 * less than it could, never more.
 */

import type { Happening, HappeningDetail } from '../../actors/kernel/recorder.ts'

/** What happened, with its time and its number. */
export interface Entry {
  readonly at: number
  readonly seq: number
  readonly what: Happening
}

export interface Ring {
  readonly push: (entry: Entry) => void
  /** From the first entry with a number above `seq`, in order; not to be held on to across turns. */
  readonly after: (seq: number) => IterableIterator<Entry>
  readonly bytes: () => number
  readonly dropped: () => number
  /** The last that went; it is held beside the others. */
  readonly newestDropped: () => Entry | undefined
}

/** The entry, its happening with every field, two numbers on the heap, and its places in the two lists, which may be half empty. */
const ENTRY_BYTES = 168
const DETAIL_BYTES = 64
/** V8 keeps a text with one byte for each character or with two. To find out which would cost as much as the record. */
const CHARACTER_BYTES = 2
/** Space before the first entry that is given back only when it outweighs the entries. */
const SLACK_MIN = 1_024

export const bytesOf = ({ what }: Entry): number =>
  ENTRY_BYTES + CHARACTER_BYTES * (what.event.length + lengthOf(what.because) + lengthOf(what.peer) + lengthOf(what.trace))
  + detailBytes(what.detail)

const lengthOf = (text: string | undefined): number => (text === undefined ? 0 : text.length)

const detailBytes = (detail: HappeningDetail | undefined): number => {
  if (detail === undefined) return 0
  let bytes = DETAIL_BYTES
  for (const name in detail) {
    const value = detail[name]
    bytes += CHARACTER_BYTES * (typeof value === 'string' ? value.length : 4)
  }
  return bytes
}

export const createRing = (bytesMax: number): Ring => {
  let entries: (Entry | undefined)[] = []
  /** Theirs, so that the oldest, which nothing has touched for long, need not be read when it goes. */
  let sizes: number[] = []
  let head = 0
  let bytes = 0
  let dropped = 0
  let newestDropped: Entry | undefined

  const isFull = (): boolean => bytes > bytesMax
  const dropOldest = (): void => {
    bytes -= sizes[head] ?? 0
    newestDropped = entries[head]
    entries[head] = undefined
    head += 1
    dropped += 1
    if (head < SLACK_MIN || head * 2 < entries.length) return
    entries = entries.slice(head)
    sizes = sizes.slice(head)
    head = 0
  }
  /** The first place whose entry has a number above `seq`. */
  const placeAfter = (seq: number): number => {
    let low = head
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((entries[middle]?.seq ?? 0) > seq) high = middle
      else low = middle + 1
    }
    return low
  }
  return {
    push: (entry) => {
      const size = bytesOf(entry)
      entries.push(entry)
      sizes.push(size)
      bytes += size
      while (isFull()) dropOldest()
    },
    after: function* (seq) {
      for (let at = placeAfter(seq); at < entries.length; at += 1) {
        const entry = entries[at]
        if (entry !== undefined) yield entry
      }
    },
    bytes: () => bytes,
    dropped: () => dropped,
    newestDropped: () => newestDropped,
  }
}
