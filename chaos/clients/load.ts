/**
 * Clients under load, recording what they saw: each thinks, calls, waits for the outcome (a closed loop), over whatever way performs
 * a call.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { chance, createRandom, fraction, pick } from '../../actors/kernel/random.ts'
import { must } from '../../actors/kernel/assert.ts'
import { FINAL_CLIENT, createRecorder } from '../history.ts'
import { createCounters } from './counters.ts'
import { createPassingKeys } from './passing.ts'
import { requestOver } from './requests.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Bus } from '../../bus/port.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'
import type { Recorder } from '../history.ts'
import type { Counters } from './counters.ts'
import type { PassingKeys } from './passing.ts'

const BACKOFF_MS = 20
const FINALS_WITHIN_MS = 60_000
const FINAL_RETRY_MS = 50

/** One call on one key, and what the caller is told. */
export interface Way {
  /** How it is called in the history. */
  readonly name: string
  readonly perform: (key: string, call: Call, consistency: HistoryOperation['consistency']) => Promise<Outcome>
  /** Sends the client's last call again under its request id, where it had one. */
  readonly repeat?: () => Promise<Outcome>
}

/** One client's way: each client has its own, over a connection that several may share. */
export type NewWay = () => Way

export interface Load {
  readonly recorder: Recorder
  /** Everything that was touched so far. */
  readonly keys: () => readonly string[]
  /** Operations invoked and not completed. */
  readonly inFlight: () => number
  /** Stops the clients and waits for what is in flight. */
  readonly stop: () => Promise<void>
}

export interface LoadOptions {
  readonly through: readonly NewWay[]
  readonly clientsPerConnection: number
  readonly seed: number
  /** The mean of what a client waits between two operations, in ms, so that histories stay checkable and machines shared. */
  readonly pauseMs: number
  readonly recorder?: Recorder
  readonly registers?: number
  /** At a time. */
  readonly counters?: number
  /** Of 1: calls on keys that expire. None where clocks are set, which log time follows. */
  readonly passing?: number
  /** Of 1: reads that are content with the leader's clock. They must be as right as the others. */
  readonly leaseReads?: number
}

interface Session {
  readonly options: LoadOptions
  readonly recorder: Recorder
  readonly registers: readonly string[]
  readonly counters: Counters
  readonly passing: PassingKeys
  isStopping: boolean
  inFlight: number
  lastValue: number
}

const REPEATED = 0.05

export const startLoad = (options: LoadOptions): Load => {
  const session: Session = {
    options, recorder: options.recorder ?? createRecorder(), isStopping: false, inFlight: 0, lastValue: 0,
    registers: Array.from({ length: options.registers ?? 48 }, (_, i) => `register-${i}`),
    counters: createCounters(options.counters ?? 16), passing: createPassingKeys(),
  }
  const clients = options.through.flatMap((newWay, c) => Array.from({ length: options.clientsPerConnection }, (_, i) => {
    const client = c * options.clientsPerConnection + i
    return runClient(session, { way: newWay(), client, random: createRandom(options.seed + client), revisions: new Map() })
  }))
  return {
    recorder: session.recorder,
    keys: () => [...session.registers, ...session.counters.keys(), ...session.passing.keys()],
    inFlight: () => session.inFlight,
    stop: async () => {
      session.isStopping = true
      await Promise.all(clients)
    },
  }
}

interface Client {
  readonly way: Way
  readonly client: number
  readonly random: Random
  readonly revisions: Map<string, number>
}

const runClient = async (session: Session, client: Client): Promise<void> => {
  const { random } = client
  while (!session.isStopping) {
    const outcome = await callOnce(session, client)
    const thinks = session.options.pauseMs * (0.5 + fraction(random))
    await pause(outcome.kind === 'answered' ? thinks : Math.max(thinks, BACKOFF_MS))
  }
}

const callOnce = async (session: Session, { way, client, random, revisions }: Client): Promise<Outcome> => {
  const { recorder } = session
  const { key, call } = drawOperation(session, random, revisions)
  const consistency = call.kind === 'get' && chance(random, session.options.leaseReads ?? 0) ? 'lease' : 'linearizable'
  const op = recorder.invoke({ client, via: way.name, key, call, consistency })
  session.inFlight += 1
  const outcome = await way.perform(key, call, consistency)
  session.inFlight -= 1
  recorder.complete(op, outcome)
  if (outcome.kind === 'answered') revisions.set(key, outcome.revision)
  if (outcome.kind === 'answered' && way.repeat !== undefined && call.kind !== 'get' && chance(random, REPEATED)) {
    recorder.repeat(op, await way.repeat())
  }
  return outcome
}

const drawOperation = (session: Session, random: Random, revisions: ReadonlyMap<string, number>): { key: string; call: Call } => {
  session.lastValue += 1
  // Unique, so that a reader tells whose it is.
  const value = `v${session.lastValue}`
  if (chance(random, session.options.passing ?? 0)) return session.passing.draw(random, value)
  const draw = fraction(random)
  if (draw < 0.2) {
    const { key, amount } = session.counters.draw(random)
    return { key, call: { kind: 'incr', amount } }
  }
  const key = must(pick(random, session.registers), 'registers')
  if (draw < 0.55) return { key, call: { kind: 'get' } }
  if (draw < 0.8) return { key, call: { kind: 'put', value } }
  if (draw < 0.95) return { key, call: { kind: 'cas', value, ifRevision: revisions.get(key) ?? 0 } }
  return { key, call: { kind: 'del' } }
}

/** Reads every key once more after everything has ended; the reads join the history. Throws when a key can not be read. */
export const readFinals = async (bus: Bus, { recorder, keys }: Pick<Load, 'recorder' | 'keys'>): Promise<void> => {
  const { perform, name } = requestOver(bus)()
  const giveUpAt = performance.now() + FINALS_WITHIN_MS
  for (const key of keys()) {
    for (;;) {
      const call: Call = { kind: 'get' }
      const op = recorder.invoke({ client: FINAL_CLIENT, via: name, key, call, consistency: 'linearizable' })
      const outcome = await perform(key, call, 'linearizable')
      recorder.complete(op, outcome)
      if (outcome.kind === 'answered') break
      if (performance.now() > giveUpAt) throw new Error(`${key} can not be read after the storm: ${JSON.stringify(outcome)}`)
      await pause(FINAL_RETRY_MS)
    }
  }
}
