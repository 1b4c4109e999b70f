/**
 * Where the payloads of one log lie in memory: copies, one behind the other, in blocks of this log alone.
 *
 *   block of A  | a1 | a2 | a3 ........ |        compaction forgets a1..a3: the block goes with the last of them
 *   block of B  | b1 | ................ |
 *
 * An entry comes as a view of the whole message that brought it, which holds entries of other groups, too. A group that is written once
 * a second beside one that is written all the time would keep a hundred kilobytes for each of its entries, since it forgets them late.
 * And bytes with a buffer of their own cost 350 beside their content.
 *
 * What was handed out is never written again, also when the log is cut: the disk may not have it yet.
 */

/** The first block: most groups of a node with hundreds are quiet. Each is twice the one before it. */
const BLOCK_BYTES_FIRST = 1_024
const BLOCK_BYTES_MAX = 64 * 1_024
/** Above it a payload has a buffer of its own: it would leave the end of a block empty that it does not fit into. */
const SHARED_BYTES_MAX = BLOCK_BYTES_MAX / 8

const empty = new Uint8Array(0)

export interface Payloads {
  block: Uint8Array<ArrayBuffer>
  used: number
}

export const createPayloads = (): Payloads => ({ block: empty, used: 0 })

/** A copy that keeps nothing of `bytes`, and with it at most a block. */
export const keepPayload = (payloads: Payloads, bytes: Uint8Array): Uint8Array => {
  const { length } = bytes
  if (length === 0) return empty
  // Not `slice`, which on a Buffer is a view.
  if (length > SHARED_BYTES_MAX) return new Uint8Array(bytes)
  if (payloads.used + length > payloads.block.length) openBlock(payloads, length)
  const { block, used } = payloads
  block.set(bytes, used)
  payloads.used = used + length
  return new Uint8Array(block.buffer, used, length)
}

const openBlock = (payloads: Payloads, length: number): void => {
  let size = Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_FIRST, payloads.block.length * 2))
  while (size < length) size *= 2
  payloads.block = new Uint8Array(size)
  payloads.used = 0
}
