/**
 * A ring of what happened: bounded in bytes and in number, the oldest goes first. Batches, which are most of it, are packed
 * (packedBatches.ts); all else is kept as objects, since most are never looked at: to write one down costs more than to keep it.
 *
 * The bytes of an entry are reckoned, not measured: what its objects and numbers take in V8, and two bytes for each character of its
 * texts, which is what any text takes at most. Most take one, and those that are constants of the program nothing; so the ring may hold
 * less than it could, never more. Of what is packed whole blocks count, also the part that is not written yet, or not needed any more.
 */

import { bySeq } from './bySeq.ts'
import { createPackedBatches } from './packedBatches.ts'
import type { Happening, HappeningDetail } from '../../actors/kernel/recorder.ts'

/** What happened, with its time and its number. */
export interface Entry {
  readonly at: number
  readonly seq: number
  readonly what: Happening
}

export interface Ring {
  /** Numbers grow. A batch is seldom held itself. */
  readonly push: (entry: Entry) => void
  /** From the first entry with a number above `seq`, in order; not to be held on to across turns. */
  readonly after: (seq: number) => IterableIterator<Entry>
  readonly bytes: () => number
  readonly dropped: () => number
  /** The last that went. */
  readonly newestDropped: () => Pick<Entry, 'at' | 'seq'> | undefined
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

export const createRing = (bytesMax: number, entriesMax = Number.POSITIVE_INFINITY): Ring => {
  const packed = createPackedBatches(bytesMax)
  let entries: (Entry | undefined)[] = []
  /** Theirs, so that the oldest, which nothing has touched for long, need not be read when it goes. */
  let sizes: number[] = []
  let head = 0
  let entryBytes = 0
  /** As `packed` has them, and infinite where it has none: an entry that is kept as an object has nothing to ask there. */
  let packedBytes = 0
  let packedOldest = Number.POSITIVE_INFINITY
  let held = 0
  let dropped = 0
  let droppedEntry: Entry | undefined
  /** Time and number, when the last that went was packed: it leaves no object. */
  const droppedPacked = new Float64Array(2)

  const isOver = (growth: number): boolean => entryBytes + packedBytes + growth > bytesMax || held > entriesMax
  const lookAtPacked = (): void => {
    packedBytes = packed.bytes()
    packedOldest = packed.oldestSeq()
  }
  const dropOldest = (): void => {
    held -= 1
    dropped += 1
    if (packedOldest === Number.POSITIVE_INFINITY || (entries[head]?.seq ?? Number.POSITIVE_INFINITY) < packedOldest) dropEntry()
    else dropPacked()
  }
  const dropPacked = (): void => {
    droppedEntry = undefined
    droppedPacked[0] = packed.oldestAt()
    droppedPacked[1] = packedOldest
    packed.dropOldest()
    lookAtPacked()
  }
  const dropEntry = (): void => {
    entryBytes -= sizes[head] ?? 0
    droppedEntry = entries[head]
    entries[head] = undefined
    head += 1
    if (head < SLACK_MIN || head * 2 < entries.length) return
    entries = entries.slice(head)
    sizes = sizes.slice(head)
    head = 0
  }
  const pack = (entry: Entry): boolean => {
    const template = packed.templateFor(entry)
    if (template === undefined) return false
    // Before, so that the block of those that go is the next one.
    while (isOver(packed.growth())) dropOldest()
    packed.push(entry, template)
    lookAtPacked()
    return true
  }
  const keep = (entry: Entry): void => {
    const size = bytesOf(entry)
    entries.push(entry)
    sizes.push(size)
    entryBytes += size
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
  const entriesAfter = function* (seq: number): IterableIterator<Entry> {
    for (let at = placeAfter(seq); at < entries.length; at += 1) {
      const entry = entries[at]
      if (entry !== undefined) yield entry
    }
  }
  return {
    push: (entry) => {
      if (entry.what.kind !== 'batch' || !pack(entry)) keep(entry)
      held += 1
      while (isOver(0)) dropOldest()
    },
    after: (seq) => bySeq(packed.after(seq), entriesAfter(seq)),
    bytes: () => entryBytes + packedBytes,
    dropped: () => dropped,
    newestDropped: () => droppedEntry ?? (dropped === 0 ? undefined : { at: droppedPacked[0] ?? 0, seq: droppedPacked[1] ?? 0 }),
  }
}
