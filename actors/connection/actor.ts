/** The shell of one connection: carries its core's answers and batches out through ports. */

import { createShell } from '../kernel/shell.ts'
import { createConnectionCore } from './core.ts'
import { defaultConnectionLimits } from './limits.ts'
import { connectionMachine } from './machine.ts'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/log.ts'
import type { Recorder } from '../kernel/recorder.ts'
import type { TraceContext } from '../kernel/trace.ts'
import type { NodeId, ShardId } from '../../topology/ids.ts'
import type { OperationResult } from '../shard/operation.ts'
import type { ShardMessage } from '../shard/protocol.ts'
import type { ConnectionCounters } from './core.ts'
import type { ConnectionLimits } from './limits.ts'
import type { ConnectionEffect, ConnectionEvent, LeaderLookup, RequestTicket } from './protocol.ts'

export interface ConnectionPorts {
  readonly answer: (ticket: RequestTicket, shard: ShardId, result: OperationResult) => void
  readonly forget: (ticket: RequestTicket) => void
  /** `to` empty: the shard on this node. */
  readonly send: (shard: ShardId, to: NodeId | '', message: Extract<ShardMessage, { type: 'shard.request' }>, trace?: TraceContext) => void
  readonly closed: (reason: string) => void
  readonly requestFlush: () => void
}

export interface ConnectionOptions {
  /** `raw`, or the session's id; replies come to `connection/<id>`. */
  readonly id: string
  readonly kind: 'raw' | 'session'
  readonly clock: Clock
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  readonly limits?: Partial<ConnectionLimits>
  readonly now: number
  readonly leaderOf: LeaderLookup
  readonly ports: ConnectionPorts
  readonly onFailure: (error: unknown) => void
}

export interface ConnectionStatus {
  readonly inFlightRequests: number
  readonly inFlightBytes: number
  readonly counters: Readonly<ConnectionCounters>
}

export interface Connection {
  readonly send: (event: ConnectionEvent) => void
  /** The chart's state, such as `open`. */
  readonly state: () => string
  readonly status: () => ConnectionStatus
  readonly stop: () => void
}

export const createConnection = (options: ConnectionOptions): Connection => {
  const { id, kind, clock, log, now, leaderOf, ports, recorder } = options
  const core = createConnectionCore({
    id, kind, now, leaderOf,
    limits: { ...defaultConnectionLimits, ...options.limits },
    firstBatch: scatter(clock.wall()),
  })

  const perform = (effect: ConnectionEffect): void => {
    switch (effect.type) {
      case 'connection.answer': ports.answer(effect.ticket, effect.shard, effect.result); return
      case 'connection.forget': ports.forget(effect.ticket); return
      case 'connection.send': ports.send(effect.shard, effect.to, effect.message, effect.trace); return
      case 'connection.flushWanted': ports.requestFlush(); return
      case 'connection.closed': ports.closed(effect.reason); return
    }
    effect satisfies never
  }

  const shell = createShell({
    machine: connectionMachine,
    input: { core },
    effects: core.effects,
    perform,
    onFailure: options.onFailure,
    onState: (state) => log.debug({ state }, 'connection state'),
    ...(recorder === undefined ? {} : { recording: { recorder, actor: `connection/${id}` } }),
  })
  return {
    send: shell.send,
    state: shell.state,
    status: () => ({ inFlightRequests: core.inFlightRequests, inFlightBytes: core.inFlightBytes, counters: { ...core.counters } }),
    stop: shell.stop,
  }
}

/** A 32-bit number that is far from the one of any recent start (multiplicative hashing; Knuth, TAOCP 3, 6.4). */
const scatter = (wallMs: number): number => Math.imul(Math.floor(wallMs) % 0x1_0000_0000, 0x9e37_79b1) >>> 0
