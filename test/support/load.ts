/**
 * Clients under load over plain NATS requests, or whatever else performs a call, recording what they saw for the checkers of the
 * simulator (sim/linearizability.ts, sim/exactlyOnce.ts). Increments over plain requests carry no request id and are never repeated: a
 * request executed twice shows up in the sum.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { createRandom, fraction, pick } from '../../actors/kernel/random.ts'
import { must } from '../../actors/kernel/assert.ts'
import { shardOf } from '../../topology/hash.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Bus, Headers, Inbound, RequestFailure } from '../../bus/port.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'

const TIMEOUT_MS = 1_500
const BACKOFF_MS = 20
const PROBE_EVERY_MS = 10
const PROBE_TIMEOUT_MS = 100
const PROBE_GIVES_UP_MS = 20_000

export interface Load {
  readonly history: () => readonly HistoryOperation[]
  /** Stops the clients and waits for what is in flight. */
  readonly stop: () => Promise<void>
}

/** One call on one key, and what the caller is told. */
export type Perform = (key: string, call: Call) => Promise<Outcome>

export interface LoadOptions {
  /** One for each connection. */
  readonly through: readonly Perform[]
  readonly clientsPerConnection: number
  readonly seed: number
  /** Waited between two operations of a client, in ms, so that histories stay checkable. */
  readonly pauseMs: number
}

interface Session {
  readonly options: LoadOptions
  readonly history: HistoryOperation[]
  isStopping: boolean
  nextId: number
}

/** Registers and counters, enough of each that every shard has some. */
const REGISTERS = Array.from({ length: 48 }, (_, i) => `register-${i}`)
export const COUNTERS: readonly string[] = Array.from({ length: 16 }, (_, i) => `counter-${i}`)

export const startLoad = (options: LoadOptions): Load => {
  const session: Session = { options, history: [], isStopping: false, nextId: 1 }
  const clients = options.through.flatMap((perform, b) => Array.from({ length: options.clientsPerConnection }, (_, c) => {
    const client = b * options.clientsPerConnection + c
    return runClient(session, { perform, client, random: createRandom(options.seed + client) })
  }))
  return {
    history: () => session.history,
    stop: async () => {
      session.isStopping = true
      await Promise.all(clients)
    },
  }
}

interface Client {
  readonly perform: Perform
  readonly client: number
  readonly random: Random
}

const runClient = async (session: Session, client: Client): Promise<void> => {
  const revisions = new Map<string, number>()
  while (!session.isStopping) {
    const { key, call } = drawOperation(client.random, revisions)
    const operation = await record(session, client, { key, call })
    const { outcome } = operation
    if (outcome.kind === 'answered') revisions.set(key, outcome.revision)
    await pause(outcome.kind === 'answered' ? session.options.pauseMs : BACKOFF_MS)
  }
}

const drawOperation = (random: Random, revisions: ReadonlyMap<string, number>): { key: string; call: Call } => {
  const draw = fraction(random)
  if (draw < 0.2) return { key: must(pick(random, COUNTERS), 'counters'), call: { kind: 'incr', amount: 1 } }
  const key = must(pick(random, REGISTERS), 'registers')
  const value = String(random.uint32())
  if (draw < 0.55) return { key, call: { kind: 'get' } }
  if (draw < 0.8) return { key, call: { kind: 'put', value } }
  if (draw < 0.95) return { key, call: { kind: 'cas', value, ifRevision: revisions.get(key) ?? 0 } }
  return { key, call: { kind: 'del' } }
}

/** One request, recorded. */
const record = async (
  session: Session, { perform, client }: Client, { key, call }: { key: string; call: Call },
): Promise<HistoryOperation> => {
  const id = session.nextId
  session.nextId += 1
  const invokedAt = performance.now()
  const outcome = await perform(key, call)
  const operation: HistoryOperation = {
    id, client, key, call, consistency: 'linearizable', invokedAt,
    completedAt: outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : performance.now(),
    outcome,
  }
  session.history.push(operation)
  return operation
}

/**
 * Milliseconds until `shard` acknowledges a write again: one probe every few milliseconds, to a key that no other client uses, so
 * that the time is the cluster's and not that of a client which waits for its own timeout.
 */
export const awaitAcknowledgement = async (bus: Bus, shard: number, shardCount: number): Promise<number> => {
  const key = keyOfShard(shard, shardCount)
  const since = performance.now()
  while (performance.now() - since < PROBE_GIVES_UP_MS) {
    const isAcknowledged = await new Promise<boolean>((resolve) => {
      bus.request(`kv.put.${key}`, new Uint8Array(1), { timeoutMs: PROBE_TIMEOUT_MS }, (_failure, answer) =>
        resolve(answer?.headers?.get('Kv-Status') === 'OK'))
    })
    if (isAcknowledged) return performance.now() - since
    await pause(PROBE_EVERY_MS)
  }
  throw new Error(`shard ${shard} acknowledges nothing for ${PROBE_GIVES_UP_MS} ms`)
}

export interface ShardWatch {
  /** The longest that any shard acknowledged nothing, in ms. */
  readonly stop: () => Promise<number>
}

const WATCH_EVERY_MS = 200

/** Probes every shard over plain requests, apart from whatever else is tested: what the cluster itself was capable of. */
export const watchShards = (bus: Bus, shardCount: number): ShardWatch => {
  const over = new AbortController()
  const watch = async (shard: number): Promise<number> => {
    let longest = 0
    while (!over.signal.aborted) {
      longest = Math.max(longest, await awaitAcknowledgement(bus, shard, shardCount).catch(() => PROBE_GIVES_UP_MS))
      await pause(WATCH_EVERY_MS)
    }
    return longest
  }
  const watches = Array.from({ length: shardCount }, (_, shard) => watch(shard))
  return {
    stop: async () => {
      over.abort()
      return Math.max(...await Promise.all(watches))
    },
  }
}

const keyOfShard = (shard: number, shardCount: number): string => {
  for (let i = 0; ; i += 1) if (shardOf(`probe-${i}`, shardCount) === shard) return `probe-${i}`
}

const subjects: Readonly<Record<Call['kind'], string>> = { get: 'get', put: 'put', cas: 'put', incr: 'incr', del: 'del', touch: 'touch' }

/** Plain requests of any NATS client. */
export const requestOver = (bus: Bus): Perform => (key, call) => request(bus, key, call)

const request = (bus: Bus, key: string, call: Call): Promise<Outcome> => new Promise((resolve) => {
  const headers: Headers | undefined = call.kind === 'cas' ? new Map([['Kv-If-Revision', String(call.ifRevision)]]) : undefined
  bus.request(`kv.${subjects[call.kind]}.${key}`, payloadOf(call), {
    timeoutMs: TIMEOUT_MS, ...(headers === undefined ? {} : { headers }),
  }, (failure, answer) => resolve(outcomeOf(failure, answer)))
})

const payloadOf = (call: Call): Uint8Array => {
  if (call.kind === 'put' || call.kind === 'cas') return new TextEncoder().encode(call.value)
  return new TextEncoder().encode(call.kind === 'incr' ? String(call.amount) : '')
}

const outcomeOf = (failure: RequestFailure | null, answer: Inbound | null): Outcome => {
  if (failure === 'noResponders') return { kind: 'failed', status: failure }
  if (answer === null) return { kind: 'unknown' }
  const status = answer.headers?.get('Kv-Status') ?? ''
  if (status === 'OK' || status === 'NOT_FOUND' || status === 'CONFLICT') {
    const value = new TextDecoder().decode(answer.data)
    return { kind: 'answered', status, revision: Number(answer.headers?.get('Kv-Revision') ?? '0'), ...(value === '' ? {} : { value }) }
  }
  return answer.headers?.get('Kv-Definite') === 'true' ? { kind: 'failed', status } : { kind: 'unknown' }
}

/** Reads every key once more after everything has ended; the reads join the history, the counters are returned. */
export const readFinals = async (bus: Bus, load: Load): Promise<{
  readonly history: readonly HistoryOperation[]; readonly counters: ReadonlyMap<string, string | null>
}> => {
  const history = [...load.history()]
  const counters = new Map<string, string | null>()
  for (const key of [...REGISTERS, ...COUNTERS]) {
    const invokedAt = performance.now()
    const outcome = await request(bus, key, { kind: 'get' })
    if (outcome.kind !== 'answered') throw new Error(`${key} can not be read after the storm: ${JSON.stringify(outcome)}`)
    history.push({
      id: history.length + 1_000_000, client: -1, key, call: { kind: 'get' }, consistency: 'linearizable', invokedAt,
      completedAt: performance.now(), outcome,
    })
    if (COUNTERS.includes(key)) counters.set(key, outcome.value ?? null)
  }
  return { history, counters }
}
