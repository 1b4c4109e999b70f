/** Names that nobody can guess, for where answers come to. */

import { randomFillSync } from 'node:crypto'

const TOKEN_BYTES = 8
const BLOCK_BYTES = 4_096

/**
 * Each token is 16 hex digits and given once. They are cut from a block of chance: to ask the system for eight bytes takes 5 to 6 us, for a
 * token of a block 0.15, and every batch has one.
 */
export const createTokens = (fill: (block: Buffer) => void = randomFillSync): (() => string) => {
  const block = Buffer.alloc(BLOCK_BYTES)
  let at = block.length
  return () => {
    if (at === block.length) {
      fill(block)
      at = 0
    }
    const start = at
    at += TOKEN_BYTES
    return block.toString('hex', start, at)
  }
}
