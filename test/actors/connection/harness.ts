/** One connection with its gateway, its shards and its clock in the test's hands. */

import { createConnection } from '../../../actors/connection/actor.ts'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { OpCode } from '../../../actors/shard/operation.ts'
import { nodeId, shardId } from '../../../topology/ids.ts'
import type { ConnectionLimits } from '../../../actors/connection/limits.ts'
import type { ClientRequest, ConnectionEvent } from '../../../actors/connection/protocol.ts'
import type { Operation, OperationResult } from '../../../actors/shard/operation.ts'
import type { ShardMessage } from '../../../actors/shard/protocol.ts'

export const here = nodeId('n1')
export const there = nodeId('n2')

export const put = (key: string, bytes = 1): Operation => ({ code: OpCode.put, key, value: new Uint8Array(bytes) })
export const get = (key: string): Operation => ({ code: OpCode.get, key })

export const ok: OperationResult = { status: 'OK', revision: 1 }

export interface Sent {
  readonly shard: number
  readonly to: string
  readonly message: Extract<ShardMessage, { type: 'shard.request' }>
}

export const createHarness = (options: { kind?: 'raw' | 'session'; limits?: Partial<ConnectionLimits>; wallMs?: number } = {}) => {
  const answers: { ticket: number; shard: number; result: OperationResult }[] = []
  const forgotten: number[] = []
  const sent: Sent[] = []
  const closed: string[] = []
  const failures: unknown[] = []
  const leaders = new Map<number, { node: typeof here; term: number }>()
  let flushesWanted = 0
  let now = 1_000
  let ticket = 0

  const connection = createConnection({
    id: options.kind === 'session' ? 's1' : 'raw',
    kind: options.kind ?? 'raw',
    clock: { now: () => now, wall: () => options.wallMs ?? 1_700_000_000_000, after: () => () => {}, defer: () => {} },
    log: silentLogger,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    now,
    leaderOf: (shard) => leaders.get(shard) ?? null,
    ports: {
      answer: (of, shard, result) => { answers.push({ ticket: of, shard, result }) },
      forget: (of) => { forgotten.push(of) },
      send: (shard, to, message) => { sent.push({ shard, to, message }) },
      closed: (reason) => { closed.push(reason) },
      requestFlush: () => { flushesWanted += 1 },
    },
    onFailure: (error) => failures.push(error),
  })

  const harness = {
    connection, answers, forgotten, sent, closed, failures, leaders,
    flushesWanted: () => flushesWanted,
    send: (event: ConnectionEvent): void => connection.send(event),
    pass: (ms: number): void => { now += ms },
    tick: (): void => connection.send({ type: 'tick', now }),
    ask: (operation: Operation, more: Partial<Omit<ClientRequest, 'operation'>> = {}): number => {
      ticket += 1
      const defaults = { shard: shardId(0), policy: 'slot', consistency: 'linearizable', timeoutMs: 5_000 } as const
      const request = { ticket, ...defaults, ...more, operation }
      connection.send({ type: 'connection.requests', requests: [request], now })
      return ticket
    },
    flush: (): void => connection.send({ type: 'connection.flush', now }),
    hello: (version = 1): void => connection.send({ type: 'connection.hello', version, now }),
    /** The shard answers what was sent, each operation OK unless told otherwise. */
    reply: (message: Sent, more: { from?: typeof here; shard?: number; results?: readonly OperationResult[] } = {}): void => {
      connection.send({
        type: 'shard.reply', shard: shardId(more.shard ?? message.shard), batch: message.message.batch,
        results: more.results ?? message.message.operations.map(() => ok), from: more.from ?? here, now,
      })
    },
    /** Status, and + for definite or - for indefinite, of a request; undefined when it was not answered. */
    verdictOf: (of: number): string | undefined => {
      const result = answers.find((answer) => answer.ticket === of)?.result
      if (result === undefined) return undefined
      return result.definite === undefined ? result.status : `${result.status}${result.definite ? '+' : '-'}`
    },
  }
  return harness
}
