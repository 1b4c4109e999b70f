/** How waiting operations leave: with a result, or with the silence that slot requests are owed by whoever is not certain. */

import { cutOff, isRead } from './operation.ts'
import type { PendingOperation, RequestBatch, ShardCore } from './core.ts'
import type { OperationResult } from './operation.ts'
import type { MemoryShortage, Policy } from './protocol.ts'

/** Nothing was done; another node may lead. */
export const notLeader = (core: ShardCore): OperationResult => ({
  status: 'NOT_LEADER',
  revision: 0,
  definite: true,
  retryAfterMs: core.limits.retryAfterMs,
  message: core.leaderNode === '' || core.leaderNode === core.node
    ? 'This node does not serve the shard now: try again.'
    : `Node ${core.leaderNode} leads the shard.`,
})

/** The write may yet commit under the next leader: retry with a request id, or read. */
export const outcomeUnknown: OperationResult = {
  status: 'NO_QUORUM', revision: 0, definite: false,
  message: 'Leadership was lost before the write was confirmed: it may or may not have taken effect.',
}

/** On the slot path a leader that slept can not know that no successor executes the same copy, so its refusals are no promise. */
const refusal = (core: ShardCore, policy: Policy, status: 'OVERLOADED' | 'NO_SPACE', message: string): OperationResult =>
  ({ status, revision: 0, definite: policy !== 'slot', retryAfterMs: core.limits.retryAfterMs, message })

export const overloaded = (core: ShardCore, policy: Policy): OperationResult =>
  refusal(core, policy, 'OVERLOADED', 'The shard has as many requests as it can hold: slow down.')

export const noSpace = (core: ShardCore, policy: Policy): OperationResult =>
  refusal(core, policy, 'NO_SPACE', 'The disk of the leader is full: free space there. Reads go on.')

const noMemoryTexts: Readonly<Record<MemoryShortage, string>> = {
  heap: 'The heap of the leader is nearly full: delete keys, add nodes, or raise --max-old-space-size there.',
  process: "The leader's machine or container is nearly out of memory: delete keys, add nodes, or give it more memory; "
    + 'where much was deleted already, restart the nodes one by one.',
}

export const noMemory = (core: ShardCore, policy: Policy, shortage: MemoryShortage): OperationResult => ({
  ...refusal(core, policy, 'NO_SPACE', `${noMemoryTexts[shortage]} Reads and deletes go on.`),
  retryAfterMs: core.limits.memoryRetryAfterMs,
})

export const answerAt = (
  core: ShardCore,
  batch: RequestBatch,
  at: { readonly position: number; readonly result: OperationResult },
): void => {
  batch.results[at.position] = at.result
  batch.waiting -= 1
  finishWhenComplete(core, batch)
}

/** No answer at all: not for this operation, and so not for the message it came in. */
export const silenceAt = (core: ShardCore, batch: RequestBatch): void => {
  batch.isSilent = true
  batch.waiting -= 1
  core.counters.silenced += 1
}

export const complete = (core: ShardCore, pending: PendingOperation, result: OperationResult): void => {
  release(core, pending)
  answerAt(core, pending.batch, { position: pending.position, result })
}

/** Answers with `result` where the sender asked this node alone; stays silent where another receiver may be serving the same copy. */
export const completeUnlessSlot = (core: ShardCore, pending: PendingOperation, result: OperationResult): void => {
  if (pending.batch.policy !== 'slot') {
    complete(core, pending, result)
    return
  }
  release(core, pending)
  silenceAt(core, pending.batch)
}

const release = (core: ShardCore, pending: PendingOperation): void => {
  core.pendingOperations -= 1
  core.pendingBytes -= pending.bytes
}

const finishWhenComplete = (core: ShardCore, batch: RequestBatch): void => {
  if (batch.waiting > 0 || batch.isSilent) return
  const results = batch.to.node === core.node ? batch.results : withinReply(core, batch)
  const { to, number, operations, arrivedAt, handedAt } = batch
  core.effects.push({ type: 'shard.answer', to, batch: number, results, operations, arrivedAt, handedAt })
}

/**
 * A reply to another node must fit one message: what reads ask for beyond the byte budget is refused, not sent (docs/TESTING.md T23).
 * What results take beside their values has its room by their number (bus/budget.ts).
 * A mutation's result is never touched: it has happened, and an error that called itself definite would deny it. Its value is a
 * counter of at most 20 characters.
 */
const withinReply = (core: ShardCore, { operations, results }: RequestBatch): readonly OperationResult[] => {
  let bytes = 0
  return results.map((result, position) => {
    const operation = operations[position]
    if (operation === undefined || !isRead(operation.code)) return result
    const valueBytes = result.value?.length ?? 0
    if (bytes + valueBytes <= core.entryBytesMax) {
      bytes += valueBytes
      return result
    }
    return cutOff
  })
}
