/**
 * The batch door (docs/SUBJECTS.md, "Batches") with as little around it as possible: the operations of one turn of the event loop, one
 * frame per leader. No retries, no sessions of the state machine, no map updates: what the door costs without a client library.
 */

import { must } from '../../actors/kernel/assert.ts'
import { createRandom, hex64 } from '../../actors/kernel/random.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { decodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { connectNats } from '../../bus/nats.ts'
import { batchSubject } from '../../bus/subjects.ts'
import { shardOf } from '../../topology/hash.ts'
import { awaitLeaders, request } from './leaders.ts'
import type { Operation, OperationResult } from '../../actors/shard/operation.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { BatchSessionId, OperationGroup } from '../../bus/codec/batch.ts'
import type { Bus, Inbound } from '../../bus/port.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { Answer, Driver, DriverTarget } from './port.ts'

const REQUEST_TIMEOUT_MS = 5_000
const PROTOCOL = 1

type Settle = (answer: Answer) => void

/** The operations of one turn for one leader, and who waits for each position. */
interface Gathering {
  groups: Map<ShardId, { operations: Operation[]; settles: Settle[] }>
}

interface Door {
  readonly node: NodeId
  readonly session: BatchSessionId
  readonly inbox: string
  sequence: number
  gathering: Gathering
  readonly waiting: Map<number, (Settle | undefined)[]>
}

export const connectBatchDoor = async ({ servers, prefix }: DriverTarget): Promise<Driver> => {
  const bus = await connectNats({ servers, name: 'shardkv bench/batches' })
  const { shardCount, leaders } = await awaitLeaders(bus, prefix)
  const doors = new Map<NodeId, Door>()
  for (const node of new Set(leaders)) doors.set(node, await openDoor(bus, prefix, node))
  const doorOf = (shard: ShardId): Door => must(doors.get(must(leaders[shard], 'every shard has a leader')), 'every leader has a door')
  let isTurnOpen = false

  const endTurn = (): void => {
    isTurnOpen = false
    for (const door of doors.values()) if (door.gathering.groups.size > 0) sendBatch(bus, prefix, door)
  }
  const perform = (operation: Operation): Promise<Answer> => new Promise((resolve) => {
    const shard = shardOf(operation.key, shardCount)
    const { groups } = doorOf(shard).gathering
    const group = groups.get(shard)
    if (group === undefined) groups.set(shard, { operations: [operation], settles: [resolve] })
    else {
      group.operations.push(operation)
      group.settles.push(resolve)
    }
    if (!isTurnOpen) setImmediate(endTurn)
    isTurnOpen = true
  })
  return {
    put: (key, value) => perform({ code: OpCode.put, key, value }),
    get: (key) => perform({ code: OpCode.get, key }),
    close: async () => bus.close(),
  }
}

const openDoor = async (bus: Bus, prefix: string, node: NodeId): Promise<Door> => {
  const answer = await request(bus, batchSubject(prefix, node), encodeClientFrame({ kind: 'hello', protocol: PROTOCOL }))
  const welcome = answer === null ? null : frameOf(answer)
  if (welcome?.kind !== 'welcome') throw new Error(`${node} does not open a session`)
  const inbox = `_INBOX.${hex64(createRandom(Date.now() + process.pid))}.${node}`
  const door: Door = { node, session: welcome.session, inbox, sequence: 0, gathering: { groups: new Map() }, waiting: new Map() }
  bus.subscribe(inbox, (inbound) => hear(door, inbound))
  return door
}

const sendBatch = (bus: Bus, prefix: string, door: Door): void => {
  const groups: OperationGroup[] = []
  const settles: Settle[] = []
  for (const [shard, group] of door.gathering.groups) {
    groups.push({ shard, operations: group.operations })
    settles.push(...group.settles)
  }
  door.gathering = { groups: new Map() }
  door.sequence += 1
  const { session, sequence, inbox } = door
  door.waiting.set(sequence, settles)
  const frame = encodeClientFrame({ kind: 'batch', session, sequence, timeoutMs: REQUEST_TIMEOUT_MS, consistency: 'linearizable', groups })
  if (bus.publish(batchSubject(prefix, door.node), frame, { reply: inbox }) !== 'sent') settleAll(door, sequence, 'failed')
}

const hear = (door: Door, inbound: Inbound): void => {
  const frame = frameOf(inbound.data)
  if (frame.kind === 'refused') settleAll(door, frame.sequence, answerOf(frame.result))
  if (frame.kind !== 'results') return
  const settles = door.waiting.get(frame.sequence) ?? []
  for (const { position, result } of frame.rows) {
    settles[position]?.(answerOf(result))
    settles[position] = undefined
  }
  if (frame.isLast) settleAll(door, frame.sequence, 'failed')
}

/** Whoever of the batch still waits hears this. */
const settleAll = (door: Door, sequence: number, answer: Answer): void => {
  for (const settle of door.waiting.get(sequence) ?? []) settle?.(answer)
  door.waiting.delete(sequence)
}

const frameOf = (data: Uint8Array): NodeFrame => {
  const decoded = decodeNodeFrame(data)
  if (!decoded.ok) throw new Error(`a node's answer does not decode: ${decoded.reason}`)
  return decoded.frame
}

const answerOf = ({ status }: OperationResult): Answer => {
  if (status === 'OK' || status === 'NOT_FOUND') return 'ok'
  return status === 'OVERLOADED' ? 'overloaded' : 'failed'
}
