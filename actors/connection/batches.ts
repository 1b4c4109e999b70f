/** Batches on their way: the end of a turn sends them, replies and deadlines resolve them. The rules are in core.ts's header. */

import { BATCH_OPERATIONS_MAX, isCutOff, isRead } from '../shard/operation.ts'
import { TRACES_A_MESSAGE_MAX } from '../kernel/trace.ts'
import { answer, release } from './core.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { Consistency, OperationResult } from '../shard/operation.ts'
import type { Policy } from '../shard/protocol.ts'
import type { TraceContext } from '../kernel/trace.ts'
import type { ConnectionCore, EventOf, InFlight, SentBatch } from './core.ts'

/** Batch numbers are 32-bit and wrap. */
const BATCH_NUMBERS = 0x1_0000_0000

export const flush = (core: ConnectionCore): void => {
  const groups = new Map<number, InFlight[]>()
  for (const inFlight of core.gathered) {
    if (inFlight.isDone) continue
    const name = groupOf(inFlight)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [inFlight])
    else group.push(inFlight)
  }
  core.gathered = []
  for (const group of groups.values()) sendGroup(core, group)
  core.hasTraced = false
}

const policies: Readonly<Record<Policy, number>> = { slot: 0, forward: 1, direct: 2 }
const consistencies: Readonly<Record<Consistency, number>> = { linearizable: 0, lease: 1, stale: 2 }

/** One number per shard, policy, consistency, and whether it reads. */
const groupOf = ({ request: { shard, policy, consistency, operation } }: InFlight): number =>
  ((shard * 3 + policies[policy]) * 3 + consistencies[consistency]) * 2 + (isRead(operation.code) ? 1 : 0)

/** Cuts the group so that every message fits the broker's payload, and so does what answers it. */
const sendGroup = (core: ConnectionCore, group: readonly InFlight[]): void => {
  const operationsMax = group[0]?.request.policy === 'forward' ? core.limits.forwardedOperationsMax : BATCH_OPERATIONS_MAX
  let batch: InFlight[] = []
  let bytes = 0
  for (const inFlight of group) {
    const isFull = batch.length === operationsMax || bytes + inFlight.bytes > core.limits.batchBytesMax
    if (isFull && batch.length > 0) {
      sendBatch(core, batch)
      batch = []
      bytes = 0
    }
    batch.push(inFlight)
    bytes += inFlight.bytes
  }
  sendBatch(core, batch)
}

const sendBatch = (core: ConnectionCore, requests: readonly InFlight[]): void => {
  const first = requests[0]
  if (first === undefined) return
  const { shard, policy, consistency } = first.request
  const leader = policy === 'forward' ? core.leaderOf(shard) : { node: '' as const, term: 0 }
  if (leader === null || (policy === 'forward' && leader.term === 0)) {
    for (const inFlight of requests) finish(core, inFlight, nobodyLeads(core))
    return
  }
  const number = core.nextBatch
  core.nextBatch = (number + 1) % BATCH_NUMBERS
  const batch: SentBatch = { number, shard, to: leader.node, requests, deadline: earliestOf(requests) }
  core.batches.set(number, batch)
  core.deadlines.add(batch, batch.deadline)
  const trace = core.hasTraced ? traceOf(requests) : undefined
  const message = {
    type: 'shard.request', replyTo: core.address, batch: number, policy, term: leader.term, consistency,
    operations: requests.map(({ request }) => request.operation),
  } as const
  if (trace === undefined) core.effects.push({ type: 'connection.send', shard, to: leader.node, message })
  else core.effects.push({ type: 'connection.send', shard, to: leader.node, message, trace })
}

/** The first one's, with the others' beside it. */
const traceOf = (requests: readonly InFlight[]): TraceContext | undefined => {
  const traces = requests.flatMap(({ request: { trace } }) => (trace === undefined ? [] : [trace])).slice(0, TRACES_A_MESSAGE_MAX)
  const [first, ...others] = traces
  return first === undefined || others.length === 0 ? first : { ...first, others }
}

const earliestOf = (requests: readonly InFlight[]): number => {
  let earliest = Number.POSITIVE_INFINITY
  for (const { deadline, isDone } of requests) if (!isDone && deadline < earliest) earliest = deadline
  return earliest
}

/** Nothing was sent: an election is under way, or this node is cut off. */
const nobodyLeads = (core: ConnectionCore): OperationResult => ({
  status: 'NO_QUORUM', revision: 0, definite: true, retryAfterMs: core.limits.retryAfterMs,
  message: 'No leader of the shard is known here now: try again.',
})

export const handleReply = (core: ConnectionCore, reply: EventOf<'shard.reply'>): void => {
  const batch = core.batches.get(reply.batch)
  const isExpected = batch !== undefined && batch.shard === reply.shard && batch.requests.length === reply.results.length
    && isFrom(batch.to, reply.from)
  if (!isExpected) {
    core.counters.lateReplies += 1
    return
  }
  core.batches.delete(reply.batch)
  core.deadlines.remove(batch, batch.deadline)
  const cutOff: InFlight[] = []
  const hasProgress = reply.results.some((result) => !isCutOff(result))
  for (let i = 0; i < batch.requests.length; i += 1) {
    const inFlight = batch.requests[i]
    const result = reply.results[i]
    if (inFlight === undefined || result === undefined || inFlight.isDone) continue
    if (hasProgress && isCutOff(result) && mayAskAgain(inFlight, reply.now)) cutOff.push(inFlight)
    else finish(core, inFlight, result)
  }
  gatherAgain(core, cutOff)
}

/**
 * Strangers' reads of one turn were forwarded together: that they are too much for one message is no fault of theirs. Whoever sent a batch
 * of its own asks for less.
 */
const mayAskAgain = ({ request: { policy, operation }, deadline }: InFlight, now: number): boolean =>
  policy === 'forward' && isRead(operation.code) && deadline > now

/** Before what came since: whoever waits longest is answered first. Their deadlines stay. */
const gatherAgain = (core: ConnectionCore, again: readonly InFlight[]): void => {
  if (again.length === 0) return
  if (core.gathered.length === 0) core.effects.push({ type: 'connection.flushWanted' })
  core.gathered = [...again, ...core.gathered]
  core.hasTraced ||= again.some(({ request }) => request.trace !== undefined)
}

const isFrom = (to: NodeId | '', from: NodeId): boolean => to === '' || to === from

const finish = (core: ConnectionCore, inFlight: InFlight, result: OperationResult): void => {
  release(core, inFlight)
  answer(core, inFlight.request, result)
}

export const handleTick = (core: ConnectionCore, { now }: EventOf<'tick'>): void => {
  for (const batch of core.deadlines.takeDue(now)) {
    for (const inFlight of batch.requests) expireAt(core, inFlight, now)
    batch.deadline = earliestOf(batch.requests)
    if (batch.deadline === Number.POSITIVE_INFINITY) core.batches.delete(batch.number)
    else core.deadlines.add(batch, batch.deadline)
  }
  for (const inFlight of core.gathered) expireAt(core, inFlight, now)
}

const expireAt = (core: ConnectionCore, inFlight: InFlight, now: number): void => {
  if (inFlight.isDone || inFlight.deadline > now) return
  release(core, inFlight)
  const { request } = inFlight
  if (request.policy === 'slot') {
    core.counters.forgotten += 1
    core.effects.push({ type: 'connection.forget', ticket: request.ticket })
  } else {
    core.counters.timedOut += 1
    answer(core, request, isRead(request.operation.code) ? readTimedOut : writeTimedOut)
  }
}

const readTimedOut: OperationResult = {
  status: 'TIMEOUT', revision: 0, definite: true, message: 'No answer in time: try again.',
}
const writeTimedOut: OperationResult = {
  status: 'TIMEOUT', revision: 0, definite: false,
  message: 'No answer in time: the write may or may not have taken effect. Retry with the same request id.',
}
