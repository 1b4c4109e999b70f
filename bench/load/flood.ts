/**
 * A flood: far more writes than a cluster can do, from a client that is cheap enough to offer them beside the cluster on the same
 * machine. Batches are encoded beforehand, a few for each node; to send one again only its sequence is written into it.
 *
 * With `isObeying`, a door that answered OVERLOADED gets nothing until its retry-after has passed: what is due meanwhile counts as
 * held back. Without, everything due is sent, whatever the answers say.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { between } from '../../actors/kernel/random.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { shardOf } from '../../topology/hash.ts'
import { openDoors } from '../drivers/doors.ts'
import { createHistogram } from './histogram.ts'
import { createValue, keyName } from './workload.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Operation, OperationResult, StatusName } from '../../actors/shard/operation.ts'
import type { NodeFrame } from '../../bus/codec/batchAnswers.ts'
import type { ShardId } from '../../topology/ids.ts'
import type { Door, Doors } from '../drivers/doors.ts'
import type { DriverTarget } from '../drivers/port.ts'
import type { Histogram } from './histogram.ts'
import type { WorkloadSpec } from './workload.ts'

export interface Flood {
  readonly perSecond: number
  readonly durationMs: number
  readonly warmUpMs: number
  readonly isObeying: boolean
}

/** Operations, during the time that counts. */
export interface FloodFigures {
  readonly offered: number
  readonly sent: number
  readonly heldBack: number
  readonly done: number
  readonly overloaded: number
  /** By status: anything else that came back. */
  readonly failures: Readonly<Record<string, number>>
  /** The longest wait that an OVERLOADED asked for; 0 when none did. */
  readonly retryAfterMsMax: number
  /** Of what was done: from the sending of its batch to its result. */
  readonly p50Ms: number
  readonly p99Ms: number
}

const BATCH_OPERATIONS = 256
const BATCHES_PER_DOOR = 32
const TIMEOUT_MS = 5_000
/** Leaders that moved are asked for at most so often. */
const FOLLOW_EVERY_MS = 250
/** Where a batch frame has its sequence: after version, kind and session (bus/codec/batch.ts). */
const SEQUENCE_AT = 10

interface Spout {
  readonly door: Door
  readonly frames: readonly Buffer[]
  /** By sequence: batches without all their results. */
  readonly sentAt: Map<number, number>
  next: number
  quietUntil: number
}

interface Counts {
  offered: number
  sent: number
  heldBack: number
  retryAfterMsMax: number
  readonly byStatus: Map<StatusName, number>
  latencies: Histogram
}

const newCounts = (): Counts =>
  ({ offered: 0, sent: 0, heldBack: 0, retryAfterMsMax: 0, byStatus: new Map(), latencies: createHistogram() })

export const runFlood = async (
  target: DriverTarget, { workload, flood, random }: { readonly workload: WorkloadSpec; readonly flood: Flood; readonly random: Random },
): Promise<FloodFigures> => {
  const counts = newCounts()
  const spouts = new Map<Door, Spout>()
  let hasMoved = false
  const doors = await openDoors(target, (door, frame) => {
    const retryAfterMs = countAnswers(counts, frame)
    hasMoved ||= frame.kind === 'results' && frame.rows.some(({ result }) => result.status === 'NOT_LEADER')
    const spout = spouts.get(door)
    if (spout === undefined) return
    noteLatency(counts, spout, frame)
    if (flood.isObeying && retryAfterMs > 0) spout.quietUntil = performance.now() + retryAfterMs
  })
  const fillSpouts = (): void => {
    for (const [door, frames] of encodeFrames(doors, workload, random)) {
      const { quietUntil = 0, sentAt = new Map<number, number>() } = spouts.get(door) ?? {}
      spouts.set(door, { door, frames, sentAt, next: 0, quietUntil })
    }
  }
  const follower = setInterval(() => {
    if (!hasMoved) return
    hasMoved = false
    doors.refresh().then(fillSpouts, () => clearInterval(follower))
  }, FOLLOW_EVERY_MS)
  fillSpouts()
  await pour(spouts, counts, { ...flood, durationMs: flood.warmUpMs })
  const before = { ...counts, byStatus: new Map(counts.byStatus) }
  counts.latencies = createHistogram()
  await pour(spouts, counts, flood)
  clearInterval(follower)
  const figures = differenceOf(before, counts)
  await doors.close()
  return figures
}

/** Sends what is due, door by door, about every millisecond. */
const pour = async (spouts: ReadonlyMap<Door, Spout>, counts: Counts, { perSecond, durationMs }: Flood): Promise<void> => {
  const startedAt = performance.now()
  const batchesPerMs = perSecond / BATCH_OPERATIONS / 1_000
  let batches = 0
  for (let now = startedAt; now < startedAt + durationMs; now = performance.now()) {
    for (; batches < batchesPerMs * (now - startedAt); batches += 1) {
      // A node that leads nothing gets nothing.
      const leading = [...spouts.values()].filter(({ frames }) => frames.length > 0)
      const spout = leading[batches % leading.length]
      if (spout !== undefined) sendNext(spout, counts, now)
    }
    await pause(1)
  }
}

const sendNext = (spout: Spout, counts: Counts, now: number): void => {
  const { door, frames, sentAt } = spout
  const frame = frames[spout.next % frames.length]
  if (frame === undefined) return
  counts.offered += BATCH_OPERATIONS
  if (now < spout.quietUntil) {
    counts.heldBack += BATCH_OPERATIONS
    return
  }
  spout.next += 1
  door.sequence += 1
  frame.writeUInt32BE(door.sequence, SEQUENCE_AT)
  // A connection that is full is a client that can not offer more.
  if (!door.send(frame)) {
    counts.heldBack += BATCH_OPERATIONS
    return
  }
  counts.sent += BATCH_OPERATIONS
  sentAt.set(door.sequence, now)
}

const noteLatency = ({ latencies }: Counts, { sentAt }: Spout, frame: NodeFrame): void => {
  if (frame.kind === 'welcome') return
  const began = sentAt.get(frame.sequence)
  if (frame.kind === 'refused' || frame.isLast) sentAt.delete(frame.sequence)
  if (frame.kind === 'refused' || began === undefined) return
  const tookUs = (performance.now() - began) * 1_000
  for (const { result } of frame.rows) if (result.status === 'OK') latencies.record(tookUs)
}

/** Returns the wait that an OVERLOADED among the answers asks for, 0 without one. */
const countAnswers = (counts: Counts, frame: NodeFrame): number => {
  if (frame.kind === 'welcome') return 0
  const rows = frame.kind === 'refused' ? [] : frame.rows
  let retryAfterMs = frame.kind === 'refused' ? countAnswer(counts, frame.result, BATCH_OPERATIONS) : 0
  for (const { result } of rows) retryAfterMs = Math.max(retryAfterMs, countAnswer(counts, result, 1))
  counts.retryAfterMsMax = Math.max(counts.retryAfterMsMax, retryAfterMs)
  return retryAfterMs
}

const countAnswer = ({ byStatus }: Counts, { status, retryAfterMs = 0 }: OperationResult, operations: number): number => {
  byStatus.set(status, (byStatus.get(status) ?? 0) + operations)
  return status === 'OVERLOADED' ? retryAfterMs : 0
}

const differenceOf = (before: Counts, after: Counts): FloodFigures => {
  const byStatus = new Map([...after.byStatus].map(([status, count]) => [status, count - (before.byStatus.get(status) ?? 0)]))
  const { OK: done = 0, OVERLOADED: overloaded = 0, ...failures }: Partial<Record<StatusName, number>> = Object.fromEntries(byStatus)
  return {
    offered: after.offered - before.offered,
    sent: after.sent - before.sent,
    heldBack: after.heldBack - before.heldBack,
    done, overloaded, failures,
    retryAfterMsMax: after.retryAfterMsMax,
    p50Ms: after.latencies.percentile(0.5) / 1_000,
    p99Ms: after.latencies.percentile(0.99) / 1_000,
  }
}

/** Random keys, each batch with those of one door alone: about BATCHES_PER_DOOR for each, none for one that leads nothing. */
const encodeFrames = (doors: Doors, { keys, valueBytes }: WorkloadSpec, random: Random): ReadonlyMap<Door, readonly Buffer[]> => {
  const value = createValue(valueBytes)
  const gathered = new Map<Door, Map<ShardId, Operation[]>>(doors.all.map((door) => [door, new Map()]))
  const frames = new Map<Door, Buffer[]>(doors.all.map((door) => [door, []]))
  for (let i = 0; i < BATCH_OPERATIONS * BATCHES_PER_DOOR * doors.all.length; i += 1) {
    const key = keyName(between(random, 0, keys - 1))
    const shard = shardOf(key, doors.shardCount)
    const door = doors.of(shard)
    const groups = gathered.get(door) ?? new Map<ShardId, Operation[]>()
    groups.set(shard, [...groups.get(shard) ?? [], { code: OpCode.put, key, value }])
    const operations = [...groups.values()].reduce((sum, group) => sum + group.length, 0)
    if (operations < BATCH_OPERATIONS) continue
    frames.get(door)?.push(encodeFrame(door, groups))
    gathered.set(door, new Map())
  }
  return frames
}

const encodeFrame = (door: Door, groups: ReadonlyMap<ShardId, readonly Operation[]>): Buffer => Buffer.from(encodeClientFrame({
  kind: 'batch', session: door.session, sequence: 1, timeoutMs: TIMEOUT_MS, consistency: 'linearizable',
  groups: [...groups].map(([shard, operations]) => ({ shard, operations })),
}))
