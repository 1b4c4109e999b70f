/**
 * What a shard replica has answered, counted since the process started: operations by code, and how long their batches waited here, from
 * arrival to answer. One call per batch, additions in typed arrays; `kv.status` and the micro service read it.
 *
 * A batch holds reads or writes, not both (actors/connection/batches.ts), so its first operation tells which.
 */

import { createHistogram } from '../kernel/histogram.ts'
import { OpCode, isRead } from './operation.ts'
import type { Histogram } from '../kernel/histogram.ts'
import type { Operation, OperationResult, StatusName } from './operation.ts'

export interface ShardMeter {
  readonly answered: (operations: readonly Operation[], results: readonly OperationResult[], tookMs: number) => void
  /** By `OpCode`. */
  readonly counts: Float64Array
  /** Answers that a caller would call an error, by `OpCode`: not NOT_FOUND, not CONFLICT. */
  readonly errors: Float64Array
  /** Milliseconds spent, by `OpCode`: the time of an operation's batch counts once for each of its operations. */
  readonly tookMs: Float64Array
  /** Microseconds. */
  readonly reads: Histogram
  readonly writes: Histogram
}

const CODES = Math.max(...Object.values(OpCode)) + 1
const expected: ReadonlySet<StatusName> = new Set(['NOT_FOUND', 'CONFLICT'])

export const createShardMeter = (): ShardMeter => {
  const meter = {
    counts: new Float64Array(CODES),
    errors: new Float64Array(CODES),
    tookMs: new Float64Array(CODES),
    reads: createHistogram(),
    writes: createHistogram(),
  }
  return {
    ...meter,
    answered: (operations, results, tookMs) => {
      for (let i = 0; i < operations.length; i += 1) {
        const code = operations[i]?.code ?? 0
        meter.counts[code] = (meter.counts[code] ?? 0) + 1
        meter.tookMs[code] = (meter.tookMs[code] ?? 0) + tookMs
        const status = results[i]?.status ?? 'OK'
        if (status !== 'OK' && !expected.has(status)) meter.errors[code] = (meter.errors[code] ?? 0) + 1
      }
      const histogram = isRead(operations[0]?.code ?? OpCode.get) ? meter.reads : meter.writes
      histogram.record(tookMs * 1_000, operations.length)
    },
  }
}
