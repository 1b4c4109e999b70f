/**
 * The bus over NATS: the only file that imports `nats`.
 *
 * What nats.js does not do, and this file does:
 * - It buffers without bound while disconnected, and while the broker does not read. Here a publish without a connection is
 *   refused at once, and bytes that no ping has confirmed yet are bounded by `outboxBytesMax`.
 * - It keeps the caller's array until the next microtask. Here it is copied, since the port promises that.
 * - It prints and forgets an error thrown by a handler. Here it ends the process (fail-stop).
 * - It reads headers in a time that grows with the square of their number, and throws when they are malformed. Here it is never asked for
 *   them: anybody may send them (bus/receivedHeaders.ts). Its own requests can not be kept from it, so they are bus/requests.ts's.
 * - It hands out permission errors in three places. Here they are one BusEvent.
 * - It pings by a timer of each connection. Here all that share a pulse ping in one turn (bus/pulse.ts), and these pings confirm
 *   what was published, too.
 */

import { randomBytes } from 'node:crypto'
import { createSystemClock } from '../actors/kernel/systemClock.ts'
import { createOutbox } from './outbox.ts'
import { createLiveness, createPulse } from './pulse.ts'
import { receivedHeaders } from './receivedHeaders.ts'
import { NoHeadersError } from './refusedConnection.ts'
import { createRequests } from './requests.ts'
import { connect, credsAuthenticator, headers as createHeaders, nkeyAuthenticator } from 'nats'
import type { ConnectionOptions, Msg, MsgHdrs, NatsConnection, NatsError, Status, TlsOptions } from 'nats'
import type { Outbox } from './outbox.ts'
import type { Pulse } from './pulse.ts'
import type { Bus, BusEvent, BusStatus, Headers, Inbound, InboundHandler, PublishOptions, Subscription } from './port.ts'

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
  /** Keep trying until a server answers, instead of failing when none does. */
  readonly waitForServer?: boolean
  /** Called with what a handler threw; by default the process ends. */
  readonly onHandlerError?: (error: unknown) => void
}

/** Rejects when no server accepts the connection (unless `waitForServer`), the credentials are refused, or it carries no headers. */
export const connectNats = async (options: NatsOptions): Promise<Bus> => {
  const connection = await connect(connectionOptions(options))
  if (connection.info?.headers === true) return busOf(connection, options)
  await connection.close()
  throw new NoHeadersError()
}

const connectionOptions = (options: NatsOptions): ConnectionOptions => ({
  servers: [...options.servers],
  name: options.name,
  maxReconnectAttempts: -1,
  reconnectTimeWait: RECONNECT_WAIT_MS,
  reconnectJitter: RECONNECT_WAIT_MS,
  pingInterval: NEVER_MS,
  timeout: CONNECT_TIMEOUT_MS,
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
  const events = createEvents(connection, outbox)
  const leavePulse = (options.pulse ?? createPulse(PING_INTERVAL_MS)).join(createLiveness({
    ping: outbox.ping, isConnected: events.isConnected, pingsOutMax: options.pingsOutMax ?? PINGS_OUT_MAX,
    // The library begins nothing anew for one that drains: that one ends.
    giveUp: () => void (connection.isDraining() ? connection.close() : connection.reconnect()).catch(ignore),
  }))
  const failHandler = options.onHandlerError ?? throwLater
  let maxPayloadBytes = connection.info?.max_payload ?? 0
  let server = serverOf(connection)

  const publish = (subject: string, data: Uint8Array, publishOptions?: PublishOptions): ReturnType<Bus['publish']> => {
    if (!events.isConnected()) return 'disconnected'
    if (!outbox.hasRoom(data.length)) return 'full'
    try {
      connection.publish(subject, Buffer.from(data), natsPublishOptions(publishOptions))
    } catch (error) {
      return outcomeOf(error)
    }
    outbox.published(data.length + MESSAGE_OVERHEAD_BYTES)
    return 'sent'
  }
  const listen: Bus['subscribe'] = (subject, handler, subscribeOptions) =>
    subscribe(connection, { subject, queue: subscribeOptions?.queue, handler, onThrown: failHandler, onceLost: events.onceLost })
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
      maxPayloadBytes = connection.info?.max_payload ?? maxPayloadBytes
      if (connected && connection.info !== undefined) server = serverOf(connection)
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

const outcomeOf = (error: unknown): 'tooLarge' | 'disconnected' => {
  const code = (error as NatsError).code
  if (code === 'MAX_PAYLOAD_EXCEEDED') return 'tooLarge'
  if (code === 'CONNECTION_CLOSED' || code === 'CONNECTION_DRAINING') return 'disconnected'
  throw error
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
    outcomeOf(error)
    return null
  }
}

const natsPublishOptions = (options: PublishOptions | undefined): { reply?: string; headers?: MsgHdrs } => {
  if (options === undefined) return {}
  return {
    ...(options.reply === undefined ? {} : { reply: options.reply }),
    ...(options.headers === undefined ? {} : { headers: natsHeaders(options.headers) }),
  }
}

const natsHeaders = (given: Headers): MsgHdrs => {
  const result = createHeaders()
  for (const [name, value] of given) result.append(name, value)
  return result
}

interface SubscribeInput {
  readonly subject: string
  readonly queue: string | undefined
  readonly handler: InboundHandler
  readonly onThrown: (error: unknown) => void
  readonly onceLost: Events['onceLost']
}

const subscribe = (connection: NatsConnection, input: SubscribeInput): Subscription => {
  const { handler, onThrown, onceLost } = input
  let isOpen = true
  const subscription = connection.subscribe(input.subject, {
    ...(input.queue === undefined ? {} : { queue: input.queue }),
    callback: (error, message) => {
      // A refused subscription is reported here and as a status; the status becomes the event.
      if (error !== null || !isOpen) return
      const inbound = inboundOf(message as Sized)
      try {
        handler(inbound)
      } catch (thrown) {
        onThrown(thrown)
      }
    },
  })
  return {
    unsubscribe: () => {
      if (!isOpen) return
      isOpen = false
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

interface Sized extends Msg {
  /** Bytes of its subjects, headers and data: every message of the library's has it, though its type does not say so. */
  readonly size: () => number
}

/**
 * Never throws, whatever was sent. The library hands out parts of a Buffer, whose `slice` is a view: as a plain Uint8Array it copies, which
 * is what readers expect.
 */
const inboundOf = (message: Sized): Inbound => {
  const { subject, reply = '', data: { buffer, byteOffset, byteLength } } = message
  const inbound = { subject, reply, data: new Uint8Array(buffer, byteOffset, byteLength) }
  const headerBytes = message.size() - byteLength - bytesIn(subject) - bytesIn(reply)
  if (headerBytes === 0 && !reply.includes(REPLACED)) return inbound
  // A subject that is no UTF-8 has not as many bytes as its text: then this is not where headers begin, and they can not be read.
  const isInside = headerBytes > 0 && headerBytes <= byteOffset
  const block = isInside ? new Uint8Array(buffer, byteOffset - headerBytes, headerBytes) : NO_BYTES
  return { ...inbound, headers: receivedHeaders(block) }
}

const NO_BYTES = new Uint8Array(0)
/** Stands for bytes that are no UTF-8. */
const REPLACED = '\ufffd'

const bytesIn = (text: string): number => Buffer.byteLength(text)

interface Events {
  readonly isConnected: () => boolean
  readonly listen: (listener: (event: BusEvent) => void) => void
  /** Calls back when the connection is lost or closed, unless the result is called before; it says whether it came in time. */
  readonly onceLost: (listener: () => void) => () => boolean
}

const createEvents = (connection: NatsConnection, outbox: Outbox): Events => {
  const listeners: ((event: BusEvent) => void)[] = []
  const losses = new Set<() => void>()
  let connected = true
  const lose = (): void => {
    const told = [...losses]
    losses.clear()
    for (const listener of told) listener()
  }
  const emit = (event: BusEvent): void => {
    if (event.type === 'bus.connected') connected = true
    if (event.type === 'bus.disconnected') {
      connected = false
      outbox.reset()
    }
    for (const listener of listeners) listener(event)
    if (!connected) lose()
  }
  const follow = async (): Promise<void> => {
    for await (const status of connection.status()) {
      const event = eventOf(status)
      if (event !== null) emit(event)
    }
  }
  follow().catch(throwLater)
  connection.closed().then((reason) => {
    connected = false
    emit(reason instanceof Error ? { type: 'bus.closed', reason: reason.message } : { type: 'bus.closed' })
  }).catch(throwLater)
  return {
    isConnected: () => connected,
    listen: (listener) => {
      listeners.push(listener)
    },
    onceLost: (listener) => {
      losses.add(listener)
      return () => losses.delete(listener)
    },
  }
}

const eventOf = (status: Status): BusEvent | null => {
  switch (status.type as string) {
    case 'reconnect': return { type: 'bus.connected' }
    case 'disconnect': return { type: 'bus.disconnected' }
    case 'ldm': return { type: 'bus.lameDuck' }
    case 'error': return deniedOf(status)
  }
  return null
}

const deniedOf = (status: Status): BusEvent | null => {
  const { permissionContext } = status
  if (permissionContext === undefined) return null
  const operation = permissionContext.operation === 'publish' ? 'publish' : 'subscribe'
  return { type: 'bus.permissionDenied', operation, subject: permissionContext.subject }
}
