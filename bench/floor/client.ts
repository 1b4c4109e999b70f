/** The floor's client: gathers the operations of a turn by shard, one message per leader, as the SDK does. */

import { connect, createInbox } from 'nats'
import { shardOf } from '../../topology/hash.ts'
import { encodeGet, encodePut, idOf, readGetDone } from './batches.ts'
import { FrameKind, createOutbox, readFrames } from './frames.ts'
import { FLOOR_SHARDS, leaderOf, requestSubject } from './layout.ts'
import type { Answer, Driver, DriverTarget } from '../drivers/port.ts'
import type { Write } from './batches.ts'
import type { Frame } from './frames.ts'

type Settle = (answer: Answer) => void

/** The operations of one turn for one shard. */
interface Gathering {
  readonly shard: number
  /** Of the shard's leader. */
  readonly subject: string
  writes: Write[]
  written: Settle[]
  keys: string[]
  read: Settle[]
}

const newGathering = (_: unknown, shard: number): Gathering =>
  ({ shard, subject: requestSubject(leaderOf(shard)), writes: [], written: [], keys: [], read: [] })

export const connectFloor = async ({ servers }: DriverTarget): Promise<Driver> => {
  const connection = await connect({ servers: [...servers], name: 'floor/client' })
  const inbox = createInbox()
  const shards = Array.from({ length: FLOOR_SHARDS }, newGathering)
  const waiting = new Map<number, readonly Settle[]>()
  let lastId = 0
  let isTurnOpen = false

  const outbox = createOutbox((subject, message) => connection.publish(subject, message, { reply: inbox }), () => {})
  const nextId = (settles: readonly Settle[]): number => {
    lastId += 1
    waiting.set(lastId, settles)
    return lastId
  }
  const endTurn = (): void => {
    isTurnOpen = false
    for (const gathered of shards) {
      const { shard, subject, writes, written, keys, read } = gathered
      if (writes.length > 0) {
        outbox.add(subject, { kind: FrameKind.put, shard, body: encodePut(nextId(written), writes) })
        gathered.writes = []
        gathered.written = []
      }
      if (keys.length > 0) {
        outbox.add(subject, { kind: FrameKind.get, shard, body: encodeGet(nextId(read), keys) })
        gathered.keys = []
        gathered.read = []
      }
    }
    outbox.flush()
  }
  const gatherFor = (key: string): Gathering => {
    if (!isTurnOpen) setImmediate(endTurn)
    isTurnOpen = true
    const gathered = shards[shardOf(key, FLOOR_SHARDS)]
    if (gathered === undefined) throw new Error(`key ${key} has no shard`)
    return gathered
  }
  const hear = ({ kind, body }: Frame): void => {
    const id = idOf(body)
    if (kind === FrameKind.getDone) readGetDone(body)
    for (const settle of waiting.get(id) ?? []) settle('ok')
    waiting.delete(id)
  }
  connection.subscribe(inbox, { callback: (_, message) => readFrames(Buffer.from(message.data), hear) })
  return {
    put: (key, value) => new Promise((resolve) => {
      const gathered = gatherFor(key)
      gathered.writes.push({ key, value })
      gathered.written.push(resolve)
    }),
    get: (key) => new Promise((resolve) => {
      const gathered = gatherFor(key)
      gathered.keys.push(key)
      gathered.read.push(resolve)
    }),
    close: () => connection.close(),
  }
}
