/**
 * A process's end of the simulated bus: the broker's connection, entered through the timeline, so that a paused
 * process hears later and a dead one never; and a tap that sees every publication before the broker does.
 */

import type { Bus, Inbound, Subscription } from '../bus/port.ts'
import type { Process, Timeline } from './clock.ts'

export interface Tap {
  /** Before a publication reaches the broker. */
  readonly sent: (process: Process, subject: string, data: Uint8Array) => void
  /** When a delivery enters the process. */
  readonly heard: (process: Process, subject: string) => void
}

export const createWire = (bus: Bus, process: Process, ports: { readonly timeline: Timeline; readonly tap: Tap }): Bus => {
  const { timeline, tap } = ports
  /** The broker takes its bytes back when the handler returns: what waits for a paused process is a copy. */
  const hand = (inbound: Inbound, handler: (message: Inbound) => void): void => {
    const message = process.state === 'paused' ? { ...inbound, data: Uint8Array.from(inbound.data) } : inbound
    timeline.arrive(process, () => {
      tap.heard(process, message.subject)
      handler(message)
    })
  }
  const subscribe: Bus['subscribe'] = (subject, handler, options) => {
    let isOpen = true
    const inner: Subscription = bus.subscribe(subject, (inbound) => hand(inbound, (message) => {
      if (isOpen) handler(message)
    }), options)
    return {
      unsubscribe: () => {
        isOpen = false
        inner.unsubscribe()
      },
      drain: (done) => inner.drain(() => timeline.arrive(process, done)),
    }
  }
  return {
    publish: (subject, data, options) => {
      if (process.state === 'dead') return 'disconnected'
      tap.sent(process, subject, data)
      return bus.publish(subject, data, options)
    },
    subscribe,
    request: (subject, data, options, done) => {
      tap.sent(process, subject, data)
      bus.request(subject, data, options, (failure, answer) => {
        if (answer === null) timeline.arrive(process, () => done(failure, null))
        else hand(answer, (message) => done(failure, message))
      })
    },
    flush: (done) => bus.flush((error) => timeline.arrive(process, () => done(error))),
    drain: (done) => bus.drain(() => timeline.arrive(process, done)),
    close: bus.close,
    status: bus.status,
    onEvent: (listener) => bus.onEvent((event) => timeline.arrive(process, () => listener(event))),
  }
}
