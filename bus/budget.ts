/**
 * One byte budget bounds every value, entry, frame and reply (docs/TESTING.md T23): an entry that no frame can carry would
 * crash-loop its shard, so the door refuses it before anything is appended.
 */

import { ENTRY_OVERHEAD_BYTES } from '../actors/shard/operation.ts'

export interface ByteBudget {
  /** Half of what the broker accepts in one message: the most that the values of one entry, request or reply may take. */
  readonly valueBytesMax: number
  /** The budget and an allowance for keys, headers and framing. */
  readonly frameBytesMax: number
}

export const byteBudget = (maxPayloadBytes: number): ByteBudget => {
  const valueBytesMax = Math.floor(maxPayloadBytes / 2)
  return { valueBytesMax, frameBytesMax: valueBytesMax + ENTRY_OVERHEAD_BYTES }
}
