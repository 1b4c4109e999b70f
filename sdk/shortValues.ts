/**
 * The application's own copies of short values, cut from blocks: memory outside the heap costs more to get and to give back, one by
 * one, than to fill (docs/PERFORMANCE.md, "What was tried"). As with Node's own Buffers, `buffer` of such a copy holds its neighbours.
 */

import { markAsUntransferable } from 'node:worker_threads'

const BLOCK_BYTES = 8 * 1_024
/** What is longer has memory of its own. Whoever keeps one short value keeps a block. */
const SHORT_BYTES_MAX = 1_024
/** Where any typed array may begin. */
const ALIGNMENT = 8

/** One that somebody transferred to another thread would be gone for all whose values are in it: it stays (Node 20), or that throws. */
const createBlock = (): ArrayBuffer => {
  const block = new ArrayBuffer(BLOCK_BYTES)
  markAsUntransferable(block)
  return block
}

let block = createBlock()
let used = 0

export const copyOfValue = (view: Uint8Array): Uint8Array => {
  const { length } = view
  if (length > SHORT_BYTES_MAX) return new Uint8Array(view)
  if (used + length > BLOCK_BYTES) {
    block = createBlock()
    used = 0
  }
  const copy = new Uint8Array(block, used, length)
  copy.set(view)
  used += Math.ceil(length / ALIGNMENT) * ALIGNMENT
  return copy
}
