/**
 * Where the payloads of one log lie in memory: copies, one behind the other, in blocks of this log alone.
 *
 *   block 0  | 1 | 2 | 3 ........ |        compaction forgets 1 to 3: block 0 goes with the last of them
 *   block 1  | 4 | ............. |
 *
 * An entry comes as a view of the whole message that brought it, which holds entries of other groups, too. A group that is written once
 * a second beside one that is written all the time would keep a hundred kilobytes for each of its entries, since it forgets them late.
 * And bytes with a buffer of their own cost 350 beside their content.
 *
 * What was handed out is never written again, also when the log is cut: the disk may not have it yet.
 */

import { must } from '../kernel/assert.ts'

/** The first block: most groups of a node with hundreds are quiet. Each is twice the one before it. */
const BLOCK_BYTES_FIRST = 1_024
const BLOCK_BYTES_MAX = 64 * 1_024
/** Above it a payload has a buffer of its own: it would leave the end of a block empty that it does not fit into. */
const SHARED_BYTES_MAX = BLOCK_BYTES_MAX / 8

const empty = new Uint8Array(0)

export interface Payloads {
  /** The newest is the last, and the only one that is written. */
  blocks: Uint8Array<ArrayBuffer>[]
  /** The number of `blocks[0]`. */
  firstBlock: number
  /** Bytes of the newest block. */
  used: number
  /** Payloads with a buffer of their own, by number. */
  readonly large: Map<number, Uint8Array>
  nextLarge: number
}

/** Two numbers below 2^32 that find a payload again, with its length. */
export interface Place {
  /** The block that was the newest: that of a later payload is not before it. */
  readonly block: number
  /** In the block; of a payload with a buffer of its own, its number. */
  readonly offset: number
}

export const createPayloads = (): Payloads => ({ blocks: [], firstBlock: 0, used: 0, large: new Map(), nextLarge: 0 })

/** No entry is left: the newest block is for the next. */
export const forgetAllPayloads = (payloads: Payloads): void => {
  payloads.large.clear()
  forgetBlocksBefore(payloads, newestBlock(payloads))
}

/** By its length alone, so that nobody has to remember it. */
const isLarge = (length: number): boolean => length > SHARED_BYTES_MAX

/** Keeps a copy, and nothing else of `bytes`. */
export const keepPayload = (payloads: Payloads, bytes: Uint8Array): Place => {
  const { length } = bytes
  if (isLarge(length)) return { block: newestBlock(payloads), offset: keepLarge(payloads, bytes) }
  if (payloads.used + length > newestLength(payloads)) openBlock(payloads, length)
  const offset = payloads.used
  payloads.blocks.at(-1)?.set(bytes, offset)
  payloads.used = offset + length
  return { block: newestBlock(payloads), offset }
}

const keepLarge = (payloads: Payloads, bytes: Uint8Array): number => {
  const number = payloads.nextLarge
  payloads.nextLarge = number + 1 >>> 0
  // Not `slice`, which on a Buffer is a view.
  payloads.large.set(number, new Uint8Array(bytes))
  return number
}

/** A view; not to be changed. */
export const payloadAt = ({ blocks, firstBlock, large }: Payloads, { block, offset }: Place, length: number): Uint8Array => {
  if (length === 0) return empty
  if (isLarge(length)) return must(large.get(offset), 'a payload is there as long as its entry')
  return new Uint8Array(must(blocks[block - firstBlock >>> 0], 'a block is there as long as its entries').buffer, offset, length)
}

/** Its entry is no more. */
export const forgetPayload = ({ large }: Payloads, { offset }: Place, length: number): void => {
  if (isLarge(length)) large.delete(offset)
}

/** No entry lies before the block of this number. */
export const forgetBlocksBefore = (payloads: Payloads, block: number): void => {
  const count = block - payloads.firstBlock >>> 0
  if (count === 0) return
  payloads.blocks.splice(0, count)
  payloads.firstBlock = block
}

/** No entry lies behind the block of this number. That one is not written any more: what was cut may be in use. */
export const forgetBlocksAfter = (payloads: Payloads, block: number): void => {
  const count = newestBlock(payloads) - block >>> 0
  if (count === 0) return
  payloads.blocks.length -= count
  payloads.used = newestLength(payloads)
}

/** 0 too before there is one: the first is that. */
const newestBlock = ({ blocks, firstBlock }: Payloads): number => firstBlock + Math.max(0, blocks.length - 1) >>> 0

const newestLength = ({ blocks }: Payloads): number => blocks.at(-1)?.length ?? 0

const openBlock = (payloads: Payloads, length: number): void => {
  let size = Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_FIRST, newestLength(payloads) * 2))
  while (size < length) size *= 2
  payloads.blocks.push(new Uint8Array(size))
  payloads.used = 0
}
