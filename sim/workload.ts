/**
 * Clients: plain NATS requests on `kv.<op>.<key>` with headers, as any NATS client in any language sends them,
 * and a history of what came back.
 *
 * Each client thinks, then sends a burst. Values are unique, and so are increments without a request id, so that
 * every mutation that may have taken effect can be found in the committed log. Deletions without a request id
 * are the exception: they look alike.
 *
 * A request with a request id is retried until it is answered, as a careful client does, and sometimes once more
 * after that; one without is never sent twice.
 */

import { between, chance, fraction, pick } from '../actors/kernel/random.ts'
import { requestSubject } from '../bus/subjects.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Bus, Inbound, RequestFailure } from '../bus/port.ts'
import type { Process, Timeline } from './clock.ts'
import type { Call, HistoryOperation, Outcome } from './history.ts'
import type { WorkloadOptions } from './options.ts'

const ATTEMPTS_MAX = 5
const RETRY_MS_MEAN = 200
const REPEAT_MS_MAX = 5_000
/** Final reads are repeated until answered, this often at most. */
const FINAL_ATTEMPTS_MAX = 200
const CLIENT_SLACK_MS = 100

export interface Client {
  readonly number: number
  readonly process: Process
  readonly bus: Bus
}

export interface WorkloadInput {
  readonly options: WorkloadOptions
  readonly clients: readonly Client[]
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
  /** Answers that the workload's requests must never get: malformed, too large. One line each. */
  readonly surprises: () => readonly string[]
  /** Completions of mutations with status OK. */
  readonly acknowledged: () => number
}

type Draft = { -readonly [Field in keyof HistoryOperation]: HistoryOperation[Field] }

export const createWorkload = (input: WorkloadInput): Workload => {
  const { options, clients, timeline, random } = input
  const registers = Array.from({ length: options.registers }, (_, i) => keyName('r', i, random, options))
  const counters = Array.from({ length: options.counters }, (_, i) => keyName('n', i, random, options))
  const history: Draft[] = []
  const repeats = new Map<number, Outcome[]>()
  const surprises: string[] = []
  const lastRevision = new Map<string, number>()
  let isStopped = false
  let inFlight = 0
  let acknowledged = 0

  const begin = (client: Client, key: string, call: Call, extra: Partial<Draft> = {}): Draft => {
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

  const send = (client: Client, operation: Draft, done: (outcome: Outcome) => void): void => {
    const request = requestOf(operation, options)
    const limits = { timeoutMs: options.timeoutMs + CLIENT_SLACK_MS, headers: request.headers }
    client.bus.request(request.subject, request.data, limits, (failure, answer) => {
      const outcome = outcomeOf(operation.call, failure, answer)
      if (outcome.kind === 'failed' && (outcome.status === 'INVALID' || outcome.status === 'TOO_LARGE')) {
        surprises.push(`${request.subject}: ${outcome.status} ${answer === null ? '' : new TextDecoder().decode(answer.data)}`)
      }
      done(outcome)
    })
  }
  /** `wasUnknown`: an earlier attempt may yet take effect, so a later definite failure says nothing about the operation. */
  const attempt = (client: Client, operation: Draft, number: number, wasUnknown: boolean): void => {
    send(client, operation, (outcome) => {
      const isUnknown = wasUnknown || outcome.kind === 'unknown'
      const mayRetry = operation.requestId !== undefined && outcome.kind !== 'answered' && number < ATTEMPTS_MAX && !isStopped
      if (mayRetry) {
        const pause = -RETRY_MS_MEAN * Math.log(1 - fraction(random))
        timeline.schedule(pause, () => attempt(client, operation, number + 1, isUnknown), { process: client.process })
        return
      }
      complete(operation, outcome.kind === 'failed' && isUnknown ? { kind: 'unknown' } : outcome)
      if (outcome.kind === 'answered' && operation.requestId !== undefined && chance(random, options.repeats)) repeat(client, operation)
    })
  }
  /** Often long after the answer, when snapshots, restarts and other leaders lie between. */
  const repeat = (client: Client, operation: Draft): void => {
    inFlight += 1
    timeline.schedule(fraction(random) * REPEAT_MS_MAX, () => send(client, operation, (outcome) => {
      inFlight -= 1
      repeats.set(operation.id, [...(repeats.get(operation.id) ?? []), outcome])
    }), { process: client.process })
  }

  const issue = (client: Client): void => {
    const kind = drawKind(random, options)
    const key = pick(random, kind === 'incr' ? counters : kind === 'get' ? [...registers, ...counters] : registers) ?? ''
    const id = history.length
    const hasRequestId = kind !== 'get' && chance(random, options.requestIds)
    const operation = begin(client, key, drawCall(kind, { random, options, id, hasRequestId, revision: lastRevision.get(key) ?? 0 }), {
      ...(hasRequestId ? { requestId: `q${id}` } : {}),
      ...(kind === 'get' ? { consistency: drawConsistency(random, options) } : {}),
    })
    attempt(client, operation, 1, false)
  }
  const live = (client: Client): void => {
    if (isStopped) return
    for (let left = between(random, 1, options.burstMax); left > 0; left -= 1) issue(client)
    timeline.schedule(-options.thinkMsMean * Math.log(1 - fraction(random)), () => live(client), { process: client.process })
  }
  const writeUntilAnswered = (client: Client, key: string, done: () => void): void => {
    const operation = begin(client, key, { kind: 'put', value: `v${history.length}` })
    send(client, operation, (outcome) => {
      complete(operation, outcome)
      if (outcome.kind === 'answered') done()
      else timeline.schedule(RETRY_MS_MEAN, () => writeUntilAnswered(client, key, done), { process: client.process })
    })
  }
  const readUntilAnswered = (client: Client, key: string, done: (value: string | null) => void, attempts = 1): void => {
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

const keyName = (letter: string, number: number, random: Random, options: WorkloadOptions): string =>
  (chance(random, options.partitionedKeys) ? `{p${between(random, 0, 2)}}${letter}${number}` : `${letter}${number}`)

interface CallDraw {
  readonly random: Random
  readonly options: WorkloadOptions
  readonly id: number
  readonly hasRequestId: boolean
  /** The key's revision as this workload saw it last. */
  readonly revision: number
}

/** Unique by its beginning; now and then as long as the byte budget, or a little less. */
const drawValue = (id: number, random: Random, options: WorkloadOptions): string => {
  const start = `v${id}.`
  if (options.largeValues > 0 && chance(random, options.largeValues)) {
    return start.padEnd(options.largeValueBytes - (pick(random, [0, 0, 1, 100, 5_000]) ?? 0), 'x')
  }
  return start + 'x'.repeat(between(random, 0, options.valueBytesMax))
}

const drawCall = (kind: Call['kind'], { random, options, id, hasRequestId, revision }: CallDraw): Call => {
  const value = drawValue(id, random, options)
  switch (kind) {
    case 'get': return { kind }
    case 'del': return { kind }
    case 'put': return { kind, value }
    case 'cas': return { kind, value, ifRevision: chance(random, 0.8) ? revision : between(random, 0, 3) }
    case 'incr': return { kind, amount: hasRequestId ? between(random, -5, 20) : 1_000 + id }
  }
  return kind satisfies never
}

const drawKind = (random: Random, { weights }: WorkloadOptions): Call['kind'] => {
  const kinds = ['get', 'put', 'cas', 'incr', 'del'] as const
  let left = fraction(random) * kinds.reduce((sum, kind) => sum + weights[kind], 0)
  for (const kind of kinds) {
    left -= weights[kind]
    if (left < 0) return kind
  }
  return 'get'
}

const drawConsistency = (random: Random, options: WorkloadOptions): HistoryOperation['consistency'] => {
  if (chance(random, options.staleReads)) return 'stale'
  return chance(random, options.leaseReads) ? 'lease' : 'linearizable'
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

interface Request {
  readonly subject: string
  readonly data: Uint8Array
  readonly headers: ReadonlyMap<string, string>
}

const requestOf = ({ call, key, requestId, consistency }: HistoryOperation, options: WorkloadOptions): Request => {
  const headers = new Map([['Kv-Timeout-Ms', String(options.timeoutMs)]])
  if (requestId !== undefined) headers.set('Kv-Request-Id', requestId)
  if (call.kind === 'cas') headers.set('Kv-If-Revision', String(call.ifRevision))
  if (call.kind === 'get' && consistency !== 'linearizable') headers.set('Kv-Consistency', consistency)
  const built = requestSubject('kv', call.kind === 'cas' ? 'put' : call.kind, key)
  return { subject: built.ok ? built.subject : '', data: encoder.encode(bodyOf(call)), headers }
}

const bodyOf = (call: Call): string => {
  if (call.kind === 'put' || call.kind === 'cas') return call.value
  return call.kind === 'incr' ? String(call.amount) : ''
}

const outcomeOf = (call: Call, failure: RequestFailure | null, answer: Inbound | null): Outcome => {
  if (failure === 'noResponders') return { kind: 'failed', status: 'NO_RESPONDERS' }
  const headers = answer?.headers
  const status = headers?.get('Kv-Status')
  if (answer === null || headers === undefined || status === undefined) return { kind: 'unknown' }
  const revision = Number(headers.get('Kv-Revision') ?? '0')
  const hasValue = status === 'OK' && (call.kind === 'get' || call.kind === 'incr')
  if (status === 'OK' || status === 'NOT_FOUND' || status === 'CONFLICT' || (status === 'INVALID' && call.kind === 'incr')) {
    return { kind: 'answered', status, revision, ...(hasValue ? { value: decoder.decode(answer.data) } : {}) }
  }
  return headers.get('Kv-Definite') === 'true' ? { kind: 'failed', status } : { kind: 'unknown' }
}
