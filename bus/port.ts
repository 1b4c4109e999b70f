/**
 * The bus port: all that ShardKV asks of a message broker. Core NATS gives at-most-once delivery, ordered per publisher and
 * subject; nothing here promises more.
 *
 * Two implementations, one contract test: bus/nats.ts (the only importer of `nats`) and bus/memory.ts (simulator, tests).
 */

/**
 * One text for a name. Of a name that came several times, all values, a line end between them; and headers that can not be read are one
 * entry under a name that nobody can send (bus/receivedHeaders.ts): who reads strictly refuses both.
 */
export type Headers = ReadonlyMap<string, string>

export interface Inbound {
  readonly subject: string
  /** Where an answer is wanted; empty when nowhere. */
  readonly reply: string
  /** A view into the transport's buffer: valid only until the handler returns. Copy what you keep; never a Buffer, so `slice` copies. */
  readonly data: Uint8Array
  /** Absent when the message has none. Names are matched as sent by us (`Kv-Status`), case-sensitively. */
  readonly headers?: Headers
}

export type InboundHandler = (message: Inbound) => void

export interface PublishOptions {
  readonly reply?: string
  readonly headers?: Headers
}

export interface Subscription {
  /** Stops delivery at once: messages already buffered for this subscription are dropped, not delivered. */
  readonly unsubscribe: () => void
  /**
   * Asks for nothing new, and still delivers what the broker had sent by then. `done` is called once, never before `drain` returns: when
   * the broker has confirmed that nothing follows, or can not any more because the connection is lost. `unsubscribe` cuts it short.
   * On one server, whoever publishes after that finds nobody; in a cluster of servers the news takes a moment to reach the others.
   */
  readonly drain: (done: () => void) => void
}

export interface BusStatus {
  readonly connected: boolean
  /** Bytes published and not yet confirmed received by the broker (by a later ping). */
  readonly outstandingBytes: number
  /** Above it `publish` answers `full`. */
  readonly outstandingBytesMax: number
  /** Payload bytes the broker accepts in one message. */
  readonly maxPayloadBytes: number
  readonly server: { readonly url: string; readonly version: string }
  /** Round trip of the last ping in milliseconds, if any was answered. */
  readonly roundTripMs?: number
}

export type BusEvent =
  | { readonly type: 'bus.connected' }
  /** `reason`: why this side has ended it; left out when the other one has. */
  | { readonly type: 'bus.disconnected'; readonly reason?: string }
  | { readonly type: 'bus.lameDuck' }
  | { readonly type: 'bus.slowConsumer'; readonly subject: string }
  | { readonly type: 'bus.permissionDenied'; readonly operation: 'publish' | 'subscribe'; readonly subject: string }
  /** Terminal: the connection was closed by `close`, or refused for good (authentication). */
  | { readonly type: 'bus.closed'; readonly reason?: string }

export interface RequestOptions {
  readonly timeoutMs: number
  /**
   * Whether it can be the answer; anything can when left out. What can not is passed over, and the request waits on: whoever knows the
   * inbox could end it otherwise. The broker's own "no responders" is not asked about. Looks, and does nothing.
   */
  readonly isAnswer?: (message: Inbound) => boolean
  readonly headers?: Headers
}

/**
 * Why a request has no answer. Only `noResponders` and `denied` are definite: nobody received it, since nobody is there or the broker does
 * not let this user publish it. `deniedAmong`: of several on its subject one was denied, and nobody knows which. `noInbox`: the broker does
 * not let this user hear answers, and whoever was asked may have done it. `unreadable`: there is an answer, but its headers can not be
 * read.
 */
export type RequestFailure = 'noResponders' | 'denied' | 'deniedAmong' | 'timeout' | 'closed' | 'noInbox' | 'unreadable'

export interface Bus {
  /**
   * Sends one message; returns what became of it. `full`: the outbox limit is reached, nothing was sent. `tooLarge`: above
   * the broker's payload, nothing was sent. `disconnected`: not connected now, nothing was sent or buffered.
   * The data is copied or written before the call returns.
   */
  readonly publish: (subject: string, data: Uint8Array, options?: PublishOptions) => 'sent' | 'full' | 'tooLarge' | 'disconnected'
  /** With `queue`, one member of the queue group gets each message. A handler that throws ends the process. */
  readonly subscribe: (subject: string, handler: InboundHandler, options?: { readonly queue?: string }) => Subscription
  /** One request, one answer (the first). `done` is called exactly once, never before `request` returns. */
  readonly request: (subject: string, data: Uint8Array, options: RequestOptions,
    done: (failure: RequestFailure | null, answer: Inbound | null) => void) => void
  /** Calls back when the broker has received everything published before, or with an error when it can not be known. */
  readonly flush: (done: (error: Error | null) => void) => void
  /** Unsubscribes, lets handlers finish, flushes, closes. Without a connection nothing is left to wait for, and it closes. */
  readonly drain: (done: () => void) => void
  readonly close: () => void
  readonly status: () => BusStatus
  readonly onEvent: (listener: (event: BusEvent) => void) => void
}
