/**
 * The floor's wire format: one NATS message holds many frames for one destination, each for one shard.
 *
 *   frame: kind u8 | shard u16 | length u32 | body        (little-endian; the bodies are in batches.ts)
 *
 * Frames are trusted: the floor talks to itself alone.
 */

const FRAME_HEAD_BYTES = 7

export const FrameKind = {
  /** Client to leader, and leader to followers: a batch of writes. */
  put: 1,
  /** Follower to leader: the batch with this index is durable. */
  appended: 2,
  /** Leader to client: the results of a batch of writes. */
  putDone: 3,
  /** Client to leader: a batch of reads. */
  get: 4,
  /** Leader to followers: do I still lead these shards? */
  confirm: 5,
  confirmed: 6,
  /** Leader to client: the values of a batch of reads. */
  getDone: 7,
} as const

export interface Frame {
  readonly kind: number
  readonly shard: number
  /** A view of the message. */
  readonly body: Buffer
}

/** Calls back for each frame of a message. */
export const readFrames = (message: Buffer, onFrame: (frame: Frame) => void): void => {
  let at = 0
  while (at < message.length) {
    const end = at + FRAME_HEAD_BYTES + message.readUInt32LE(at + 3)
    onFrame({ kind: message.readUInt8(at), shard: message.readUInt16LE(at + 1), body: message.subarray(at + FRAME_HEAD_BYTES, end) })
    at = end
  }
}

export interface Outbox {
  readonly add: (subject: string, frame: Frame) => void
  /** Publishes one message per subject that frames wait for. */
  readonly flush: () => void
}

/** Gathers frames by destination. `onFirst` is called when something waits again, so that the owner flushes later in this turn. */
export const createOutbox = (publish: (subject: string, message: Buffer) => void, onFirst: () => void): Outbox => {
  const waiting = new Map<string, Buffer[]>()
  return {
    add: (subject, { kind, shard, body }) => {
      if (waiting.size === 0) onFirst()
      const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES)
      head.writeUInt8(kind, 0)
      head.writeUInt16LE(shard, 1)
      head.writeUInt32LE(body.length, 3)
      const parts = waiting.get(subject)
      if (parts === undefined) waiting.set(subject, [head, body])
      else parts.push(head, body)
    },
    flush: () => {
      for (const [subject, parts] of waiting) publish(subject, Buffer.concat(parts))
      waiting.clear()
    },
  }
}
