/**
 * One byte budget bounds every value, entry, frame and reply (docs/TESTING.md T23): an entry that no frame can carry would
 * crash-loop its shard, so the door refuses it before anything is appended.
 */

import { BATCH_OPERATIONS_MAX, ENTRY_OVERHEAD_BYTES, cutOff } from '../actors/shard/operation.ts'
import { createWriter } from './bytes.ts'
import { writeResult } from './codec/operations.ts'

export interface ByteBudget {
  /** Half of what the broker accepts in one message: the most that the values of one entry, request or reply may take. */
  readonly valueBytesMax: number
  /** The budget and an allowance for keys, headers and framing. */
  readonly frameBytesMax: number
  /**
   * Operations of a batch for another node. All its results come in one message, which has room for as many beside values that fill the
   * budget: an answer that no message can carry would leave every caller waiting.
   */
  readonly forwardedOperationsMax: number
}

export const byteBudget = (maxPayloadBytes: number): ByteBudget => {
  const valueBytesMax = Math.floor(maxPayloadBytes / 2)
  const frameBytesMax = valueBytesMax + ENTRY_OVERHEAD_BYTES
  const roomBytes = maxPayloadBytes - frameBytesMax - REPLY_HEAD_BYTES
  const forwardedOperationsMax = Math.max(1, Math.min(BATCH_OPERATIONS_MAX, Math.floor(roomBytes / RESULT_BYTES)))
  return { valueBytesMax, frameBytesMax, forwardedOperationsMax }
}

/** Envelope, address and head of a reply: less than that. */
const REPLY_HEAD_BYTES = 256

const encodedBytes = (result: Parameters<typeof writeResult>[1]): number => {
  const writer = createWriter(REPLY_HEAD_BYTES)
  writeResult(writer, result)
  return writer.length
}

/** What a result takes beside its value, where values fill the message: most of all the one that says that it is full. */
const RESULT_BYTES = encodedBytes(cutOff)
