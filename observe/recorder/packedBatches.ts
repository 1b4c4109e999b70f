/**
 * The batches of a ring, packed. A busy node tells some thousand a second, alike but for five numbers; as objects, 40,000 of them were a
 * tenth of its heap, each was copied twice by the collector before it was old, and every large collection had to visit them all.
 *
 * A batch takes RECORD_BYTES of a block of plain memory, and no object of its own:
 *
 *   byte  0   at, a double
 *         8   seq, less that of the block's first
 *        12   the number of its template (batchTemplates.ts)
 *        16   term, 20 micros, 24 bytes: ABSENT where it has none
 *        28   the value of its one detail
 *
 * Blocks come one by one as they are needed, and go when the last of their records has gone; one of these stays, to be the next. What does
 * not fit, such as a batch with a trace or a fraction, is the caller's to keep.
 */

import { createBatchTemplates } from './batchTemplates.ts'
import type { Happening, HappeningDetail } from '../../actors/kernel/recorder.ts'
import type { BatchTemplate } from './batchTemplates.ts'
import type { Entry } from './ring.ts'

export interface PackedBatches {
  /** What it is pushed with; undefined: it can not be packed. Of a batch. */
  readonly templateFor: (entry: Entry) => BatchTemplate | undefined
  /** Numbers grow. The entry is not held. */
  readonly push: (entry: Entry, template: BatchTemplate) => void
  /** By how much the next push makes `bytes` grow. */
  readonly growth: () => number
  readonly bytes: () => number
  readonly count: () => number
  /** Of the oldest; infinite when there is none. */
  readonly oldestSeq: () => number
  readonly oldestAt: () => number
  readonly dropOldest: () => void
  /** From the first with a number above `seq`, in order, made as they are asked for; not to be held on to across turns. */
  readonly after: (seq: number) => IterableIterator<Entry>
}

interface Block {
  firstSeq: number
  readonly doubles: Float64Array
  readonly words: Uint32Array
}

const RECORD_BYTES = 32
const RECORD_DOUBLES = RECORD_BYTES / Float64Array.BYTES_PER_ELEMENT
const RECORD_WORDS = RECORD_BYTES / Uint32Array.BYTES_PER_ELEMENT
const BLOCK_SHIFT = 10
/** A power of two: small beside the ring, so that an idle node has little, and large beside what a block costs by itself. */
export const BLOCK_RECORDS = 1 << BLOCK_SHIFT
/** With its buffer's and its lists' own objects. */
export const BLOCK_BYTES = BLOCK_RECORDS * RECORD_BYTES + 640
/** A smaller ring packs nothing: a block would be too much of it to go at once. */
const BLOCKS_MIN = 4
const TEMPLATES_SHARE = 0.125

const SEQ = 2
const TEMPLATE = 3
const TERM = 4
const MICROS = 5
const BYTES = 6
const VALUE = 7
const ABSENT = 0xffff_ffff

export const createPackedBatches = (bytesMax: number): PackedBatches => {
  const isUsed = bytesMax >= BLOCKS_MIN * BLOCK_BYTES
  const templates = createBatchTemplates(bytesMax * TEMPLATES_SHARE)
  /** All full but the last. */
  const blocks: Block[] = []
  let spare: Block | undefined
  /** The place of the oldest in the first block. */
  let first = 0
  let count = 0

  const isFull = (): boolean => first + count === blocks.length << BLOCK_SHIFT
  const isNear = (seq: number): boolean => isFull() || isWord(seq - (blocks[blocks.length - 1]?.firstSeq ?? 0))
  const addBlock = (firstSeq: number): void => {
    const block = spare ?? newBlock()
    spare = undefined
    block.firstSeq = firstSeq
    blocks.push(block)
  }
  const removeBlock = (): void => {
    const block = blocks.shift()
    spare ??= block
    first = 0
  }
  const seqAt = (place: number): number => {
    const block = blocks[place >> BLOCK_SHIFT]
    return block === undefined ? Number.POSITIVE_INFINITY : block.firstSeq + (block.words[wordOf(place) + SEQ] ?? 0)
  }
  const atOf = (place: number): number => blocks[place >> BLOCK_SHIFT]?.doubles[(place & (BLOCK_RECORDS - 1)) * RECORD_DOUBLES] ?? 0
  const entryAt = (place: number): Entry | undefined => {
    const words = blocks[place >> BLOCK_SHIFT]?.words
    const template = templates.numbered(words?.[wordOf(place) + TEMPLATE] ?? ABSENT)
    if (words === undefined || template === undefined) return undefined
    return { at: atOf(place), seq: seqAt(place), what: happeningOf(template, words, wordOf(place)) }
  }
  /** The first place whose entry has a number above `seq`. */
  const placeAfter = (seq: number): number => {
    let low = first
    let high = first + count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (seqAt(middle) > seq) high = middle
      else low = middle + 1
    }
    return low
  }
  return {
    templateFor: ({ seq, what }) => {
      if (!isUsed || !isPackable(what) || !isNear(seq)) return undefined
      return templates.of(what, what.detail === undefined ? undefined : onlyNameIn(what.detail))
    },
    push: ({ at, seq, what }, template) => {
      if (isFull()) addBlock(seq)
      const block = blocks[blocks.length - 1]
      if (block === undefined) return
      const place = (first + count) & (BLOCK_RECORDS - 1)
      const { words } = block
      const word = place * RECORD_WORDS
      block.doubles[place * RECORD_DOUBLES] = at
      words[word + SEQ] = seq - block.firstSeq
      words[word + TEMPLATE] = template.number
      words[word + TERM] = what.term ?? ABSENT
      words[word + MICROS] = what.micros ?? ABSENT
      words[word + BYTES] = what.bytes ?? ABSENT
      words[word + VALUE] = valueOf(what.detail, template.detailName)
      count += 1
    },
    growth: () => (isFull() && spare === undefined ? BLOCK_BYTES : 0),
    bytes: () => (blocks.length + (spare === undefined ? 0 : 1)) * BLOCK_BYTES + templates.bytes(),
    count: () => count,
    oldestSeq: () => seqAt(first),
    oldestAt: () => atOf(first),
    dropOldest: () => {
      if (count === 0) return
      first += 1
      count -= 1
      if (first === BLOCK_RECORDS || count === 0) removeBlock()
    },
    after: function* (seq) {
      for (let place = placeAfter(seq); place < first + count; place += 1) {
        const entry = entryAt(place)
        if (entry !== undefined) yield entry
      }
    },
  }
}

const newBlock = (): Block => {
  const buffer = new ArrayBuffer(BLOCK_RECORDS * RECORD_BYTES)
  return { firstSeq: 0, doubles: new Float64Array(buffer), words: new Uint32Array(buffer) }
}

const wordOf = (place: number): number => (place & (BLOCK_RECORDS - 1)) * RECORD_WORDS

const isPackable = ({ trace, term, micros, bytes, detail }: Happening): boolean =>
  trace === undefined && isWordOrAbsent(term) && isWordOrAbsent(micros) && isWordOrAbsent(bytes)
  && (detail === undefined || isOneWord(detail))

/** A number that a word gives back as it was. */
const isWord = (value: number): boolean => value >>> 0 === value && value !== ABSENT && (value !== 0 || 1 / value > 0)

const isWordOrAbsent = (value: number | undefined): boolean => value === undefined || isWord(value)

const isOneWord = (detail: HappeningDetail): boolean => {
  let count = 0
  for (const name in detail) {
    const value = detail[name]
    count += 1
    if (count > 1 || typeof value !== 'number' || !isWord(value)) return false
  }
  return count === 1
}

const onlyNameIn = (detail: HappeningDetail): string | undefined => {
  for (const name in detail) return name
  return undefined
}

const valueOf = (detail: HappeningDetail | undefined, name: string | undefined): number => {
  const value = detail === undefined || name === undefined ? ABSENT : detail[name]
  return typeof value === 'number' ? value : ABSENT
}

type Mutable<T> = { -readonly [name in keyof T]: T[name] }

/** Field by field, since a page of a recording makes thousands: in the order in which actors tell them. */
const happeningOf = ({ actor, event, because, peer, shard, detailName }: BatchTemplate, words: Uint32Array, word: number): Happening => {
  const what: Mutable<Happening> = { actor, kind: 'batch', event }
  const term = words[word + TERM]
  const micros = words[word + MICROS]
  const bytes = words[word + BYTES]
  if (because !== undefined) what.because = because
  if (peer !== undefined) what.peer = peer
  if (shard !== undefined) what.shard = shard
  if (term !== undefined && term !== ABSENT) what.term = term
  if (micros !== undefined && micros !== ABSENT) what.micros = micros
  if (bytes !== undefined && bytes !== ABSENT) what.bytes = bytes
  if (detailName !== undefined) what.detail = { [detailName]: words[word + VALUE] ?? 0 }
  return what
}
