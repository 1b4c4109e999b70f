/**
 * The wire from the memory broker to one connection: up, cut or closed; and held, as a broker holds what a stopped client does not read.
 *
 * It counts what is on its way to each subscription, since a broker's pong comes after everything it had sent before, and whoever drains
 * a subscription waits for that.
 */

import type { Clock } from '../actors/kernel/clock.ts'
import type { BusEvent, Headers, Inbound, InboundHandler } from './port.ts'

/** What is kept for a held connection; nats-server's default for a slow consumer is the same. */
const HELD_BYTES_MAX = 64 * 1_024 * 1_024
const SCRIBBLE = 0xdb

/** What is known of a subscription on its way to it. */
export interface Receiver {
  readonly handler: InboundHandler
  isOpen: boolean
  /** Deliveries that have left the broker and not arrived. */
  onTheWay: number
  /** Called when the last of them is there, once nothing new is sent. */
  readonly drained: (() => void)[]
}

export interface Outgoing {
  readonly subject: string
  readonly reply: string
  readonly data: Uint8Array
  readonly headers: Headers | undefined
}

interface Held {
  readonly receiver: Receiver
  readonly message: Outgoing
}

export interface Link {
  readonly isUp: () => boolean
  /** A message leaves the broker now; the result is its arrival. Once the link was cut meanwhile, it is lost. */
  readonly send: (receiver: Receiver, message: Outgoing) => () => void
  /** Calls back when everything on its way to a receiver that is sent nothing new has arrived, or never will. */
  readonly drain: (receiver: Receiver, done: () => void) => void
  readonly cut: () => void
  readonly mend: () => void
  readonly hold: () => void
  readonly release: () => void
  readonly deny: (operation: 'publish' | 'subscribe', subject: string) => void
  readonly onEvent: (listener: (event: BusEvent) => void) => void
  /** False when it was closed before. */
  readonly close: () => boolean
}

export const createLink = (clock: Clock, name: string): Link => {
  const listeners: ((event: BusEvent) => void)[] = []
  let state: 'up' | 'cut' | 'closed' = 'up'
  let epoch = 0
  let isHeld = false
  let held: Held[] = []
  let heldBytes = 0
  const draining = new Set<Receiver>()

  const emit = (event: BusEvent): void => clock.defer(() => {
    for (const listener of listeners) listener(event)
  })
  const settle = (receiver: Receiver): void => {
    draining.delete(receiver)
    for (const done of receiver.drained.splice(0)) done()
  }
  /** The pong comes after everything that was sent before it. */
  const maybeSettle = (receiver: Receiver): void => {
    if (receiver.onTheWay === 0 && !isHeld) settle(receiver)
  }
  const arrived = (receiver: Receiver): void => {
    receiver.onTheWay -= 1
    if (draining.has(receiver)) maybeSettle(receiver)
  }
  const hand = (receiver: Receiver, message: Outgoing): void => {
    if (state === 'up' && receiver.isOpen) {
      const inbound = inboundOf(message)
      receiver.handler(inbound)
      inbound.data.fill(SCRIBBLE)
    }
    arrived(receiver)
  }
  const keep = (receiver: Receiver, message: Outgoing): void => {
    if (heldBytes + message.data.length > HELD_BYTES_MAX) {
      emit({ type: 'bus.slowConsumer', subject: message.subject })
      arrived(receiver)
      return
    }
    heldBytes += message.data.length
    held.push({ receiver, message })
  }
  const takeHeld = (): Held[] => {
    const burst = held
    held = []
    heldBytes = 0
    return burst
  }
  const lose = (): void => {
    for (const { receiver } of takeHeld()) arrived(receiver)
    for (const receiver of draining) clock.defer(() => settle(receiver))
  }
  return {
    isUp: () => state === 'up',
    send: (receiver, message) => {
      const sentIn = epoch
      receiver.onTheWay += 1
      return () => {
        if (state !== 'up' || epoch !== sentIn) arrived(receiver)
        else if (isHeld) keep(receiver, message)
        else hand(receiver, message)
      }
    },
    drain: (receiver, done) => {
      receiver.drained.push(done)
      draining.add(receiver)
      clock.defer(() => (state === 'up' ? maybeSettle(receiver) : settle(receiver)))
    },
    cut: () => {
      if (state !== 'up') return
      state = 'cut'
      epoch += 1
      lose()
      emit({ type: 'bus.disconnected' })
    },
    mend: () => {
      if (state !== 'cut') return
      state = 'up'
      emit({ type: 'bus.connected' })
    },
    hold: () => {
      isHeld = true
    },
    release: () => {
      isHeld = false
      for (const { receiver, message } of takeHeld()) clock.defer(() => hand(receiver, message))
      for (const receiver of draining) clock.defer(() => maybeSettle(receiver))
    },
    deny: (operation, subject) => emit({ type: 'bus.permissionDenied', operation, subject }),
    onEvent: (listener) => {
      listeners.push(listener)
    },
    close: () => {
      if (state === 'closed') return false
      state = 'closed'
      lose()
      emit({ type: 'bus.closed', reason: `${name} closed` })
      return true
    },
  }
}

/** A delivery as the handler sees it. The bytes are the handler's for the time of the call. */
const inboundOf = (message: Outgoing): Inbound => ({
  subject: message.subject,
  reply: message.reply,
  data: new Uint8Array(message.data),
  ...(message.headers === undefined ? {} : { headers: message.headers }),
})
