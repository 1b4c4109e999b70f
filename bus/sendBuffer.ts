/**
 * What a connection is about to write, in the order in which it was given: one row of bytes, so that a turn's messages are copied once and
 * leave in one write.
 *
 * It stands where nats.js keeps a list of arrays (its DataBuffer, of which it has the calls that the library's protocol makes): the
 * library's own lines, a ping before all, keep their place among the messages.
 */

/** Cut into what is written, and never used again: the socket may still hold it. */
const BLOCK_BYTES = 64 * 1_024
const UTF8_BYTES_A_UNIT_MAX = 3
const CARRIAGE_RETURN = 13
const LINE_FEED = 10
const END_BYTES = 2

export interface SendBuffer {
  /** Appends a message: a text, the data after it, and the end of the line. */
  readonly message: (head: string, data: Uint8Array) => void
  readonly fill: (...parts: readonly Uint8Array[]) => void
  /** Bytes that wait. */
  readonly size: () => number
  /** Rows that wait: the library asks whether there is any. */
  readonly length: () => 0 | 1
  /** What waits, which is the caller's from then on. */
  readonly drain: () => Uint8Array
  readonly reset: () => void
}

export const createSendBuffer = (): SendBuffer => {
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  let from = 0
  let to = 0

  const reserve = (bytes: number): void => {
    if (to + bytes <= block.length) return
    const waiting = block.subarray(from, to)
    block = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, waiting.length + bytes))
    block.set(waiting)
    from = 0
    to = waiting.length
  }
  const append = (bytes: Uint8Array): void => {
    block.set(bytes, to)
    to += bytes.length
  }
  return {
    message: (head, data) => {
      reserve(head.length * UTF8_BYTES_A_UNIT_MAX + data.length + END_BYTES)
      to += block.write(head, to)
      append(data)
      block[to] = CARRIAGE_RETURN
      block[to + 1] = LINE_FEED
      to += END_BYTES
    },
    fill: (...parts) => {
      for (const bytes of parts) {
        reserve(bytes.length)
        append(bytes)
      }
    },
    size: () => to - from,
    length: () => (to > from ? 1 : 0),
    drain: () => {
      const row = block.subarray(from, to)
      from = to
      return row
    },
    reset: () => {
      from = to
    },
  }
}
