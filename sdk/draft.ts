/**
 * The frames of one turn for one node, as they fill up: one kind per consistency, since a batch has one for all its reads; calls of a
 * shard that come one after the other share a group; a frame that is full is followed by the next.
 */

import type { Consistency, Operation } from '../actors/shard/operation.ts'
import type { OperationGroup } from '../bus/codec/batch.ts'
import type { Call } from './call.ts'

export interface DraftFrame {
  readonly consistency: Consistency
  readonly groups: readonly OperationGroup[]
  /** By position. */
  readonly calls: Call[]
  /** Of their keys and values. */
  readonly bytes: number
  readonly latestDeadline: number
  /** One of them belongs to a sampled trace. */
  readonly isTraced: boolean
}

export interface Draft {
  readonly add: (call: Call, operation: Operation) => void
  /** All frames so far; the draft is empty after. */
  readonly take: () => readonly DraftFrame[]
}

export interface DraftOptions {
  readonly operationsMax: number
  readonly bytesMax: () => number
}

interface OpenFrame {
  readonly consistency: Consistency
  readonly groups: { readonly shard: OperationGroup['shard']; readonly operations: Operation[] }[]
  readonly calls: Call[]
  bytes: number
  latestDeadline: number
  isTraced: boolean
}

/** No Map, for the reason that calls in flight are no Set (inFlight.ts): one that is cleared does the same. */
type OpenFrames = { [Name in Consistency]?: OpenFrame }

export const createDraft = ({ operationsMax, bytesMax }: DraftOptions): Draft => {
  let frames: OpenFrame[] = []
  let open: OpenFrames = {}

  const frameFor = (consistency: Consistency, bytes: number): OpenFrame => {
    const frame = open[consistency]
    if (frame !== undefined && frame.calls.length < operationsMax && frame.bytes + bytes <= bytesMax()) return frame
    const next: OpenFrame = { consistency, groups: [], calls: [], bytes: 0, latestDeadline: 0, isTraced: false }
    open[consistency] = next
    frames.push(next)
    return next
  }
  return {
    add: (call, operation) => {
      const frame = frameFor(call.consistency, call.bytes)
      const group = frame.groups[frame.groups.length - 1]
      if (group?.shard === call.shard) group.operations.push(operation)
      else frame.groups.push({ shard: call.shard, operations: [operation] })
      frame.calls.push(call)
      frame.bytes += call.bytes
      if (call.trace !== '') frame.isTraced = true
      frame.latestDeadline = Math.max(frame.latestDeadline, call.deadline)
    },
    take: () => {
      const taken = frames
      if (taken.length === 0) return taken
      frames = []
      open = {}
      return taken
    },
  }
}
