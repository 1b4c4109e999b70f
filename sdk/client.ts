/**
 * Brings calls to the leaders of their shards and back, and again where that is safe: the heart of the SDK.
 *
 *   call ─▶ lane of its shard ─end of turn─▶ link of the leader's node ─▶ one frame ─▶ results ─▶ settled
 *              ▲               (turn.ts)         (link.ts)                     │
 *              └── pause (backoff, retry-after), map fetched again ◀── not settled (results.ts)
 *
 * A pause holds for the whole lane, so that a shard without a leader costs one attempt at a time and not one for each call; a map with
 * another leader ends it. There is no timer per call: while anything is in flight one tick looks for lanes, links and maps that
 * are due, and every few ticks for deadlines. Limits: limits.ts.
 */

import { hex64 } from '../actors/kernel/random.ts'
import { batchSubject } from '../bus/subjects.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { abortOf, closedOf, createCall, deniedOf, mayHaveHappened, unauthorizedOf } from './call.ts'
import { closeWithin } from './closing.ts'
import { BROKER_AWAY, enqueue, isIdle, laneOf, noteProblem, rejectCall, takeIn, tellIfIdle, wakeLane } from './dispatch.ts'
import { ClosedError, OverloadedError } from './errors.ts'
import { createGate } from './gate.ts'
import { createInFlight } from './inFlight.ts'
import { createLane } from './lane.ts'
import { FAREWELL_MS_MAX, RETRY_AFTER_MS, TICK_MS } from './limits.ts'
import { createMapFollower } from './map.ts'
import { createSignals } from './signals.ts'
import { noteTrouble, ownCall, runTick, runTurn, wakeHeld, wakeWaiting } from './turn.ts'
import type { BusEvent, Inbound } from '../bus/port.ts'
import type { NodeId, ShardId } from '../topology/ids.ts'
import type { Call, CallInput } from './call.ts'
import type { CutOff } from './closing.ts'
import type { ClientOptions, Dispatch } from './dispatch.ts'
import type { ShardKvError } from './errors.ts'
import type { Gate } from './gate.ts'
import type { Lane } from './lane.ts'
import type { RoutingMap } from './map.ts'
import type { CloseOptions } from './options.ts'

export interface Stats {
  /** Frames with operations, and the operations in them, repetitions included. */
  readonly batches: number
  readonly operations: number
  /** Operations that had to leave again. */
  readonly retries: number
  /** Calls that a limit of this connection refused. */
  readonly overloaded: number
  readonly inFlightOperations: number
  readonly inFlightBytes: number
  /** Exactly-once sessions opened so far: one for each shard written to. */
  readonly sessions: number
  /** Door sessions asked for so far: one for each node, as long as nothing happens to it. */
  readonly hellos: number
  /** Frames of nodes that did not decode. */
  readonly badFrames: number
  readonly mapFetches: number
  readonly mapEpoch: number
}

export interface Client {
  /** `isListed`: of a list that was begun before the connection was to close, which is waited for to its end. */
  readonly submit: (input: CallInput, isListed: boolean) => void
  /** New calls are taken in. */
  readonly isOpen: () => boolean
  /** Of all calls, now. */
  readonly bytesInFlight: () => number
  /** For calls of many keys. */
  readonly gate: Gate
  /** 1 before the first map. */
  readonly shardCount: () => number
  readonly maxPayloadBytes: () => number
  /** Resolves with the first map; rejects when the connection ends before. */
  readonly ready: () => Promise<void>
  /** Waits for what is in flight, says goodbye, and closes the connection; no longer than it is told to (closing.ts). */
  readonly close: (options?: CloseOptions) => Promise<void>
  /** Ends everything at once: a bug, or a connection that is gone for good. Nothing is sent or taken in after, and `close` settles. */
  readonly fail: (reason: string) => void
  readonly stats: () => Stats
  /** What stood in the way last. */
  readonly problem: () => string
}

export const createClient = (options: ClientOptions): Client => {
  const { bus } = options
  const gate = createGate(options.limits, () => { tellIfIdle(dispatch) })
  const dispatch: Dispatch = createDispatch(options, gate)
  const subscription = bus.subscribe(`${options.inbox}.>`, guarded(dispatch, (message: Inbound) => { hear(dispatch, message) }))
  bus.onEvent(guarded(dispatch, (event: BusEvent) => { handleBusEvent(dispatch, event) }))
  let closing: Promise<void> | null = null
  const close = async (): Promise<void> => {
    if (dispatch.state === 'open') dispatch.state = 'closing'
    await becomeIdle(dispatch)
    for (const call of dispatch.calls.all()) rejectCall(dispatch, call, closedOf(call, dispatch.closedBecause))
    if (isClosing(dispatch)) await sayFarewell(dispatch)
    subscription.unsubscribe()
    dispatch.state = 'closed'
    await new Promise<void>((resolve) => { bus.drain(resolve) })
  }
  return {
    submit: (input, isListed) => { submit(dispatch, input, isListed) },
    isOpen: () => dispatch.state === 'open',
    bytesInFlight: () => dispatch.bytes,
    gate,
    shardCount: () => dispatch.routing?.shardCount ?? 1,
    maxPayloadBytes: () => bus.status().maxPayloadBytes,
    ready: () => new Promise((resolve, reject) => {
      if (dispatch.state === 'closed') {
        reject(endedBy(dispatch.closedBecause))
        return
      }
      dispatch.starting.push((error) => { if (error === null) resolve(); else reject(error) })
      dispatch.map.refresh()
      dispatch.startTicking()
    }),
    close: (wish = {}) => {
      closing ??= close()
      return closeWithin(closing, wish, { clock: options.clock, cutOff: (reason) => cutOff(dispatch, reason) })
    },
    fail: (reason) => { fail(dispatch, reason) },
    stats: () => ({
      ...dispatch.counters,
      inFlightOperations: dispatch.calls.size(),
      inFlightBytes: dispatch.bytes,
      mapFetches: dispatch.map.fetches(),
      mapEpoch: dispatch.routing?.epoch ?? 0,
    }),
    problem: () => dispatch.problem,
  }
}

const createDispatch = (options: ClientOptions, { hasLists }: Gate): Dispatch => {
  const { clock } = options
  const dispatch: Dispatch = {
    ...options,
    counters: { batches: 0, operations: 0, badFrames: 0, hellos: 0, retries: 0, overloaded: 0, sessions: 0 },
    map: createMapFollower({
      ...options,
      onMap: (map, changed) => { takeMap(dispatch, map, changed) },
      onProblem: (reason) => { noteTrouble(dispatch, reason) },
    }),
    signals: createSignals((call) => { rejectCall(dispatch, call, abortOf(call)) }),
    hasLists,
    links: new Map(), deniedNodes: new Set(), numberedLinks: [], lanes: [], dirty: [], calls: createInFlight(), routing: null,
    run: () => { run() },
    startTicking: () => {
      if (dispatch.isTicking) return
      dispatch.isTicking = true
      dispatch.tickDueAt = clock.now() + TICK_MS
      clock.after(TICK_MS, tick)
    },
    isScheduled: false, isTicking: false, ticks: 0, tickDueAt: 0, hasSlept: false,
    isConnected: options.bus.status().connected,
    state: 'open', bytes: 0, problem: '', problemAt: 0, closedBecause: 'close was called', idle: [], starting: [],
  }
  const run = guarded(dispatch, () => { runTurn(dispatch) })
  const tick = guarded(dispatch, () => {
    dispatch.isTicking = false
    if (dispatch.state === 'closed') return
    runTick(dispatch)
    if (dispatch.calls.size() > 0 || dispatch.starting.length > 0) dispatch.startTicking()
    else dispatch.hasSlept = false
  })
  return dispatch
}

/** A bug here ends this connection with its reason; it is no reason to end the process that uses it. */
const guarded = <Args extends readonly unknown[]>(dispatch: Dispatch, work: (...args: Args) => void) => (...args: Args): void => {
  try {
    work(...args)
  } catch (error) {
    fail(dispatch, `a bug in the SDK, please report it: ${error instanceof Error ? error.stack ?? error.message : String(error)}`)
  }
}

const fail = (dispatch: Dispatch, reason: string): void => {
  if (dispatch.state === 'closed') return
  dispatch.state = 'closed'
  dispatch.closedBecause = reason
  for (const call of dispatch.calls.all()) endCall(dispatch, call, reason)
  dispatch.lanes = []
  dispatch.dirty = []
  started(dispatch, endedBy(reason))
  dispatch.bus.close()
}

/** What one caller handed in, such as a signal that throws, keeps no other from being told. */
const endCall = (dispatch: Dispatch, call: Call, reason: string): void => {
  try {
    rejectCall(dispatch, call, closedOf(call, reason))
  } catch {
    // The connection is over, and why is told already.
  }
}

const endedBy = (reason: string): ClosedError => new ClosedError(`The connection is closed (${reason}): connect again.`, { definite: true })

const started = (dispatch: Dispatch, error: ShardKvError | null): void => {
  const waiting = dispatch.starting
  dispatch.starting = []
  for (const done of waiting) done(error)
}

const submit = (dispatch: Dispatch, input: CallInput, isListed: boolean): void => {
  const { limits, clock, state } = dispatch
  if (state === 'closed' || (state === 'closing' && !isListed)) {
    input.reject(endedBy(dispatch.closedBecause))
    return
  }
  const call = createCall(input, clock.now())
  if (dispatch.calls.size() >= limits.operationsMax || dispatch.bytes + call.bytes > limits.bytesMax) {
    dispatch.counters.overloaded += 1
    input.reject(overloadedBy(dispatch))
    return
  }
  if (call.signal?.aborted === true) {
    input.reject(abortOf(call))
    return
  }
  const lane = laneOf(dispatch, call)
  if (lane === undefined) throw new Error('calls are taken once the map is there')
  // Before it is taken in: a signal that throws fails this call alone.
  dispatch.signals.heed(call)
  if (call.isDone) return
  takeIn(dispatch, call)
  enqueue(dispatch, lane, call)
  dispatch.startTicking()
}

const overloadedBy = ({ calls, bytes, limits }: Dispatch): OverloadedError =>
  new OverloadedError(`This connection has ${calls.size()} operations with ${bytes} bytes in flight; its limits are `
    + `${limits.operationsMax} and ${limits.bytesMax}. Await some before you send more.`, { definite: true, retryAfterMs: RETRY_AFTER_MS })

const hear = (dispatch: Dispatch, message: Inbound): void => {
  const { subject } = message
  const linkAt = dispatch.inbox.length + 1
  const sequenceAt = subject.indexOf('.', linkAt) + 1
  const tokenAt = subject.indexOf('.', sequenceAt) + 1
  if (sequenceAt > 0 && tokenAt > sequenceAt) {
    const at = { sequence: Number(subject.slice(sequenceAt, tokenAt - 1)), token: subject.slice(tokenAt) }
    dispatch.numberedLinks[Number(subject.slice(linkAt, sequenceAt - 1))]?.hear(at, message)
  }
  wakeHeld(dispatch)
}

const takeMap = (dispatch: Dispatch, map: RoutingMap, changed: readonly ShardId[]): void => {
  const before = dispatch.routing
  if (dispatch.state === 'closed') return
  if (before !== null && (before.cluster !== map.cluster || before.shardCount !== map.shardCount)) {
    fail(dispatch, `another cluster (${map.cluster}) answers on prefix ${dispatch.prefix} now`)
    return
  }
  dispatch.routing = map
  if (before === null) dispatch.lanes = [false, true].flatMap((isStale) => lanesOf(dispatch, map, isStale))
  for (const shard of changed) {
    const lane = dispatch.lanes[shard]
    if (lane !== undefined) wakeLane(dispatch, lane)
  }
  if (before === null) started(dispatch, null)
}

const lanesOf = ({ random }: Dispatch, { shardCount }: RoutingMap, isStale: boolean): Lane[] =>
  Array.from({ length: shardCount }, (_, shard) =>
    createLane(shard as ShardId, isStale, { client: hex64(random), turn: random.uint32() }))

const handleBusEvent = (dispatch: Dispatch, event: BusEvent): void => {
  switch (event.type) {
    case 'bus.connected':
      dispatch.isConnected = true
      dispatch.problem = ''
      dispatch.deniedNodes.clear()
      dispatch.map.refresh()
      wakeWaiting(dispatch)
      return
    case 'bus.disconnected':
      dispatch.isConnected = false
      noteProblem(dispatch, BROKER_AWAY)
      for (const link of dispatch.numberedLinks) link.disconnected()
      return
    case 'bus.permissionDenied':
      handleDenied(dispatch, event)
      return
    case 'bus.closed':
      fail(dispatch, event.reason ?? 'the connection to the broker was closed')
      return
    case 'bus.lameDuck':
    case 'bus.slowConsumer':
      return
  }
  event satisfies never
}

/** What the broker does not let through to one node's door is no other node's: calls for other leaders go on. */
const handleDenied = (dispatch: Dispatch, event: Extract<BusEvent, { type: 'bus.permissionDenied' }>): void => {
  noteProblem(dispatch, `the broker does not let this user ${event.operation} ${event.subject}`)
  const node = event.operation === 'publish' ? nodeOfDoor(dispatch, event.subject) : undefined
  // All that connecting asks for is the map, and to hear: nothing of it can do without.
  if (node === undefined) started(dispatch, deniedOf(event))
  else dispatch.deniedNodes.add(node)
  for (const call of dispatch.calls.all()) {
    if (node === undefined || isFor(dispatch, call, node)) rejectCall(dispatch, call, unauthorizedOf(call, event))
  }
}

const nodeOfDoor = ({ links, prefix }: Dispatch, subject: string): NodeId | undefined =>
  [...links.keys()].find((node) => batchSubject(prefix, node) === subject)

/** Nobody but `node` can serve it; a stale read is any replica's that is not denied, too. */
const isFor = ({ routing, deniedNodes }: Dispatch, { code, consistency, shard }: Call, node: NodeId): boolean => {
  if (code !== OpCode.get || consistency !== 'stale') return routing?.leaders[shard]?.node === node
  const replicas = routing?.replicas[shard] ?? []
  return replicas.every((replica) => deniedNodes.has(replica))
}

const isClosing = ({ state }: Dispatch): boolean => state === 'closing'

const becomeIdle = (dispatch: Dispatch): Promise<void> => new Promise((resolve) => {
  if (isIdle(dispatch)) resolve()
  else dispatch.idle.push(resolve)
})

/** The shards forget the sessions, so that they need not keep them until they end by themselves; then the doors are closed. */
const sayFarewell = async (dispatch: Dispatch): Promise<void> => {
  const now = dispatch.clock.now()
  for (const lane of dispatch.isConnected ? dispatch.lanes : []) {
    if (lane.session.state !== 'open') continue
    enqueue(dispatch, lane, ownCall(dispatch, lane, {
      code: OpCode.closeSession, timeoutMs: FAREWELL_MS_MAX, now, resolve: ignore, reject: ignore,
    }))
  }
  dispatch.startTicking()
  await becomeIdle(dispatch)
  for (const link of dispatch.numberedLinks) link.sayBye()
}

/** Whoever is cut off is told so. Also of a connection that is over, all but its last words. */
const cutOff = (dispatch: Dispatch, reason: string): CutOff => {
  const callers = dispatch.calls.all().filter(({ code }) => code !== OpCode.openSession && code !== OpCode.closeSession)
  const cut = { operations: callers.length, isDefinite: !callers.some(mayHaveHappened) }
  if (dispatch.state === 'closed') dispatch.bus.close()
  else fail(dispatch, reason)
  return cut
}

const ignore = (): void => {}
