/**
 * What becomes of a request on arrival. Only a serving leader takes reads and writes in; every other state refuses, or stays silent,
 * by the request's policy. What needs no state is refused alike everywhere; a stale read is answered by any replica.
 */

import { answerAt, noMemory, noSpace, notLeader, overloaded, silenceAt } from './answer.ts'
import { readKey } from './apply.ts'
import { encodedOperationBytes } from './batch.ts'
import { wouldGrow } from './growth.ts'
import { BATCH_OPERATIONS_MAX, isRead } from './operation.ts'
import { checkOperation } from './operationCheck.ts'
import type { PendingOperation, RequestBatch, ShardCore } from './core.ts'
import type { Operation, OperationResult } from './operation.ts'
import type { ShardEvent } from './protocol.ts'

type Request = Extract<ShardEvent, { type: 'shard.request' }>

/** What a chart state does with an operation that is well-formed and no stale read; null is silence. */
type Reception = (operation: Operation, position: number) => OperationResult | 'taken' | null

/** `leading.serving`, and while its slot is drained. */
export const acceptRequest = (core: ShardCore, request: Request): void => {
  const batch = openBatch(core, request)
  const isForeignTerm = request.policy === 'forward' && request.term !== core.term
  const reception: Reception = (operation, position) =>
    (isForeignTerm ? notLeader(core) : take(core, request, { batch, position, operation, bytes: encodedOperationBytes(operation) }))
  receive(core, { request, batch, reception, hasState: true })
}

/** `following`, and a leader that does not serve. */
export const refuseRequest = (core: ShardCore, request: Request): void => {
  receive(core, { request, batch: openBatch(core, request), reception: () => refusalOf(core, request), hasState: true })
}

/** `recovering`, `removed`: the state is incomplete or not to be trusted, so not even a stale read is answered. */
export const refuseWithoutState = (core: ShardCore, request: Request): void => {
  receive(core, { request, batch: openBatch(core, request), reception: () => refusalOf(core, request), hasState: false })
}

const refusalOf = (core: ShardCore, { policy }: Request): OperationResult | null => (policy === 'slot' ? null : notLeader(core))

const openBatch = (core: ShardCore, request: Request): RequestBatch => {
  core.now = request.now
  return {
    to: request.origin,
    operations: request.operations,
    number: request.batch,
    policy: request.policy,
    arrivedAt: request.now,
    handedAt: 0,
    results: [],
    waiting: request.operations.length,
    isSilent: false,
  }
}

const tooMany: OperationResult = {
  status: 'TOO_LARGE', revision: 0, definite: true, message: `A batch has at most ${BATCH_OPERATIONS_MAX} operations: split it.`,
}

interface Receipt {
  readonly request: Request
  readonly batch: RequestBatch
  readonly reception: Reception
  readonly hasState: boolean
}

const receive = (core: ShardCore, { request, batch, reception, hasState }: Receipt): void => {
  const { operations, consistency, policy } = request
  const isTooMany = operations.length > BATCH_OPERATIONS_MAX
  operations.forEach((operation, position) => {
    const refusal = isTooMany ? tooMany : checkOperation(operation, core.operationBytesMax, policy)
    const isStaleRead = hasState && consistency === 'stale' && isRead(operation.code)
    const result = refusal ?? (isStaleRead ? readKey(core.state, operation.key) : reception(operation, position))
    if (result === null) silenceAt(core, batch)
    else if (result !== 'taken') answerAt(core, batch, { position, result })
  })
}

/** Gathers the operation for this turn's flush, unless a limit forbids it. */
const take = (core: ShardCore, request: Request, pending: PendingOperation): OperationResult | 'taken' => {
  const { limits } = core
  const isWrite = !isRead(pending.operation.code)
  if (isWrite && core.isDiskFull) return noSpace(core, request.policy)
  if (core.memoryShortage !== null && wouldGrow(core, pending.operation)) return noMemory(core, request.policy, core.memoryShortage)
  if (core.pendingOperations >= limits.pendingOperationsMax || core.pendingBytes + pending.bytes > limits.pendingBytesMax) {
    core.counters.overloaded += 1
    return overloaded(core, request.policy)
  }
  if (!hasGathered(core)) core.effects.push({ type: 'shard.flushWanted' })
  core.pendingOperations += 1
  core.pendingBytes += pending.bytes
  if (isWrite) core.gatheredWrites.push(pending)
  else if (request.consistency === 'lease') core.gatheredLeaseReads.push(pending)
  else core.gatheredReads.push(pending)
  return 'taken'
}

const hasGathered = (core: ShardCore): boolean =>
  core.gatheredWrites.length + core.gatheredReads.length + core.gatheredLeaseReads.length > 0
