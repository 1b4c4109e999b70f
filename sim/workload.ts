/**
 * Clients: plain NATS requests on `kv.<op>.<key>` with headers, as any NATS client in any language sends them, or operations of
 * batches at the batch door, as an SDK sends them; and a history of what came back.
 *
 * Each client thinks, then sends a burst. Values are unique, and so are increments without a request id, so that
 * every mutation that may have taken effect can be found in the committed log. Deletions without a request id
 * are the exception: they look alike.
 *
 * A request that the cluster remembers, by a request id or in a session, is retried until it is answered, as a careful client does,
 * and sometimes once more after that; one without is never sent twice. Retries may take the other path.
 */

import { between, chance, fraction, pick } from '../actors/kernel/random.ts'
import {
  drawCall, drawConsistency, drawExpiringCall, drawKind, keyName, operationOf, outcomeOfAnswer, outcomeOfResult, requestOf,
} from './calls.ts'
import { createClientSessions } from './clientSessions.ts'
import { createDoor } from './door.ts'
import { EXPIRING_LETTER, describeOperation, isReuse, shardOfKey } from './history.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Bus } from '../bus/port.ts'
import type { NodeId } from '../topology/ids.ts'
import type { ClientSessions } from './clientSessions.ts'
import type { Process, Timeline } from './clock.ts'
import type { Door } from './door.ts'
import type { Call, HistoryOperation, Outcome } from './history.ts'
import type { WorkloadOptions } from './options.ts'

const ATTEMPTS_MAX = 5
const RETRY_MS_MEAN = 200
const REPEAT_MS_MAX = 5_000
/** Final reads are repeated until answered, this often at most. */
const FINAL_ATTEMPTS_MAX = 200
const CLIENT_SLACK_MS = 100
/** The workload asks for nothing malformed or too large, and gives an id to one write. */
const SURPRISES: ReadonlySet<string> = new Set(['INVALID', 'TOO_LARGE', 'REQUEST_ID_REUSED'])

export interface Client {
  readonly number: number
  readonly process: Process
  readonly bus: Bus
}

export interface WorkloadInput {
  readonly options: WorkloadOptions
  readonly clients: readonly Client[]
  /** Those that are in the cluster now: a shard may be led by one that came later. */
  readonly nodes: () => readonly NodeId[]
  readonly shards: number
  readonly timeline: Timeline
  readonly random: Random
  readonly onCompleted: (operation: HistoryOperation) => void
}

export interface Workload {
  readonly start: () => void
  /** No new operations; those in flight end, retries included. */
  readonly stop: () => void
  readonly inFlight: () => number
  readonly keys: readonly string[]
  readonly history: () => readonly HistoryOperation[]
  readonly repeats: () => ReadonlyMap<number, readonly Outcome[]>
  /** Writes one key until that is acknowledged. */
  readonly probe: (key: string, done: () => void) => void
  /** Reads every key once, linearizably. */
  readonly readAll: (done: (values: ReadonlyMap<string, string | null>) => void) => void
  /** Answers that the workload's requests must never get: malformed, too large, an id of another write. One line each. */
  readonly surprises: () => readonly string[]
  /** Completions of mutations with status OK. */
  readonly acknowledged: () => number
}

/** A client and the ways it has beside plain requests. */
interface Caller extends Client {
  readonly door: Door
  readonly sessions: ClientSessions
}

type Draft = { -readonly [Field in keyof HistoryOperation]: HistoryOperation[Field] }

export const createWorkload = (input: WorkloadInput): Workload => {
  const { options, timeline, random, shards } = input
  const clients = input.clients.map((client) => callerOf(input, client))
  const keys = drawKeys(input)
  const { registers, counters } = keys
  const history: Draft[] = []
  const repeats = new Map<number, Outcome[]>()
  const surprises: string[] = []
  const lastRevision = new Map<string, number>()
  let isStopped = false
  let inFlight = 0
  let acknowledged = 0

  const begin = (client: Caller, key: string, call: Call, extra: Partial<Draft> = {}): Draft => {
    const operation: Draft = {
      id: history.length, client: client.number, key, call, consistency: 'linearizable',
      invokedAt: timeline.now(), completedAt: Number.POSITIVE_INFINITY, outcome: { kind: 'unknown' }, ...extra,
    }
    history.push(operation)
    inFlight += 1
    return operation
  }
  const complete = (operation: Draft, outcome: Outcome): void => {
    inFlight -= 1
    operation.outcome = outcome
    if (outcome.kind !== 'unknown') operation.completedAt = timeline.now()
    if (outcome.kind === 'answered') {
      const isThere = outcome.status === 'CONFLICT' || (outcome.status === 'OK' && operation.call.kind !== 'del')
      lastRevision.set(operation.key, isThere ? outcome.revision : 0)
      if (outcome.status === 'OK' && operation.call.kind !== 'get') acknowledged += 1
    }
    input.onCompleted(operation)
    if (outcome.kind === 'answered' && operation.call.kind !== 'get' && !isStopped && chance(random, options.readsAfterWrites)) {
      readBack(operation.key)
    }
  }
  /** Somebody reads what was just acknowledged: the moment at which a leader that does not know of its successor would be caught. */
  const readBack = (key: string): void => {
    const client = pick(random, clients)
    if (client !== undefined) attempt(client, begin(client, key, { kind: 'get' }), 1, false)
  }

  const send = (client: Caller, operation: Draft, done: (outcome: Outcome) => void): void => {
    const shard = shardOfKey(operation.key, shards)
    const session = operation.session === undefined ? undefined : client.sessions.current(shard, operation.session)
    if (operation.consistency === 'linearizable' && options.batches > 0 && chance(random, options.batches)) {
      client.door.send(shard, operationOf(operation, session), (result) => {
        const outcome = outcomeOfResult(operation.call, result)
        if (isReuse(outcome)) surprises.push(`${describeOperation(operation)}: reused`)
        done(outcome)
      })
      return
    }
    const request = requestOf(operation, options, session)
    const limits = { timeoutMs: options.timeoutMs + CLIENT_SLACK_MS, headers: request.headers }
    client.bus.request(request.subject, request.data, limits, (failure, answer) => {
      const outcome = outcomeOfAnswer(operation.call, failure, answer)
      if (outcome.kind === 'failed' && SURPRISES.has(outcome.status)) {
        surprises.push(`${request.subject}: ${outcome.status} ${answer === null ? '' : new TextDecoder().decode(answer.data)}`)
      }
      done(outcome)
    })
  }
  /** `wasUnknown`: an earlier attempt may yet take effect, so a later definite failure says nothing about the operation. */
  const attempt = (client: Caller, operation: Draft, number: number, wasUnknown: boolean): void => {
    send(client, operation, (outcome) => {
      const isUnknown = wasUnknown || outcome.kind === 'unknown'
      const mayRetry = isRemembered(operation) && outcome.kind !== 'answered' && number < ATTEMPTS_MAX && !isStopped
      if (mayRetry) {
        const pause = -RETRY_MS_MEAN * Math.log(1 - fraction(random))
        timeline.schedule(pause, () => attempt(client, operation, number + 1, isUnknown), { process: client.process })
        return
      }
      complete(operation, outcome.kind === 'failed' && isUnknown ? { kind: 'unknown' } : outcome)
      if (outcome.kind !== 'answered') return
      if (operation.session !== undefined) client.sessions.complete(shardOfKey(operation.key, shards), operation.session)
      if (isRemembered(operation) && chance(random, options.repeats)) repeat(client, operation)
    })
  }
  /** Often long after the answer, when snapshots, restarts and other leaders lie between. */
  const repeat = (client: Caller, operation: Draft): void => {
    inFlight += 1
    timeline.schedule(fraction(random) * REPEAT_MS_MAX, () => send(client, operation, (outcome) => {
      inFlight -= 1
      repeats.set(operation.id, [...(repeats.get(operation.id) ?? []), outcome])
    }), { process: client.process })
  }

  const issue = (client: Caller): void => {
    const draw = { client, id: history.length, revisionOf: (of: string) => lastRevision.get(of) ?? 0 }
    const { key, call, ...extra } = drawOperation(input, keys, draw)
    attempt(client, begin(client, key, call, extra), 1, false)
  }
  const live = (client: Caller): void => {
    if (isStopped) return
    for (let left = between(random, 1, options.burstMax); left > 0 && history.length < options.operationsMax; left -= 1) issue(client)
    timeline.schedule(-options.thinkMsMean * Math.log(1 - fraction(random)), () => live(client), { process: client.process })
  }
  const writeUntilAnswered = (client: Caller, key: string, done: () => void): void => {
    const operation = begin(client, key, { kind: 'put', value: `v${history.length}` })
    send(client, operation, (outcome) => {
      complete(operation, outcome)
      if (outcome.kind === 'answered') done()
      else timeline.schedule(RETRY_MS_MEAN, () => writeUntilAnswered(client, key, done), { process: client.process })
    })
  }
  const readUntilAnswered = (client: Caller, key: string, done: (value: string | null) => void, attempts = 1): void => {
    const operation = begin(client, key, { kind: 'get' })
    send(client, operation, (outcome) => {
      complete(operation, outcome)
      if (outcome.kind === 'answered') done(outcome.value ?? null)
      else if (attempts < FINAL_ATTEMPTS_MAX) {
        timeline.schedule(RETRY_MS_MEAN, () => readUntilAnswered(client, key, done, attempts + 1), { process: client.process })
      }
    })
  }

  return {
    start: () => {
      for (const client of clients) {
        timeline.schedule(fraction(random) * options.thinkMsMean, () => live(client), { process: client.process })
      }
    },
    stop: () => { isStopped = true },
    inFlight: () => inFlight,
    keys: [...registers, ...counters],
    history: () => history,
    repeats: () => repeats,
    probe: (key, done) => {
      const [client] = clients
      if (client !== undefined) writeUntilAnswered(client, key, done)
    },
    readAll: (done) => {
      const values = new Map<string, string | null>()
      const [client] = clients
      const keys = [...registers, ...counters]
      if (client === undefined) return
      for (const key of keys) {
        readUntilAnswered(client, key, (value) => {
          values.set(key, value)
          if (values.size === keys.length) done(values)
        })
      }
    },
    surprises: () => surprises,
    acknowledged: () => acknowledged,
  }
}

const isRemembered = ({ requestId, session }: HistoryOperation): boolean => requestId !== undefined || session !== undefined

const callerOf = ({ timeline, nodes, options }: WorkloadInput, client: Client): Caller => {
  const door = createDoor({ ...client, client: client.number, timeline, nodes, timeoutMs: options.timeoutMs })
  return { ...client, door, sessions: createClientSessions(client.number, door) }
}

interface Keys {
  readonly registers: readonly string[]
  readonly counters: readonly string[]
  readonly expiring: readonly string[]
}

const drawKeys = ({ options, random }: WorkloadInput): Keys => {
  const named = (letter: string, count: number): string[] => Array.from({ length: count }, (_, i) => keyName(letter, i, random, options))
  return {
    registers: named('r', options.registers), counters: named('n', options.counters), expiring: named(EXPIRING_LETTER, options.expiring),
  }
}

interface Draw {
  readonly client: Caller
  readonly id: number
  readonly revisionOf: (key: string) => number
}

type Drawn = Pick<Draft, 'key' | 'call'> & Partial<Draft>

const drawOperation = (input: WorkloadInput, keys: Keys, { client, id, revisionOf }: Draw): Drawn => {
  const { options, random, shards } = input
  const isExpiring = keys.expiring.length > 0 && chance(random, 0.25)
  const kind = drawKind(random, options)
  const plain = kind === 'incr' ? keys.counters : kind === 'get' ? [...keys.registers, ...keys.counters] : keys.registers
  const key = pick(random, isExpiring ? keys.expiring : plain) ?? ''
  const memory = isExpiring || kind !== 'get' ? drawMemory(input, client, { key, id }) : {}
  const draw = { random, options, id, isRemembered: Object.keys(memory).length > 0, revision: revisionOf(key) }
  const call = isExpiring ? drawExpiringCall(draw) : drawCall(kind, draw)
  if (call.kind !== 'get') return { key, call, ...memory }
  if (memory.session !== undefined) client.sessions.complete(shardOfKey(key, shards), memory.session)
  return { key, call, consistency: drawConsistency(random, options) }
}

/** How the cluster is to remember the mutation: in a session, by a request id, or not at all. */
const drawMemory = (
  { options, random, shards }: WorkloadInput, client: Caller, { key, id }: { readonly key: string; readonly id: number },
): Pick<Draft, 'requestId' | 'session'> => {
  if (options.sessions > 0 && chance(random, options.sessions)) {
    const session = client.sessions.next(shardOfKey(key, shards))
    if (session !== null) return { session }
  }
  return chance(random, options.requestIds) ? { requestId: `q${id}` } : {}
}
