/**
 * A client of the batch door, as an SDK would be: it says hello to a node, sends what one turn gathered for a shard as one batch to the
 * node it takes for the leader, and turns to another node when it hears NOT_LEADER or nothing.
 *
 * It never sends a batch again by itself: what was not answered is unknown, and the workload decides.
 */

import { must } from '../actors/kernel/assert.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { encodeClientFrame } from '../bus/codec/batch.ts'
import { decodeNodeFrame } from '../bus/codec/batchAnswers.ts'
import { batchSubject } from '../bus/subjects.ts'
import type { Operation, OperationResult } from '../actors/shard/operation.ts'
import type { Batch } from '../bus/codec/batch.ts'
import type { NodeFrame } from '../bus/codec/batchAnswers.ts'
import type { Bus } from '../bus/port.ts'
import type { NodeId, ShardId } from '../topology/ids.ts'
import type { Process, Timeline } from './clock.ts'

/** Null: nobody answered, so the operation may or may not take effect. */
export type DoorAnswer = (result: OperationResult | null) => void

export interface Door {
  readonly send: (shard: ShardId, operation: Operation, answered: DoorAnswer) => void
}

export interface DoorInput {
  readonly client: number
  readonly process: Process
  readonly bus: Bus
  readonly timeline: Pick<Timeline, 'schedule'>
  /** Those that are in the cluster now; never empty. */
  readonly nodes: () => readonly NodeId[]
  readonly timeoutMs: number
  /** Of its reads. Absent: linearizable. */
  readonly consistency?: Batch['consistency']
}

interface Gathered {
  readonly operation: Operation
  readonly answered: DoorAnswer
}

interface Listener {
  /** True when it was the last. */
  readonly frame: (frame: NodeFrame) => boolean
  readonly over: () => void
}

/** A session with one node. */
interface Visit {
  readonly session: string
  lastSequence: number
}

const PROTOCOL = 1
const SLACK_MS = 100
const notSent: OperationResult = { status: 'NO_QUORUM', revision: 0, definite: true }

export const createDoor = ({ client, process, bus, timeline, nodes, timeoutMs, consistency = 'linearizable' }: DoorInput): Door => {
  const visits = new Map<NodeId, Visit>()
  /** The node believed to lead each shard, by position. */
  const leaders = new Map<ShardId, number>()
  const gathered = new Map<ShardId, Gathered[]>()
  let inboxes = 0

  const nodeFor = (shard: ShardId): NodeId => {
    const there = nodes()
    return must(there[(leaders.get(shard) ?? shard) % there.length], 'somebody is in the cluster')
  }
  const tryAnother = (shard: ShardId): void => { leaders.set(shard, (leaders.get(shard) ?? shard) + 1) }

  /** Sends one frame and hears the answers to it until the last, or until the time is over. */
  const ask = (node: NodeId, data: Uint8Array, heard: Listener): void => {
    inboxes += 1
    const inbox = `_INBOX.door.c${client}.${inboxes}`
    let isOver = false
    const finish = (): void => {
      if (isOver) return
      isOver = true
      subscription.unsubscribe()
      heard.over()
    }
    const subscription = bus.subscribe(inbox, (message) => {
      const decoded = decodeNodeFrame(message.data)
      if (!isOver && (!decoded.ok || heard.frame(decoded.frame))) finish()
    })
    bus.publish(batchSubject('kv', node), data, { reply: inbox })
    timeline.schedule(timeoutMs + SLACK_MS, finish, { process })
  }

  const sayHello = (node: NodeId, then: (visit: Visit | null) => void): void => {
    let visit: Visit | null = null
    ask(node, encodeClientFrame({ kind: 'hello', protocol: PROTOCOL }), {
      frame: (frame) => {
        if (frame.kind === 'welcome') visit = { session: frame.session, lastSequence: 0 }
        return true
      },
      over: () => {
        if (visit !== null) visits.set(node, visit)
        then(visit)
      },
    })
  }

  const sendBatch = (shard: ShardId, batch: readonly Gathered[], node: NodeId, visit: Visit): void => {
    const results = new Map<number, OperationResult>()
    visit.lastSequence += 1
    const sequence = visit.lastSequence
    ask(node, encodeClientFrame({
      kind: 'batch', session: visit.session, sequence, timeoutMs, consistency,
      groups: [{ shard, operations: batch.map(({ operation }) => operation) }],
    }), {
      frame: (frame) => {
        if (frame.kind === 'refused') {
          batch.forEach((_, position) => results.set(position, frame.result))
          visits.delete(node)
          return true
        }
        if (frame.kind !== 'results' || frame.sequence !== sequence) return false
        for (const { position, result } of frame.rows) results.set(position, result)
        return frame.isLast
      },
      over: () => {
        if (results.size < batch.length || [...results.values()].some(({ status }) => status === 'NOT_LEADER')) tryAnother(shard)
        if (results.size === 0) visits.delete(node)
        batch.forEach(({ answered }, position) => answered(results.get(position) ?? null))
      },
    })
  }

  const flush = (shard: ShardId): void => {
    const batch = gathered.get(shard) ?? []
    gathered.delete(shard)
    const node = nodeFor(shard)
    const visit = visits.get(node)
    if (visit !== undefined) {
      sendBatch(shard, batch, node, visit)
      return
    }
    sayHello(node, (opened) => {
      if (opened !== null) sendBatch(shard, batch, node, opened)
      else {
        tryAnother(shard)
        for (const { answered } of batch) answered(notSent)
      }
    })
  }

  return {
    send: (shard, operation, answered) => {
      const waiting = gathered.get(shard)
      if (waiting !== undefined) {
        waiting.push({ operation, answered })
        return
      }
      gathered.set(shard, [{ operation, answered }])
      timeline.schedule(0, () => flush(shard), { process })
    },
  }
}

/** What opens a session of the state machine (RIFL). */
export const openSessionOperation = (client: string): Operation =>
  ({ code: OpCode.openSession, key: '', session: { client, sequence: 1, firstIncomplete: 1 } })
