/**
 * The floor's log: group commit and nothing else. While one group is in `writev` and `fdatasync`, the next one gathers.
 *
 *   record: length u32 | CRC-32 u32 | bytes
 */

import { fdatasync, openSync, writev } from 'node:fs'
import { crc32 } from 'node:zlib'

const RECORD_HEAD_BYTES = 8

export interface FloorLog {
  /** `onDurable` is called when the bytes are synced. Any failure ends the process. */
  readonly append: (bytes: Buffer, onDurable: () => void) => void
}

export const openFloorLog = (path: string): FloorLog => {
  const file = openSync(path, 'w')
  let parts: Buffer[] = []
  let listeners: (() => void)[] = []
  let isFlushing = false

  const flush = (): void => {
    if (parts.length === 0) {
      isFlushing = false
      return
    }
    const group = parts
    const durable = listeners
    parts = []
    listeners = []
    writev(file, group, (failure) => {
      if (failure !== null) throw failure
      fdatasync(file, (failure) => {
        if (failure !== null) throw failure
        for (const listener of durable) listener()
        flush()
      })
    })
  }
  return {
    append: (bytes, onDurable) => {
      const head = Buffer.allocUnsafe(RECORD_HEAD_BYTES)
      head.writeUInt32LE(bytes.length, 0)
      head.writeUInt32LE(crc32(bytes), 4)
      parts.push(head, bytes)
      listeners.push(onDurable)
      if (isFlushing) return
      isFlushing = true
      setImmediate(flush)
    },
  }
}
