/**
 * Exactly-once sessions (RIFL: Lee et al., SOSP 2015, sections 3 and 4), replicated with the keys.
 *
 * A session remembers the result of every sequence its client has not acknowledged. A sequence that comes again gets its first result,
 * unless it asks for something else, which is refused: two copies of a client share the session, such as a process and its fork.
 * `firstIncomplete` says what may be forgotten. Nothing is evicted early: a new session above SESSIONS_MAX is refused, and so is a
 * new sequence above SESSION_RESULTS_MAX unacknowledged ones.
 *
 * A session that was idle for SESSION_IDLE_MS of log time ends. To spare a change per request its last use is noted in steps of
 * SESSION_RENEW_MS, so it ends that much later at most. Sessions stand in the order of their last noted use, so the idle ones are first.
 *
 * Why ended sessions are remembered:
 * 1. A client's `openSession` and its sequence 1 are delayed on the way; the client retries both, is served, and closes its session.
 * 2. The delayed copies arrive. Were the session opened anew, sequence 1 would take effect a second time.
 * So the last ENDED_SESSIONS_MAX client ids can not be opened again (test: "an ended session is not opened again by a late copy").
 *
 * SESSION_EXPIRED is indefinite: an earlier copy of the request may have taken effect while the session lived.
 * Departure from RIFL: there is no lease server; idleness is judged by log time, in entries, so every replica agrees.
 */

import { copyOf, countIn, createNumberedList, deleteBelow, itemIn, setItem } from '../kernel/numberedList.ts'
import { createFifo } from './fifo.ts'
import { SESSION_RESULTS_MAX } from './operation.ts'
import { answerAgain, asDuplicate, ok, toRemember } from './outcome.ts'
import type { NumberedList } from '../kernel/numberedList.ts'
import type { Fifo, Keyed } from './fifo.ts'
import type { OperationResult, SessionRequest } from './operation.ts'
import type { Remembered } from './outcome.ts'

export const SESSIONS_MAX = 8_192
export const SESSION_IDLE_MS = 600_000
export const SESSION_RENEW_MS = 30_000
export const ENDED_SESSIONS_MAX = 16_384
/** Idle sessions ended by one entry; the rest ends with the next one. */
export const SESSIONS_ENDED_PER_ENTRY_MAX = 256
const RETRY_AFTER_MS = 1_000

export interface Session {
  readonly client: string
  renewedAtMs: number
  /** Results below it are forgotten. */
  firstIncomplete: number
  /** By sequence. */
  readonly results: NumberedList<Remembered>
  /** The table's cut at which this object was made; an older one is shared with a snapshot and is copied before it changes. */
  readonly cut: number
}

export interface SessionTable {
  readonly open: Map<string, Session>
  readonly ended: Fifo<Keyed>
  /** Grows with every snapshot (copy on write). */
  cut: number
}

/** A request of a session, and the hash of what it asks for (contentHash.ts). */
export interface AskedInSession {
  readonly request: SessionRequest
  readonly content: number
}

export const createSessionTable = (): SessionTable => ({ open: new Map(), ended: createFifo(ENDED_SESSIONS_MAX), cut: 0 })

const expired = (message: string): OperationResult => ({ status: 'SESSION_EXPIRED', revision: 0, definite: false, message })
const overloaded = (message: string): OperationResult =>
  ({ status: 'OVERLOADED', revision: 0, definite: true, retryAfterMs: RETRY_AFTER_MS, message })

/** A session past this log time behaves as ended, swept or not. */
export const endsAt = (session: Session): number => session.renewedAtMs + SESSION_IDLE_MS + SESSION_RENEW_MS

export const openSession = (table: SessionTable, client: string, timeMs: number): OperationResult => {
  const session = liveSession(table, client, timeMs)
  if (session !== undefined) {
    writable(table, session, timeMs)
    return ok(0)
  }
  if (table.open.has(client) || table.ended.get(client) !== undefined) {
    return expired('This session has ended: open one under a new id.')
  }
  if (table.open.size >= SESSIONS_MAX) return overloaded(`The shard has ${SESSIONS_MAX} sessions: try again later.`)
  table.open.set(client, { client, renewedAtMs: timeMs, firstIncomplete: 1, results: createNumberedList(), cut: table.cut })
  return ok(0)
}

export const closeSession = (table: SessionTable, client: string): OperationResult => {
  const session = table.open.get(client)
  if (session !== undefined) {
    endSession(table, session)
    return ok(0)
  }
  return table.ended.get(client) === undefined ? expired('No such session is known here.') : asDuplicate(ok(0))
}

/** When the request is to be executed now, the session that is to remember its outcome; otherwise the answer that it gets. */
export const admitRequest = (table: SessionTable, { request, content }: AskedInSession, timeMs: number): Session | OperationResult => {
  const found = liveSession(table, request.client, timeMs)
  if (found === undefined) return expired('The session is unknown or has ended: open a new one, and find out what became of this request.')
  const session = writable(table, found, timeMs)
  forgetBelow(session, request.firstIncomplete)
  if (request.sequence < session.firstIncomplete) return expired('This sequence was acknowledged before; its result is forgotten.')
  const first = itemIn(session.results, request.sequence)
  if (first !== undefined) return answerAgain(first, content)
  if (countIn(session.results) >= SESSION_RESULTS_MAX) {
    return overloaded(`The session has ${SESSION_RESULTS_MAX} unacknowledged results: raise its first-incomplete mark.`)
  }
  return session
}

/** Whether the request was executed before, or its answer forgotten: it will not be executed. Changes nothing. */
export const isAnswered = (table: SessionTable, { client, sequence }: SessionRequest): boolean => {
  const session = table.open.get(client)
  return session !== undefined && (sequence < session.firstIncomplete || itemIn(session.results, sequence) !== undefined)
}

export const rememberOutcome = (session: Session, { request, content }: AskedInSession, outcome: OperationResult): void => {
  setItem(session.results, request.sequence, { outcome: toRemember(outcome), content })
}

/** Ends sessions that were idle for too long, oldest first, a bounded number. */
export const endIdleSessions = (table: SessionTable, timeMs: number): void => {
  let ended = 0
  for (const session of table.open.values()) {
    if (endsAt(session) > timeMs || ended === SESSIONS_ENDED_PER_ENTRY_MAX) return
    endSession(table, session)
    ended += 1
  }
}

/** The log time at which the next session ends; Infinity when none is open. */
export const nextSessionEnd = (table: SessionTable): number => {
  for (const session of table.open.values()) return endsAt(session)
  return Number.POSITIVE_INFINITY
}

/** A consistent cut in constant time per session: later changes copy what they touch. */
export const cutSessions = (table: SessionTable): readonly Session[] => {
  table.cut += 1
  return [...table.open.values()]
}

const liveSession = (table: SessionTable, client: string, timeMs: number): Session | undefined => {
  const session = table.open.get(client)
  return session !== undefined && endsAt(session) > timeMs ? session : undefined
}

const endSession = (table: SessionTable, session: Session): void => {
  table.open.delete(session.client)
  table.ended.push({ key: session.client })
}

/** The session to change, its last use noted when that is due. */
const writable = (table: SessionTable, session: Session, timeMs: number): Session => {
  const isRenewalDue = timeMs - session.renewedAtMs >= SESSION_RENEW_MS
  if (!isRenewalDue && session.cut === table.cut) return session
  const copy = session.cut === table.cut ? session : copyAt(session, table.cut)
  if (isRenewalDue) {
    copy.renewedAtMs = timeMs
    table.open.delete(session.client)
  }
  table.open.set(session.client, copy)
  return copy
}

/** Field by field, as it was made: a spread makes objects of a kind of their own, for which all code that meets them is compiled anew. */
const copyAt = ({ client, renewedAtMs, firstIncomplete, results }: Session, cut: number): Session =>
  ({ client, renewedAtMs, firstIncomplete, results: copyOf(results), cut })

const forgetBelow = (session: Session, firstIncomplete: number): void => {
  if (firstIncomplete <= session.firstIncomplete) return
  deleteBelow(session.results, firstIncomplete)
  session.firstIncomplete = firstIncomplete
}
