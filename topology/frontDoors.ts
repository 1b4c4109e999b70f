/**
 * The front doors of a node, and the connection actors behind them: one raw connection for requests without a session (`connection/raw`),
 * and one for each session of the batch door (`connection/<session>`). Wires them to the shards and decides nothing.
 */

import { createConnection } from '../actors/connection/actor.ts'
import { hex64 } from '../actors/kernel/random.ts'
import { createBatchGateway } from '../gateway/batches.ts'
import { createNatsGateway } from '../gateway/nats.ts'
import { createMapText, mapProblem } from './mapAnswer.ts'
import type { Connection, ConnectionOptions } from '../actors/connection/actor.ts'
import type { ConnectionEvent } from '../actors/connection/protocol.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { Turn } from '../actors/kernel/turn.ts'
import type { ShardMessage } from '../actors/shard/protocol.ts'
import type { ByteBudget } from '../bus/budget.ts'
import type { Address } from '../bus/post.ts'
import type { BatchGateway } from '../gateway/batches.ts'
import type { NatsGateway } from '../gateway/nats.ts'
import type { LeaderHint } from './beacon.ts'
import type { ClusterMap } from './clusterMap.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { NodeId, ShardId } from './ids.ts'

/**
 * All requests without a session share one connection, and one by one they are slower than batches: what is above this would wait for
 * seconds.
 */
const rawLimits = { inFlightRequestsMax: 4_096 } as const

type ShardRequest = Extract<ShardMessage, { type: 'shard.request' }>

export interface FrontDoorsOptions {
  readonly node: NodeOptions
  readonly map: () => ClusterMap
  readonly turn: Turn
  readonly budget: ByteBudget
  readonly leaderOf: (shard: ShardId) => LeaderHint | null
  /** `to` empty: the shard on this node. */
  readonly send: (shard: ShardId, to: NodeId | '', request: ShardRequest, trace?: TraceContext) => void
  readonly catchUp: () => void
  readonly isOverloaded: () => boolean
  readonly onFailure: (error: unknown) => void
}

export interface FrontDoors {
  readonly open: () => void
  /** A newer map is in force: warns when the broker does not take the answer to `kv.map` any more. */
  readonly noteMap: () => void
  /** Whether this node serves the shard as its leader: its slot lives exactly as long. */
  readonly setServing: (shard: ShardId, isServing: boolean) => void
  /** Asks for nothing new on the shard's slot; calls back when what was sent before has come in. */
  readonly drainSlot: (shard: ShardId, done: () => void) => void
  readonly announce: (key: string, revision: number, code: number) => void
  /** Hands a shard's reply to the connection that waits for it; false when there is none of that address. */
  readonly reply: (to: Address, reply: Extract<ConnectionEvent, { type: 'shard.reply' }>) => boolean
  /** A request of the node's own, which goes the way of those that gateways forward. */
  readonly probe: NatsGateway['probe']
  readonly onTick: (now: number) => void
  /** Asks for nothing new; what has been sent already is still answered, slots apart (their shards drain them). */
  readonly drain: () => void
  /** After a drain: nothing comes in any more and no plain request waits for its answer. */
  readonly isIdle: () => boolean
  readonly close: () => void
  readonly counters: () => Readonly<Record<string, number>>
  readonly depths: () => DoorDepths
}

/** How full the doors are, and what the raw connection had to say no to since the start. */
export interface DoorDepths {
  /** Plain requests that wait for their answer at this node. */
  readonly natsWaiting: number
  readonly batchWaiting: number
  readonly batchSessions: number
  readonly raw: ReturnType<Connection['status']>
}

interface Doors {
  readonly options: FrontDoorsOptions
  /** By the address that replies come to. */
  readonly connections: Map<Address, Connection>
}

export const createFrontDoors = (options: FrontDoorsOptions): FrontDoors => {
  const doors: Doors = { options, connections: new Map() }
  const gateway = openNatsDoor(doors)
  const batches = openBatchDoor(doors)
  const watch = createMapWatch(options)
  const raw = openConnection(doors, { id: 'raw', kind: 'raw' }, {
    answer: (ticket, _shard, result) => gateway.answer(ticket, result),
    forget: gateway.forget,
    closed: () => {},
  })
  return {
    open: () => {
      gateway.open()
      batches.open()
      watch()
    },
    noteMap: watch,
    setServing: gateway.setServing,
    drainSlot: gateway.drainSlot,
    announce: gateway.announce,
    reply: (to, reply) => {
      const connection = doors.connections.get(to)
      connection?.send(reply)
      return connection !== undefined
    },
    probe: gateway.probe,
    onTick: (now) => {
      raw.send({ type: 'tick', now })
      batches.onTick(now)
    },
    drain: () => {
      gateway.drain()
      batches.drain()
    },
    isIdle: gateway.isIdle,
    close: () => {
      gateway.close()
      batches.close()
      for (const connection of doors.connections.values()) connection.stop()
      doors.connections.clear()
    },
    depths: () => {
      const { pendingOperations = 0, sessions = 0 } = batches.counters()
      return { natsWaiting: gateway.waiting(), batchWaiting: pendingOperations, batchSessions: sessions, raw: raw.status() }
    },
    counters: () => ({ ...prefixed('gateway', gateway.counters()), ...prefixed('batch', batches.counters()) }),
  }
}

/** Once for as long as it does not fit: a map changes three times with every move. */
const createMapWatch = ({ map, node: { ports: { doorsBus, log } } }: FrontDoorsOptions): (() => void) => {
  let isWarned = false
  return () => {
    const problem = mapProblem(map(), doorsBus.status().maxPayloadBytes)
    if (problem !== null && !isWarned) log.warn({ actor: 'gateway', problem }, 'the broker does not take the answer to kv.map')
    isWarned = problem !== null
  }
}

const addressOf = (id: string): Address => `connection/${id}`

const openConnection = (
  { options, connections }: Doors,
  { id, kind }: Pick<ConnectionOptions, 'id' | 'kind'>,
  ports: Pick<ConnectionOptions['ports'], 'answer' | 'forget' | 'closed'>,
): Connection => {
  const { clock, log, recorder } = options.node.ports
  const { budget, node: { settings: { connectionLimits } } } = options
  const connection: Connection = createConnection({
    id,
    kind,
    clock,
    log: log.child({ actor: 'connection', conn_id: id }),
    recorder,
    now: clock.now(),
    limits: {
      batchBytesMax: budget.frameBytesMax, forwardedOperationsMax: budget.forwardedOperationsMax,
      ...(kind === 'raw' ? rawLimits : {}), ...connectionLimits,
    },
    leaderOf: options.leaderOf,
    ports: {
      ...ports,
      send: (shard, to, message, trace) => {
        if (trace !== undefined) options.node.ports.tracing?.left?.(trace)
        options.send(shard, to, message, trace)
      },
      requestFlush: options.turn.member('connection', () => connection.send({ type: 'connection.flush', now: clock.now() })),
    },
    onFailure: options.onFailure,
  })
  connections.set(addressOf(id), connection)
  return connection
}

const openNatsDoor = ({ options, connections }: Doors): NatsGateway => {
  const { map, budget, leaderOf } = options
  const { ports: { doorsBus, clock, log }, settings } = options.node
  return createNatsGateway({
    bus: doorsBus,
    clock,
    log: log.child({ actor: 'gateway' }),
    prefix: settings.prefix,
    inboxPrefix: settings.inboxPrefix,
    shardCount: map().shardCount,
    valueBytesMax: budget.valueBytesMax,
    catchUp: options.catchUp,
    isOverloaded: options.isOverloaded,
    tracing: options.node.ports.tracing,
    instruments: options.node.ports.instruments?.natsDoor,
    submit: (request) => connections.get(addressOf('raw'))?.send({ type: 'connection.requests', requests: [request], now: clock.now() }),
    mapText: createMapText(map, leaderOf),
  })
}

const openBatchDoor = (doors: Doors): BatchGateway => {
  const { map, budget, turn } = doors.options
  const { ports: { doorsBus, clock, log, random, instruments }, settings, genesis } = doors.options.node
  const batches: BatchGateway = createBatchGateway({
    bus: doorsBus,
    clock,
    log: log.child({ actor: 'batch' }),
    prefix: settings.prefix,
    self: genesis.node,
    inboxPrefix: settings.inboxPrefix,
    shardCount: map().shardCount,
    epoch: () => map().epoch,
    valueBytesMax: budget.valueBytesMax,
    frameBytesMax: budget.frameBytesMax,
    catchUp: doors.options.catchUp,
    isOverloaded: doors.options.isOverloaded,
    instruments: instruments?.batchDoor,
    drawSession: () => hex64(random),
    openConnection: (id, { answer, closed }) => openConnection(doors, { id, kind: 'session' }, {
      answer,
      // Only the slot path forgets; the batch door submits nothing on it.
      forget: () => {},
      closed: (reason) => {
        doors.connections.get(addressOf(id))?.stop()
        doors.connections.delete(addressOf(id))
        closed(reason)
      },
    }),
    requestFlush: turn.member('post', () => batches.flush()),
    tracing: doors.options.node.ports.tracing,
  })
  return batches
}

const prefixed = (prefix: string, counters: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(counters).map(([name, count]) => [`${prefix}.${name}`, count]))
