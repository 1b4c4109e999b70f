/**
 * The batch door with as little around it as possible: the operations of one turn of the event loop, one frame per leader. No retries, no
 * sessions of the state machine, no map updates: what the door costs without a client library.
 */

import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { shardOf } from '../../topology/hash.ts'
import { answerOf, openDoors } from './doors.ts'
import type { Operation } from '../../actors/shard/operation.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { ShardId } from '../../topology/ids.ts'
import type { Door } from './doors.ts'
import type { Answer, Driver, DriverTarget } from './port.ts'

const TIMEOUT_MS = 5_000

type Settle = (answer: Answer) => void

interface Lane {
  readonly door: Door
  /** The operations of this turn, and who waits for each. */
  groups: Map<ShardId, { readonly operations: Operation[]; readonly settles: Settle[] }>
  /** By sequence, then by position. */
  readonly waiting: Map<number, (Settle | undefined)[]>
}

export const connectBatchDoor = async (target: DriverTarget): Promise<Driver> => {
  const lanes = new Map<Door, Lane>()
  const laneOf = (door: Door): Lane => {
    const known = lanes.get(door)
    if (known !== undefined) return known
    const lane: Lane = { door, groups: new Map(), waiting: new Map() }
    lanes.set(door, lane)
    return lane
  }
  const doors = await openDoors(target, (door, frame) => hear(laneOf(door), frame))
  let isTurnOpen = false

  const endTurn = (): void => {
    isTurnOpen = false
    for (const lane of lanes.values()) if (lane.groups.size > 0) sendBatch(lane)
  }
  const perform = (operation: Operation): Promise<Answer> => new Promise((resolve) => {
    const shard = shardOf(operation.key, doors.shardCount)
    const { groups } = laneOf(doors.of(shard))
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
    close: doors.close,
  }
}

const sendBatch = (lane: Lane): void => {
  const { door, waiting } = lane
  const groups = [...lane.groups].map(([shard, { operations }]) => ({ shard, operations }))
  door.sequence += 1
  const { session, sequence } = door
  waiting.set(sequence, [...lane.groups.values()].flatMap(({ settles }) => settles))
  lane.groups = new Map()
  const frame = encodeClientFrame({ kind: 'batch', session, sequence, timeoutMs: TIMEOUT_MS, consistency: 'linearizable', groups })
  if (!door.send(frame)) settleAll(lane, sequence, 'failed')
}

const hear = (lane: Lane, frame: NodeFrame): void => {
  if (frame.kind === 'refused') settleAll(lane, frame.sequence, answerOf(frame.result))
  if (frame.kind !== 'results') return
  const settles = lane.waiting.get(frame.sequence) ?? []
  for (const { position, result } of frame.rows) {
    settles[position]?.(answerOf(result))
    settles[position] = undefined
  }
  if (frame.isLast) settleAll(lane, frame.sequence, 'failed')
}

/** Whoever of the batch still waits hears this. */
const settleAll = (lane: Lane, sequence: number, answer: Answer): void => {
  for (const settle of lane.waiting.get(sequence) ?? []) settle?.(answer)
  lane.waiting.delete(sequence)
}
