/** One session at the batch door of every node (docs/SUBJECTS.md, "Batches"). */

import { randomBytes } from 'node:crypto'
import { must } from '../../actors/kernel/assert.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { decodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { connectNats } from '../../bus/nats.ts'
import { batchSubject } from '../../bus/subjects.ts'
import { awaitLeaders, request } from './leaders.ts'
import type { OperationResult } from '../../actors/shard/operation.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { BatchSessionId } from '../../bus/codec/batch.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { Answer, DriverTarget } from './port.ts'

const PROTOCOL = 1
const INBOX_BYTES = 12

export interface Door {
  readonly node: NodeId
  readonly session: BatchSessionId
  /** The sequence of the last batch. */
  sequence: number
  /** False when the connection does not take it now. */
  readonly send: (frame: Uint8Array) => boolean
}

export interface Doors {
  readonly shardCount: number
  readonly all: readonly Door[]
  /** Of the node that leads the shard, as far as is known: what moved since is answered with NOT_LEADER. */
  readonly of: (shard: ShardId) => Door
  /** Asks again who leads what. */
  readonly refresh: () => Promise<void>
  readonly close: () => Promise<void>
}

export const openDoors = async (
  { servers, prefix, login }: DriverTarget, hear: (door: Door, frame: NodeFrame) => void,
): Promise<Doors> => {
  const bus = await connectNats({ ...login, servers, name: 'shardkv bench/batches' })
  const { shardCount, nodes, ...first } = await awaitLeaders(bus, prefix)
  let { leaders } = first
  const doors = new Map<NodeId, Door>()
  for (const node of nodes) {
    const subject = batchSubject(prefix, node)
    const answer = await request(bus, subject, encodeClientFrame({ kind: 'hello', protocol: PROTOCOL }))
    const welcome = answer === null ? null : frameOf(answer)
    if (welcome?.kind !== 'welcome') throw new Error(`${node} does not open a session`)
    const inbox = `${login?.inboxPrefix ?? '_INBOX'}.${randomBytes(INBOX_BYTES).toString('hex')}`
    const door: Door = {
      node, session: welcome.session, sequence: 0,
      send: (frame) => bus.publish(subject, frame, { reply: inbox }) === 'sent',
    }
    bus.subscribe(inbox, ({ data }) => hear(door, frameOf(data)))
    doors.set(node, door)
  }
  return {
    shardCount,
    all: [...doors.values()],
    of: (shard) => must(doors.get(must(leaders[shard], 'every shard has a leader')), 'every leader has a door'),
    refresh: async () => {
      ({ leaders } = await awaitLeaders(bus, prefix))
    },
    close: async () => bus.close(),
  }
}

const frameOf = (data: Uint8Array): NodeFrame => {
  const decoded = decodeNodeFrame(data)
  if (!decoded.ok) throw new Error(`a node's answer does not decode: ${decoded.reason}`)
  return decoded.frame
}

export const answerOf = ({ status }: OperationResult): Answer => {
  if (status === 'OK' || status === 'NOT_FOUND') return 'ok'
  return status === 'OVERLOADED' ? 'overloaded' : 'failed'
}
