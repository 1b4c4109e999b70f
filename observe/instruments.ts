/**
 * What a node counts and times as it happens: rows of typed arrays, so that an observation is an index and an addition, some tens of
 * nanoseconds, and leaves nothing to collect (`node dist/bench/instruments.js` measures it). Reading them is the business of
 * observe/metrics/: nothing is formatted, sorted or named here.
 *
 *   doors ─▶ told, took            shards ─▶ answered, applied            raft ─▶ appends, leader changes            wal ─▶ groups
 *
 * They belong to the process, not to a replica: a replica that moves away takes nothing with it, and no counter ever goes back. Rows are
 * operations, statuses and groups, which are few and fixed; keys and clients never are.
 */

import { createHistogram } from '../actors/kernel/histogram.ts'
import { OpCode, Status } from '../actors/shard/operation.ts'
import type { Histogram } from '../actors/kernel/histogram.ts'
import type { AnsweredBatch } from '../actors/shard/actor.ts'
import type { DoorInstruments } from '../gateway/instruments.ts'
import type { Term } from '../actors/raft/protocol.ts'
import type { GroupId } from '../topology/ids.ts'
import type { NodeInstruments } from '../topology/nodeOptions.ts'
import type { SnapshotRefusal } from '../topology/timedSnapshots.ts'

const MICROS_PER_MS = 1_000
/** Times are shown between these powers of two of microseconds: 16 us and 17 s. What is longer has a bucket of its own above. */
export const TIME_EXPONENTS = [4, 24] as const
/** Operations by code; 0 is a request of which no operation could be read. */
export const CODES = Math.max(...Object.values(OpCode)) + 1
export const STATUSES = Math.max(...Object.values(Status)) + 1

/** Counts by operation and status: `counts[code * STATUSES + status]`. */
export type Tally = Float64Array

/** Of a bucket: the latest traced request in it. */
export interface Example {
  readonly traceId: string
  readonly seconds: number
  readonly atSeconds: number
}

export interface DoorRecord {
  readonly tally: Tally
  /** Microseconds, by operation. */
  readonly took: readonly Histogram[]
  /** By operation, then by the power of two of microseconds that the time lies below. */
  readonly examples: readonly Map<number, Example>[]
}

export interface Records {
  readonly doors: Readonly<Record<'nats' | 'batch', DoorRecord>>
  /** What shards answered, whatever door it came by. */
  readonly operations: Tally
  /** Microseconds by operation: the whole stay in the shard, the wait to be handed to Raft, and from there to the answer. */
  readonly shard: readonly Histogram[]
  readonly gather: readonly Histogram[]
  readonly raft: readonly Histogram[]
  /** Microseconds to apply what one commit brought and to answer it; and how many entries it brought. */
  readonly apply: Histogram
  readonly applyEntries: Histogram
  readonly appendEntries: Histogram
  readonly leaderChanges: ReadonlyMap<GroupId, number>
  readonly walRecords: Histogram
  readonly walMicros: Histogram
  readonly syncMicros: Histogram
  readonly snapshotMicros: Histogram
  readonly snapshotBytes: Histogram
  readonly snapshots: {
    readonly failed: number
    readonly received: number
    readonly receivedBytes: number
    readonly refused: Readonly<Record<SnapshotRefusal, number>>
  }
}

export interface Instruments {
  readonly ports: NodeInstruments
  readonly records: Records
}

export const createInstruments = (nowSeconds: () => number): Instruments => {
  const nats = openDoor()
  const batch = openDoor()
  const operations = createTally()
  const [shard, gather, raft] = [byOperation(), byOperation(), byOperation()]
  const [apply, applyEntries, appendEntries, walRecords, walMicros] = five()
  const [syncMicros, snapshotMicros, snapshotBytes] = five()
  /** A term has one leader: who is elected anew, because it had lost its quorum, is one more. */
  const terms = new Map<GroupId, Term>()
  const leaderChanges = new Map<GroupId, number>()
  const snapshots = { failed: 0, received: 0, receivedBytes: 0, refused: { damaged: 0, newer: 0, failed: 0 } }
  const answered = (answer: AnsweredBatch, now: number): void => {
    const { arrivedAt, handedAt } = answer
    tallyAll(operations, answer)
    const code = answer.operations[0]?.code ?? 0
    const weight = answer.operations.length
    shard[code]?.record((now - arrivedAt) * MICROS_PER_MS, weight)
    if (handedAt === 0) return
    gather[code]?.record((handedAt - arrivedAt) * MICROS_PER_MS, weight)
    raft[code]?.record((now - handedAt) * MICROS_PER_MS, weight)
  }
  return {
    ports: {
      natsDoor: doorInstruments(nats, nowSeconds),
      batchDoor: doorInstruments(batch, nowSeconds),
      shard: {
        answered,
        applied: (entries, tookMs) => {
          apply.record(tookMs * MICROS_PER_MS, 1)
          applyEntries.record(entries, 1)
        },
      },
      raft: {
        appendSent: (entries) => appendEntries.record(entries, 1),
        leaderKnown: (group, leader, term) => {
          if (leader === '' || terms.get(group) === term) return
          terms.set(group, term)
          leaderChanges.set(group, (leaderChanges.get(group) ?? 0) + 1)
        },
      },
      groupWritten: ({ records, tookMs, syncMs }) => {
        walRecords.record(records, 1)
        walMicros.record(tookMs * MICROS_PER_MS, 1)
        syncMicros.record(syncMs * MICROS_PER_MS, 1)
      },
      snapshots: {
        written: (bytes, tookMs) => {
          snapshotBytes.record(bytes, 1)
          snapshotMicros.record(tookMs * MICROS_PER_MS, 1)
        },
        failed: () => { snapshots.failed += 1 },
        received: (bytes) => {
          snapshots.received += 1
          snapshots.receivedBytes += bytes
        },
        refused: (reason) => { snapshots.refused[reason] += 1 },
      },
    },
    records: {
      doors: { nats, batch }, operations, shard, gather, raft, apply, applyEntries, appendEntries, leaderChanges, walRecords, walMicros,
      syncMicros, snapshotMicros, snapshotBytes, snapshots,
    },
  }
}

const createTally = (): Tally => new Float64Array(CODES * STATUSES)
const byOperation = (): readonly Histogram[] => Array.from({ length: CODES }, createHistogram)
const five = (): readonly [Histogram, Histogram, Histogram, Histogram, Histogram] =>
  [createHistogram(), createHistogram(), createHistogram(), createHistogram(), createHistogram()]
const openDoor = (): DoorRecord =>
  ({ tally: createTally(), took: byOperation(), examples: Array.from({ length: CODES }, () => new Map<number, Example>()) })

const tallyAll = (tally: Tally, { operations, results }: AnsweredBatch): void => {
  for (let i = 0; i < operations.length; i += 1) {
    const at = (operations[i]?.code ?? 0) * STATUSES + Status[results[i]?.status ?? 'OK']
    tally[at] = (tally[at] ?? 0) + 1
  }
}

const doorInstruments = ({ tally, took, examples }: DoorRecord, nowSeconds: () => number): DoorInstruments => ({
  told: (code, status) => {
    const at = code * STATUSES + Status[status]
    tally[at] = (tally[at] ?? 0) + 1
  },
  took: (code, tookMs, operations) => took[code]?.record(tookMs * MICROS_PER_MS, operations),
  traced: (code, tookMs, traceId) => {
    const [first, last] = TIME_EXPONENTS
    const exponent = 32 - Math.clz32(tookMs * MICROS_PER_MS)
    const bound = Math.min(last + 1, Math.max(first, exponent))
    examples[code]?.set(bound, { traceId, seconds: tookMs / MICROS_PER_MS, atSeconds: nowSeconds() })
  },
})
