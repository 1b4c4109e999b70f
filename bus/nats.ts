/**
 * The bus over NATS: this file and bus/natsDial.ts are the only ones that load `nats`.
 *
 * What nats.js does not do, and this file does:
 * - It buffers without bound while disconnected, and while the broker does not read. Here a publish without a connection is
 *   refused at once, and bytes that no ping has confirmed yet are bounded by `outboxBytesMax`.
 * - It keeps the caller's array until the next microtask. Here it is copied, since the port promises that.
 * - Its way between socket and messages is long, it prints and forgets an error thrown by a handler, and it reads headers in a time that
 *   grows with the square of their number. Here it sees no message at all (bus/natsLane.ts), so that requests are bus/requests.ts's; a
 *   handler's error ends the process (fail-stop); and headers may be anybody's (bus/receivedHeaders.ts).
 * - It leaves the socket of an attempt to connect that took too long, and waits for one that is blocked before it connects anew. Here both
 *   are ended (bus/natsDial.ts, bus/natsLane.ts).
 * - It hands out permission errors in three places. Here they are one BusEvent (bus/natsEvents.ts).
 * - It pings by a timer of each connection. Here all that share a pulse ping in one turn (bus/pulse.ts), and these pings confirm
 *   what was published, too.
 */

import { randomBytes } from 'node:crypto'
import { createSystemClock } from '../actors/kernel/systemClock.ts'
import { dialNats } from './natsDial.ts'
import { createEvents } from './natsEvents.ts'
import { openLane } from './natsLane.ts'
import { createOutbox } from './outbox.ts'
import { createLiveness, createPulse } from './pulse.ts'
import { NoHeadersError } from './refusedConnection.ts'
import { createRequests } from './requests.ts'
import { credsAuthenticator, nkeyAuthenticator } from 'nats'
import type { ConnectionOptions, NatsConnection, NatsError, TlsOptions } from 'nats'
import type { Pulse } from './pulse.ts'
import type { NatsEvents } from './natsEvents.ts'
import type { NatsLane } from './natsLane.ts'
import type { Bus, BusStatus, InboundHandler, PublishOptions, Subscription } from './port.ts'

/** Protocol line and line ends of one message, roughly. */
const MESSAGE_OVERHEAD_BYTES = 32
export { versionWarning } from './brokerVersion.ts'

const CONNECT_TIMEOUT_MS = 5_000
const RECONNECT_WAIT_MS = 200
export const PING_INTERVAL_MS = 1_500
/** Of the library's own pings, which it can not do without: the longest that a timer takes. */
const NEVER_MS = 2_147_483_647
const PINGS_OUT_MAX = 2
const INBOX_PREFIX = '_INBOX'
const INBOX_BYTES = 16
/** What nobody can guess. */
export const randomToken = (): string => randomBytes(INBOX_BYTES).toString('hex')

export interface NatsOptions {
  readonly servers: readonly string[]
  /** Shown by the broker's monitoring: `shardkv/n1/data`. */
  readonly name: string
  readonly user?: string
  readonly pass?: string
  readonly token?: string
  readonly nkeySeed?: string
  /** The content of a credentials file (JWT and seed). */
  readonly creds?: string | Uint8Array
  readonly tls?: TlsOptions
  /** Without the final dot: `_INBOX`. */
  readonly inboxPrefix?: string
  /** When it pings, shared by connections of one process. Default: a pulse of its own, of PING_INTERVAL_MS. */
  readonly pulse?: Pulse
  /** So many pings without an answer end the connection with the next beat. */
  readonly pingsOutMax?: number
  readonly outboxBytesMax?: number
  /** An attempt to connect that takes longer is given up, and another one begins. Default: 5 s. */
  readonly connectTimeoutMs?: number
  /** Keep trying until a server answers, instead of failing when none does. */
  readonly waitForServer?: boolean
  /** Called with what a handler threw; by default the process ends. */
  readonly onHandlerError?: (error: unknown) => void
}

/** Rejects when no server accepts the connection (unless `waitForServer`), the credentials are refused, or it carries no headers. */
export const connectNats = async (options: NatsOptions): Promise<Bus> => {
  const connection = await dialNats(connectionOptions(options))
  try {
    if (connection.info?.headers !== true) throw new NoHeadersError()
    return busOf(connection, options)
  } catch (error) {
    await connection.close()
    throw error
  }
}

const connectionOptions = (options: NatsOptions): ConnectionOptions => ({
  servers: [...options.servers],
  name: options.name,
  maxReconnectAttempts: -1,
  reconnectTimeWait: RECONNECT_WAIT_MS,
  reconnectJitter: RECONNECT_WAIT_MS,
  pingInterval: NEVER_MS,
  timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
  noEcho: true,
  waitOnFirstConnect: options.waitForServer === true,
  ...(options.user === undefined ? {} : { user: options.user }),
  ...(options.pass === undefined ? {} : { pass: options.pass }),
  ...(options.token === undefined ? {} : { token: options.token }),
  ...(options.tls === undefined ? {} : { tls: options.tls }),
  ...(options.nkeySeed === undefined ? {} : { authenticator: nkeyAuthenticator(bytesOf(options.nkeySeed)) }),
  ...(options.creds === undefined ? {} : { authenticator: credsAuthenticator(bytesOf(options.creds)) }),
})

const bytesOf = (secret: string | Uint8Array): Uint8Array => (typeof secret === 'string' ? new TextEncoder().encode(secret) : secret)

const busOf = (connection: NatsConnection, options: NatsOptions): Bus => {
  const outbox = createOutbox(() => connection.flush(), options.outboxBytesMax)
  const events = createEvents({ connection, onLost: outbox.reset, onThrown: throwLater })
  const giveUp = (reason: string): void => {
    events.noteReason(reason)
    // The library begins nothing anew for one that drains: that one ends.
    if (connection.isDraining()) void connection.close().catch(ignore)
    else lane.drop()
  }
  const lane = openLane(connection, (error) => giveUp(`what the broker says can not be read: ${(error as Error).message}`))
  const leavePulse = (options.pulse ?? createPulse(PING_INTERVAL_MS)).join(createLiveness({
    ping: outbox.ping, isConnected: events.isConnected, pingsOutMax: options.pingsOutMax ?? PINGS_OUT_MAX,
    giveUp: () => giveUp('the broker does not answer pings'),
  }))
  const failHandler = options.onHandlerError ?? throwLater
  let maxPayloadBytes = connection.info?.max_payload ?? 0
  let server = serverOf(connection)
  /** What the broker said of itself last: who asks for the status for every frame shall not have its address put together each time. */
  let { info } = connection

  const publish = (subject: string, data: Uint8Array, publishOptions?: PublishOptions): ReturnType<Bus['publish']> => {
    if (!events.isConnected() || !lane.isOpen()) return 'disconnected'
    if (!outbox.hasRoom(data.length)) return 'full'
    const outcome = lane.publish(subject, data, publishOptions)
    if (outcome === 'sent') outbox.published(data.length + MESSAGE_OVERHEAD_BYTES)
    return outcome
  }
  const listen: Bus['subscribe'] = (subject, handler, subscribeOptions) =>
    subscribe(connection, { lane, subject, queue: subscribeOptions?.queue, handler, onThrown: failHandler, onceLost: events.onceLost })
  const requests = createRequests({
    clock: createSystemClock(),
    inboxRoot: `${options.inboxPrefix ?? INBOX_PREFIX}.${randomToken()}`,
    newToken: randomToken,
    publish: (...message) => lostUnlessClosed(connection, publish(...message)),
    subscribe: (subject, handler) => unlessClosed(() => listen(subject, handler)),
  })
  events.listen((event) => {
    requests.told(event)
    if (event.type !== 'bus.closed') return
    leavePulse()
    requests.close()
  })
  return {
    publish,
    subscribe: listen,
    request: (subject, data, requestOptions, done) => requests.request(subject, data, requestOptions, guard(done, failHandler)),
    flush: (done) => {
      const settle = guard(done, failHandler)
      if (events.isConnected()) void outbox.ping().then(() => settle(null), settle)
      else queueMicrotask(() => settle(new Error('not connected: nothing can be confirmed')))
    },
    // The library's drain neither fails nor closes when the connection is lost meanwhile: it would dial for ever. Nor does it end with it.
    drain: (done) => void Promise.race([connection.drain().catch(ignore), connection.closed()])
      .then(() => connection.close()).catch(ignore).then(guard(done, failHandler)),
    close: () => void connection.close().catch(ignore),
    status: (): BusStatus => {
      const connected = events.isConnected()
      const told = connection.info
      if (connected && told !== undefined && told !== info) {
        info = told
        maxPayloadBytes = told.max_payload
        server = serverOf(connection)
      }
      const roundTripMs = outbox.roundTripMs()
      return {
        connected,
        outstandingBytes: outbox.outstandingBytes(),
        outstandingBytesMax: outbox.bytesMax,
        maxPayloadBytes,
        server,
        ...(roundTripMs === undefined ? {} : { roundTripMs }),
      }
    },
    onEvent: events.listen,
  }
}

const serverOf = (connection: NatsConnection): BusStatus['server'] =>
  ({ url: `nats://${connection.getServer()}`, version: connection.info?.version ?? 'unknown' })

const ignore = (): void => {}

/** Out of reach of the library's own catch: an uncaught exception ends the process with a stack. */
const throwLater = (error: unknown): void => queueMicrotask(() => {
  throw error
})

const guard = <Args extends readonly unknown[]>(fn: (...args: Args) => void, onThrown: (error: unknown) => void) =>
  (...args: Args): void => {
    try {
      fn(...args)
    } catch (error) {
      onThrown(error)
    }
  }

/**
 * A request while the connection is lost is one more that is lost on its way: its own time ends it, which also paces whoever repeats it.
 * Only after the end there is nothing to wait for.
 */
const lostUnlessClosed = (connection: NatsConnection, outcome: ReturnType<Bus['publish']>): ReturnType<Bus['publish']> =>
  (outcome === 'disconnected' && !connection.isClosed() ? 'sent' : outcome)

/** Null when there is nothing to subscribe on any more. */
const unlessClosed = (open: () => Subscription): Subscription | null => {
  try {
    return open()
  } catch (error) {
    const { code } = error as NatsError
    if (code === 'CONNECTION_CLOSED' || code === 'CONNECTION_DRAINING') return null
    throw error
  }
}

interface SubscribeInput {
  readonly lane: NatsLane
  readonly subject: string
  readonly queue: string | undefined
  readonly handler: InboundHandler
  readonly onThrown: (error: unknown) => void
  readonly onceLost: NatsEvents['onceLost']
}

const subscribe = (connection: NatsConnection, input: SubscribeInput): Subscription => {
  const { handler, onThrown, onceLost } = input
  let isOpen = true
  const subscription = connection.subscribe(input.subject, {
    ...(input.queue === undefined ? {} : { queue: input.queue }),
    // A refused subscription is reported here and as a status; the status becomes the event. No message comes this way.
    callback: ignore,
  })
  const stopListening = input.lane.listen(subscription.getID(), guard(handler, onThrown))
  void subscription.closed.then(stopListening)
  return {
    unsubscribe: () => {
      if (!isOpen) return
      isOpen = false
      stopListening()
      subscription.unsubscribe()
    },
    // The library does not settle when the connection is closed meanwhile.
    drain: (done) => {
      const settle = guard(done, onThrown)
      const forget = onceLost(settle)
      void subscription.drain().catch(ignore).then(() => {
        if (forget()) settle()
      })
    },
  }
}
