/**
 * What a front door tells of its requests, for metrics (implementation: observe/instruments.ts; the simulator has none). Called for every
 * request, so nothing here takes an object.
 */

import type { TraceContext } from '../actors/kernel/trace.ts'
import type { StatusName } from '../actors/shard/operation.ts'

export interface DoorInstruments {
  /** One operation is answered. `code`: its `OpCode`, 0 when the request could not be read so far. */
  readonly told: (code: number, status: StatusName) => void
  /**
   * That many operations of that code waited so long, from their arrival at this door to their answer, or until they were forgotten.
   * `status`: as their callers were told, of several the first that is not OK; TIMEOUT of a forgotten one. `trace`: of the first that is
   * sampled.
   */
  readonly took: (code: number, tookMs: number, operations: number, status?: StatusName, trace?: TraceContext) => void
  /** The request is part of a recorded trace: whoever asks why such requests take so long may look at it. */
  readonly traced: (code: number, tookMs: number, traceId: string) => void
}
