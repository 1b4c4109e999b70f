/**
 * The SDK against nodes on a broker in memory and virtual time: real batch doors, real connection actors, the real state machine with
 * its sessions. Only Raft is the test's: it says who leads a shard, and what becomes of a request.
 */

import { createConnection } from '../../actors/connection/actor.ts'
import { must } from '../../actors/kernel/assert.ts'
import { silentLogger } from '../../actors/kernel/log.ts'
import { createRandom, hex64 } from '../../actors/kernel/random.ts'
import { createTurn } from '../../actors/kernel/turn.ts'
import { readKey } from '../../actors/shard/apply.ts'
import { OpCode, isRead } from '../../actors/shard/operation.ts'
import { createBatchGateway } from '../../gateway/batches.ts'
import { createClient } from '../../sdk/client.ts'
import { text } from '../../sdk/codec.ts'
import { createKv } from '../../sdk/kv.ts'
import { shardOf } from '../../topology/hash.ts'
import { nodeId, shardId } from '../../topology/ids.ts'
import { createReplica } from '../actors/shard/entries.ts'
import { createVirtualWorld } from '../support/virtual.ts'
import type { Connection } from '../../actors/connection/actor.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Operation, OperationResult } from '../../actors/shard/operation.ts'
import type { ShardMessage } from '../../actors/shard/protocol.ts'
import type { BatchGateway } from '../../gateway/batches.ts'
import type { Fate } from '../../bus/memory.ts'
import type { Bus } from '../../bus/port.ts'
import type { Permissions } from '../../bus/memoryConnection.ts'
import type { Client } from '../../sdk/client.ts'
import type { DispatchLimits } from '../../sdk/dispatch.ts'
import type { Kv } from '../../sdk/kv.ts'
import type { VirtualWorld } from '../support/virtual.ts'

const PATIENCE_MS = 20_000
const SHARD_ANSWERS_AFTER_MS = 1
const LATE_MS = 900
const NODE_TICK_MS = 50
const KEPT_BYTES = 1_024 * 1_024

/**
 * What a shard does with one request: `lose` neither applies nor answers it, `serveInSilence` applies it and answers nobody, `serveLate`
 * says that nobody knows, and applies it later.
 */
export type Fortune = 'serve' | 'lose' | 'serveInSilence' | 'serveLate' | OperationResult

export interface Asked {
  readonly node: string
  readonly shard: number
  readonly operations: readonly Operation[]
  readonly consistency: string
}

export const SHARDS = 4
/** A key of each shard. */
export const keys = Array.from({ length: SHARDS }, (_, shard) => {
  let n = 0
  while (shardOf(`k${n}`, SHARDS) !== shard) n += 1
  return `k${n}`
})
/** A key of shard 0, which n1 leads. */
export const key = must(keys[0], 'shard 0 has a key')

export const isMutation = ({ operations }: Asked): boolean =>
  operations.some(({ code }) => code === OpCode.incr || code === OpCode.put)

/** What the promise is rejected with. */
export const failureOf = async (world: World, promise: Promise<unknown>): Promise<unknown> => {
  try {
    await world.settled(promise)
  } catch (error) {
    return error
  }
  throw new Error('the promise was not rejected')
}

/** The fortune of the first write to a key, then service. */
export const first = (fortune: Fortune): ((request: Asked) => Fortune) => {
  let isFirst = true
  return (request) => {
    if (!isFirst || !isMutation(request)) return 'serve'
    isFirst = false
    return fortune
  }
}

export interface WorldOptions {
  readonly shards?: number
  readonly nodes?: readonly string[]
  readonly limits?: Partial<DispatchLimits>
  readonly fate?: (message: Fate) => readonly number[]
  readonly permissions?: Permissions
  readonly cluster?: string
}

export interface World extends VirtualWorld {
  readonly client: Client
  readonly kv: Kv<string>
  readonly bus: Bus
  /** Every request that a shard got, in order. */
  readonly asked: Asked[]
  /** Decides about requests from now on; by default a leader serves. */
  readonly behave: (decide: (request: Asked) => Fortune) => void
  readonly lead: (shard: number, node: string) => void
  /** Nobody leads; the map says so. */
  readonly leaderless: (shard: number) => void
  /** The node's process is gone: nobody listens, what it had taken is never answered. */
  readonly kill: (node: string) => void
  /** The same node in a new process: it knows no door session. */
  readonly restart: (node: string) => void
  readonly door: (node: string) => BatchGateway
  /** What publishing comes to from now on; null: what the broker makes of it; an error is thrown. */
  readonly publishing: (outcome: 'full' | 'tooLarge' | Error | null) => void
  /** While true, what is published stays in this process, as with a socket that takes no more; then it leaves in order. */
  readonly keepBack: (isKept: boolean) => void
  /** What the map says from now on, instead of the truth. */
  readonly claim: (map: unknown) => void
  /** The client's clock moves on, as that of a process which has been stopped; what was due meanwhile is due now. */
  readonly sleep: (ms: number) => void
  /** The log time of all shards moves on. */
  readonly age: (ms: number) => void
  /** Lets virtual time pass until the promise settles; fails after 20 s of it. */
  readonly settled: <Result>(promise: Promise<Result>) => Promise<Result>
  /** Waits until it holds, in virtual time. */
  readonly until: (what: string, isTrue: () => boolean) => Promise<void>
  readonly valueOf: (key: string, shard?: number) => string | undefined
}

interface Ground {
  readonly virtual: VirtualWorld
  readonly random: Random
  readonly shardCount: number
  readonly leaders: ({ readonly node: string; readonly term: number } | null)[]
  readonly replicas: readonly ReturnType<typeof createReplica>[]
  readonly asked: Asked[]
  decide: (request: Asked) => Fortune
  timeMs: number
}

interface TestNode {
  readonly bus: Bus
  readonly gateway: BatchGateway
  isAlive: boolean
}

const notLeader: OperationResult =
  { status: 'NOT_LEADER', revision: 0, definite: true, retryAfterMs: 50, message: 'This node does not serve the shard now.' }

const unknown: OperationResult = { status: 'NO_QUORUM', revision: 0, definite: false, message: 'Leadership was lost.' }

export const openWorld = async (options: WorldOptions = {}): Promise<World> => {
  const virtual = createVirtualWorld(options.fate === undefined ? {} : { fate: options.fate })
  const { shards: shardCount = SHARDS, nodes: names = ['n1', 'n2', 'n3'] } = options
  const ground: Ground = {
    virtual, shardCount, random: createRandom(7), asked: [], decide: () => 'serve', timeMs: 1_000,
    leaders: Array.from({ length: shardCount }, (_, shard) => ({ node: must(names[shard % names.length], 'there are nodes'), term: 1 })),
    replicas: Array.from({ length: shardCount }, () => createReplica()),
  }
  const nodes = new Map(names.map((name) => [name, startNode(ground, name)]))
  let claimed: unknown = null
  const serveMap = (door: Bus): void => {
    door.subscribe('kv.map', ({ reply }) => {
      door.publish(reply, new TextEncoder().encode(JSON.stringify(claimed ?? {
        cluster: options.cluster ?? '00000000c0ffee00', epoch: 1, shardCount, nodes: names, leaders: ground.leaders,
        replicas: ground.leaders.map(() => names.map((name) => `${name}:1`)),
      })))
    }, { queue: 'kv-gateway' })
  }
  for (const node of nodes.values()) serveMap(node.bus)
  const bus = virtual.broker.connect({ name: 'sdk', ...(options.permissions === undefined ? {} : { permissions: options.permissions }) })
  let refusal: 'full' | 'tooLarge' | Error | null = null
  let kept: (() => void)[] | null = null
  const refusing: Bus = {
    ...bus,
    publish: (subject, data, wish) => {
      if (refusal instanceof Error) throw refusal
      if (refusal === null && kept !== null) {
        const copy = Uint8Array.from(data)
        kept.push(() => { bus.publish(subject, copy, wish) })
        return 'sent'
      }
      return refusal ?? bus.publish(subject, data, wish)
    },
    flush: (done) => {
      if (kept === null) bus.flush(done)
      else kept.push(() => { bus.flush(done) })
    },
    status: () => (kept === null ? bus.status() : { ...bus.status(), outstandingBytes: KEPT_BYTES }),
  }
  let sleptMs = 0
  let tokens = 0
  const newToken = (): string => {
    tokens += 1
    return `t${tokens}`
  }
  const client = createClient({
    bus: refusing, clock: { ...virtual.clock, now: () => virtual.clock.now() + sleptMs }, random: ground.random, newToken,
    prefix: 'kv', inbox: '_INBOX.sdk',
    limits: { operationsMax: 100_000, bytesMax: 1e9, ...options.limits },
  })
  const { settled, until } = patience(virtual)
  const nodeOf = (name: string): TestNode => must(nodes.get(name), `there is a node ${name}`)
  const kill = (name: string): void => {
    nodeOf(name).isAlive = false
    nodeOf(name).bus.close()
  }
  const ready = client.ready()
  if (options.permissions === undefined) await settled(ready)
  else ready.catch(() => {})
  return {
    ...virtual,
    client,
    kv: createKv(client, text, { timeoutMs: 5_000, consistency: 'linearizable' }),
    bus,
    asked: ground.asked,
    behave: (decide) => { ground.decide = decide },
    lead: (shard, node) => { ground.leaders[shard] = { node, term: (ground.leaders[shard]?.term ?? 9) + 1 } },
    leaderless: (shard) => { ground.leaders[shard] = null },
    kill,
    restart: (name) => {
      kill(name)
      const node = startNode(ground, name)
      nodes.set(name, node)
      serveMap(node.bus)
    },
    publishing: (outcome) => { refusal = outcome },
    keepBack: (isKept) => {
      const leaving = kept ?? []
      kept = isKept ? leaving : null
      if (!isKept) for (const leave of leaving) leave()
    },
    door: (name) => nodeOf(name).gateway,
    claim: (map) => { claimed = map },
    sleep: (ms) => { sleptMs += ms },
    age: (ms) => { ground.timeMs += ms },
    settled,
    until,
    valueOf: (key, shard = 0) => {
      const { value } = readKey(must(ground.replicas[shard], 'the shard is there').state, key)
      return value === undefined ? undefined : new TextDecoder().decode(value)
    },
  }
}

const patience = ({ pass, clock }: VirtualWorld): Pick<World, 'settled' | 'until'> => {
  const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })
  const until: World['until'] = async (what, isTrue) => {
    const deadline = clock.now() + PATIENCE_MS
    await turn()
    while (!isTrue()) {
      if (clock.now() > deadline) throw new Error(`not within ${PATIENCE_MS} virtual ms: ${what}`)
      pass(1)
      await turn()
    }
  }
  return {
    until,
    settled: async (promise) => {
      let isOver = false
      const over = (): void => { isOver = true }
      promise.then(over, over)
      await until('the promise settles', () => isOver)
      return promise
    },
  }
}

const startNode = (ground: Ground, name: string): TestNode => {
  const { virtual: { clock, broker } } = ground
  const bus = broker.connect({ name })
  const self = nodeId(name)
  const turn = createTurn(clock)
  const gateway: BatchGateway = createBatchGateway({
    bus, clock, self, log: silentLogger, prefix: 'kv', inboxPrefix: '_INBOX.', shardCount: ground.shardCount, epoch: () => 1,
    valueBytesMax: 512 * 1_024, frameBytesMax: 600 * 1_024, catchUp: () => {}, isOverloaded: () => false,
    drawSession: () => hex64(ground.random),
    openConnection: (id, { answer, closed }) => {
      const connection: Connection = createConnection({
        id, kind: 'session', clock, log: silentLogger, now: clock.now(), leaderOf: () => null,
        ports: {
          answer, closed, forget: () => {},
          send: (shard, _to, request) => {
            serve(ground, { node: name, shard, request }, (results) => {
              if (node.isAlive) connection.send({ type: 'shard.reply', shard, batch: request.batch, results, from: self, now: clock.now() })
            })
          },
          requestFlush: turn.member('connection', () => { connection.send({ type: 'connection.flush', now: clock.now() }) }),
        },
        onFailure: (error) => { throw error },
      })
      return connection
    },
    requestFlush: turn.member('post', () => { gateway.flush() }),
  })
  gateway.open()
  const node: TestNode = { bus, gateway, isAlive: true }
  const tick = (): void => {
    if (!node.isAlive) return
    gateway.onTick(clock.now())
    clock.after(NODE_TICK_MS, tick)
  }
  clock.after(NODE_TICK_MS, tick)
  return node
}

interface Arrival {
  readonly node: string
  readonly shard: number
  readonly request: Extract<ShardMessage, { type: 'shard.request' }>
}

const serve = (ground: Ground, { node, shard, request }: Arrival, answer: (results: readonly OperationResult[]) => void): void => {
  const { operations, consistency } = request
  const asked = { node, shard, operations, consistency }
  ground.asked.push(asked)
  const isStaleRead = consistency === 'stale' && operations.every(({ code }) => isRead(code))
  const isLed = isStaleRead || ground.leaders[shard]?.node === node
  const fortune = isLed ? ground.decide(asked) : notLeader
  if (fortune === 'lose') return
  const { clock } = ground.virtual
  if (fortune === 'serveLate') clock.after(LATE_MS, () => { execute(ground, shardId(shard), operations) })
  const refusal = fortune === 'serveLate' ? unknown : fortune
  const results = typeof refusal === 'object' ? operations.map(() => refusal) : execute(ground, shardId(shard), operations)
  if (fortune !== 'serveInSilence') clock.after(SHARD_ANSWERS_AFTER_MS, () => { answer(results) })
}

const execute = (ground: Ground, shard: number, operations: readonly Operation[]): readonly OperationResult[] => {
  const replica = must(ground.replicas[shard], 'the shard is there')
  if (operations.every(({ code }) => isRead(code))) return operations.map(({ key }) => readKey(replica.state, key))
  return replica.apply(ground.timeMs, ...operations)
}
