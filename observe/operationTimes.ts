/**
 * How many operations came in by this node's doors since its start, and how long they took, by operation: what the Observatory reckons
 * rates and latencies from. Counts only grow, so the difference of two readings is what happened between them.
 */

import { OpCode } from '../actors/shard/operation.ts'
import { sumOf } from '../actors/kernel/histogram.ts'
import type { Records } from './instruments.ts'
import type { OperationTimes } from './recorder/wire.ts'

/** Those that came at all, in the order of their codes. */
export const operationTimes = ({ doors }: Records): readonly OperationTimes[] =>
  Object.entries(OpCode).flatMap(([op, code]) => {
    const micros = sumOf([doors.nats, doors.batch].map(({ took }) => took[code]?.sparse() ?? []))
    return micros.length === 0 ? [] : [{ op, micros }]
  })
