/**
 * A short lane between a connection of nats.js and its socket.
 *
 * The library connects, authenticates, finds servers again, and keeps the subscriptions. But each chunk of bytes goes through two
 * asynchronous generators (written out as state machines, since it is compiled for old runtimes) before it is looked at, byte by byte;
 * each message that leaves is made of three arrays, which are put together once more; and each write has a promise that nobody waits for.
 * Of a node's CPU for a read with 64 in flight that was a sixth (docs/PERFORMANCE.md, "What was tried"). Here a chunk is read where it
 * arrives (natsReader.ts), and a message is written where it leaves (sendBuffer.ts). Lines that are no message go to the library's own
 * parser.
 *
 * It uses parts of the library that are not its interface (natsDial.ts).
 */

import { assert } from '../actors/kernel/assert.ts'
import { createNatsReader } from './natsReader.ts'
import { takeBytes } from './natsSocket.ts'
import { createSendBuffer } from './sendBuffer.ts'
import { sentHeaders } from './sentHeaders.ts'
import type { NatsConnection } from 'nats'
import type { Socket } from 'node:net'
import type { Inbound, InboundHandler, PublishOptions } from './port.ts'
import type { SendBuffer } from './sendBuffer.ts'

/** So much that waits is written at once, as the library does it. */
const FLUSH_BYTES = 32 * 1_024

export interface NatsLane {
  /** False once the connection is closed, or about to be: what is published then goes nowhere. */
  readonly isOpen: () => boolean
  /** The data is copied. `tooLarge`: above the broker's payload, headers included; nothing is sent. */
  readonly publish: (subject: string, data: Uint8Array, options?: PublishOptions) => 'sent' | 'tooLarge'
  /** Messages of the subscription with this id go to the handler, until the result is called. */
  readonly listen: (sid: number, handler: InboundHandler) => () => void
  /**
   * Ends the connection to this broker; the library makes another one. Its own way to do that waits until the socket has taken what was
   * written before: for ever, where the broker does not read.
   */
  readonly drop: () => void
}

/** The parts of the library's connection that are used. */
interface Protocol {
  readonly transport: Transport
  readonly parser: { readonly state: number; readonly parse: (bytes: Uint8Array) => void }
  outbound: Pick<SendBuffer, 'size' | 'drain'>
  readonly flushPending: () => void
  /** Makes the transport of the next attempt to connect. */
  prepare: () => unknown
  readonly isClosed: () => boolean
  /** At the end of a drain. */
  readonly noMorePublishing: boolean
}

/** Of the library's parser: between two lines. */
const AT_A_LINE = 0

interface Transport {
  /** Not before it is dialled, nor once it is closed. */
  readonly socket?: Socket
  readonly isClosed: boolean
  /** Begins to listen, once the broker has said INFO. What it throws ends the attempt, and the socket. */
  setupHandlers: () => void
  send: (bytes: Uint8Array) => void
}

/** Of one that `dialNats` made. `onUnreadable`: what came can not be read, and nothing more is. */
export const openLane = (connection: NatsConnection, onUnreadable: (error: unknown) => void): NatsLane => {
  const { protocol } = connection as unknown as { readonly protocol: Protocol }
  const handlers = new Map<number, InboundHandler>()
  const outbound = createSendBuffer()
  const settled = Promise.resolve()

  const onMessage = (sid: number, message: Inbound): void => {
    if (!protocol.isClosed()) handlers.get(sid)?.(message)
  }
  const takeOver = (transport: Transport): void => {
    const { socket } = transport
    const isWithinLine = protocol.parser.state !== AT_A_LINE
    const reader = createNatsReader({ onMessage, onLine: (line) => protocol.parser.parse(line), isWithinLine })
    let isUnreadable = false
    const take = (chunk: Buffer): void => {
      if (isUnreadable) return
      try {
        reader.take(chunk)
      } catch (error) {
        isUnreadable = true
        onUnreadable(error)
      }
    }
    if (socket !== undefined) takeBytes(socket, take)
    transport.send = (bytes) => {
      if (!transport.isClosed) socket?.write(bytes)
    }
  }
  const { prepare } = protocol
  protocol.prepare = () => {
    const pong = prepare.call(protocol)
    const { transport } = protocol
    const { setupHandlers } = transport
    transport.setupHandlers = () => {
      if (protocol.transport !== transport) throw new Error('another attempt to connect has begun')
      setupHandlers.call(transport)
      takeOver(transport)
    }
    return pong
  }
  outbound.fill(protocol.outbound.drain())
  protocol.outbound = outbound
  takeOver(protocol.transport)

  const flush = (): void => protocol.flushPending()
  return {
    isOpen: () => !protocol.isClosed() && !protocol.noMorePublishing,
    publish: (subject, data, { reply = '', headers } = {}) => {
      assert(subject !== '', 'a message has a subject')
      const block = sentHeaders(headers)
      const headerBytes = Buffer.byteLength(block)
      const messageBytes = headerBytes + data.length
      if (messageBytes > (connection.info?.max_payload ?? 0)) return 'tooLarge'
      const target = reply === '' ? subject : `${subject} ${reply}`
      const sizes = block === '' ? `${messageBytes}` : `${headerBytes} ${messageBytes}`
      const isFirst = outbound.size() === 0
      outbound.message(`${block === '' ? 'PUB' : 'HPUB'} ${target} ${sizes}\r\n${block}`, data)
      if (isFirst) void settled.then(flush)
      else if (outbound.size() >= FLUSH_BYTES) flush()
      return 'sent'
    },
    listen: (sid, handler) => {
      handlers.set(sid, handler)
      return () => handlers.delete(sid)
    },
    drop: () => void protocol.transport.socket?.destroy(),
  }
}
