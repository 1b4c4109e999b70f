/** A batch door on a broker in memory, with real connection actors; the shards behind them are in the test's hands. */

import { expect } from '@jest/globals'
import { createConnection } from '../../actors/connection/actor.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { createTurn } from '../../actors/kernel/turn.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { encodeClientFrame } from '../../bus/codec/batch.ts'
import { decodeNodeFrame } from '../../bus/codec/batchAnswers.ts'
import { createOutbox } from '../../bus/outbox.ts'
import { createBatchGateway } from '../../gateway/batches.ts'
import { shardOf } from '../../topology/hash.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { Connection } from '../../actors/connection/actor.ts'
import type { ConnectionLimits } from '../../actors/connection/limits.ts'
import type { Operation, OperationResult } from '../../actors/shard/operation.ts'
import type { ShardMessage } from '../../actors/shard/protocol.ts'
import type { Batch, ClientFrame } from '../../bus/codec/batch.ts'
import type { NodeFrame, ResultRow } from '../../bus/codec/batchAnswers.ts'
import type { Bus } from '../../bus/port.ts'
import type { BatchLimits } from '../../gateway/batches.ts'

export const SHARDS = 4
const self = nodeId('n1')
const SUBJECT = 'kv.to.n1.batch.v1'
const INBOX = '_INBOX.sdk'
export const VALUE_BYTES_MAX = 1_000
export const FRAME_BYTES_MAX = 3_000

type ShardRequest = Extract<ShardMessage, { type: 'shard.request' }>
interface Asked {
  readonly shard: number
  readonly request: ShardRequest
  readonly reply: (resultOf?: (operation: Operation) => OperationResult) => void
}
interface OpenOptions {
  readonly connection?: Partial<ConnectionLimits>
  readonly limits?: Partial<BatchLimits>
  readonly sessions?: readonly string[]
  readonly isOverloaded?: () => boolean
  /** So many bytes of the node's answers are on their way at most, and the broker takes none. */
  readonly outboxBytes?: number
}

const ok: OperationResult = { status: 'OK', revision: 1 }
export const put = (key: string, bytes = 1): Operation => ({ code: OpCode.put, key, value: new Uint8Array(bytes) })
export const get = (key: string): Operation => ({ code: OpCode.get, key })
export const groupsOf = (operations: readonly Operation[]): Batch['groups'] =>
  Array.from({ length: SHARDS }, (_, shard) => ({
    shard: shardId(shard), operations: operations.filter(({ key }) => shardOf(key, SHARDS) === shard),
  })).filter((group) => group.operations.length > 0)

/** What the real one drops, this one drops. */
const withOutbox = (bus: Bus, bytesMax: number): Bus => {
  const outbox = createOutbox(() => new Promise(() => {}), bytesMax)
  return {
    ...bus,
    publish: (to, data, more) => {
      if (!outbox.hasRoom(data.length)) return 'full'
      outbox.published(data.length)
      return bus.publish(to, data, more)
    },
    status: () => ({ ...bus.status(), outstandingBytes: outbox.outstandingBytes(), outstandingBytesMax: bytesMax }),
  }
}

export const open = (options: OpenOptions = {}) => {
  const world = createVirtualWorld()
  const { clock, broker, pass } = world
  const turn = createTurn(clock)
  const connections = new Map<string, Connection>()
  const asked: Asked[] = []
  const failures: unknown[] = []
  const ticked: string[] = []
  const ids = [...options.sessions ?? []]
  let drawn = 0
  const gateway = createBatchGateway({
    bus: withOutbox(broker.connect({ name: 'node' }), options.outboxBytes ?? Number.MAX_SAFE_INTEGER),
    clock,
    log: silentLogger,
    prefix: 'kv',
    self,
    inboxPrefix: '_INBOX.',
    shardCount: SHARDS,
    epoch: () => 7,
    valueBytesMax: VALUE_BYTES_MAX,
    frameBytesMax: FRAME_BYTES_MAX,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    catchUp: () => {}, isOverloaded: options.isOverloaded ?? (() => false),
    drawSession: () => {
      drawn += 1
      return ids.shift() ?? drawn.toString(16).padStart(16, '0')
    },
    openConnection: (id, { answer, closed }) => {
      const connection: Connection = createConnection({
        id,
        kind: 'session',
        clock,
        log: silentLogger,
        now: clock.now(),
        ...(options.connection === undefined ? {} : { limits: options.connection }),
        leaderOf: () => null,
        ports: {
          answer,
          closed,
          forget: () => { failures.push('forgotten') },
          send: (shard, to, request) => {
            expect([to, request.policy]).toEqual(['', 'direct'])
            asked.push({ shard, request, reply: (resultOf = () => ok) => connection.send({
              type: 'shard.reply', shard, batch: request.batch, results: request.operations.map(resultOf), from: self, now: clock.now(),
            }) })
          },
          requestFlush: turn.member('connection', () => connection.send({ type: 'connection.flush', now: clock.now() })),
        },
        onFailure: (error) => failures.push(error),
      })
      connections.set(id, connection)
      return {
        stop: connection.stop,
        send: (event) => {
          if (event.type === 'tick') ticked.push(id)
          connection.send(event)
        },
      }
    },
    requestFlush: turn.member('post', () => gateway.flush()),
  })
  gateway.open()

  const client = broker.connect({ name: 'client' })
  const heard: { readonly frame: NodeFrame; readonly bytes: number }[] = []
  client.subscribe(`${INBOX}.>`, ({ data }) => {
    const decoded = decodeNodeFrame(data)
    if (!decoded.ok) throw new Error(decoded.reason)
    heard.push({ frame: decoded.frame, bytes: data.length })
  })
  const say = (frame: ClientFrame | Uint8Array, reply = `${INBOX}.1`): void => {
    client.publish(SUBJECT, frame instanceof Uint8Array ? frame : encodeClientFrame(frame), reply === '' ? {} : { reply })
    pass(5)
  }
  /** What was heard since it was last asked. */
  const frames = (): NodeFrame[] => heard.splice(0).map(({ frame }) => frame)
  let sequence = 0
  const harness = {
    ...world, gateway, connections, asked, failures, ticked, heard, client, say, frames,
    hello: (): string => {
      say({ kind: 'hello', protocol: 1 })
      const [welcome] = frames()
      if (welcome?.kind !== 'welcome') throw new Error(`no welcome: ${JSON.stringify(welcome)}`)
      return welcome.session
    },
    batch: (session: string, operations: readonly Operation[], more: Partial<Batch> = {}): Batch => {
      sequence += 1
      const frame: Batch = {
        kind: 'batch', session, sequence, timeoutMs: 5_000, consistency: 'linearizable', groups: groupsOf(operations), ...more,
      }
      say(frame)
      return frame
    },
    /** Every shard answers what it was asked. */
    replyAll: (resultOf?: (operation: Operation) => OperationResult): void => {
      for (const one of asked.splice(0)) one.reply(resultOf)
      pass(5)
    },
    tick: (ms: number): void => {
      pass(ms)
      gateway.onTick(clock.now())
      pass(5)
    },
  }
  return harness
}

export const rowsOf = (frames: readonly NodeFrame[]): readonly ResultRow[] =>
  frames.flatMap((frame) => (frame.kind === 'results' ? frame.rows : []))
/** Status, + for definite or - for indefinite. */
const verdictOf = ({ status, definite }: OperationResult): string => `${status}${definite === undefined ? '' : definite ? '+' : '-'}`
export const verdictsOf = (frames: readonly NodeFrame[]): string[] => rowsOf(frames).map(({ result }) => verdictOf(result))
export const refusalsOf = (frames: readonly NodeFrame[]): [number, string][] =>
  frames.flatMap((frame): [number, string][] => (frame.kind === 'refused' ? [[frame.sequence, verdictOf(frame.result)]] : []))
