/**
 * One client's end of the memory broker: the Bus port over a link that can be cut, held and mended (bus/memory.ts says what each does).
 */

import { createLink } from './memoryLink.ts'
import { createRequests } from './requests.ts'
import { sentHeaders } from './sentHeaders.ts'
import { isSubjectMatch } from './subjectTrie.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Link, Outgoing, Receiver } from './memoryLink.ts'
import type { SubjectTrie } from './subjectTrie.ts'
import type { Bus, BusStatus, PublishOptions } from './port.ts'

/** Allow lists of subjects with wildcards; everything else is denied. Publishing is checked on the mapped subject, as in NATS. */
export interface Permissions {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

export interface MemorySubscription extends Receiver {
  readonly owner: MemoryConnection
  readonly queue: string
}

/** What the broker offers its connections. */
export interface Exchange {
  readonly clock: Clock
  readonly maxPayloadBytes: number
  readonly interest: SubjectTrie<MemorySubscription>
  /** What a subject becomes by the mappings. */
  readonly mapped: (subject: string) => string
  /** `subject` has been mapped. */
  readonly route: (from: MemoryConnection, message: Outgoing) => void
}

export interface MemoryConnection {
  readonly name: string
  readonly bus: Bus
  readonly link: Link
}

const SERVER = { url: 'memory://broker', version: '0.0.0' }
const encoder = new TextEncoder()

const headerBytes = (block: string): number => (block === '' ? 0 : encoder.encode(block).length)

export interface ConnectionOptions {
  readonly name: string
  /** Different for every connection of a broker: late answers to an earlier one of the same name find nobody. */
  readonly number: number
  readonly permissions: Permissions | undefined
  readonly inboxPrefix: string
}

export const createMemoryConnection = (exchange: Exchange, options: ConnectionOptions): MemoryConnection => {
  const { name, permissions } = options
  const link = createLink(exchange.clock, name)
  const subscriptions = new Map<MemorySubscription, string>()

  const subscribe: Bus['subscribe'] = (subject, handler, options) => {
    const subscription: MemorySubscription = {
      owner: connection, queue: options?.queue ?? '', handler, isOpen: true, onTheWay: 0, drained: [],
    }
    if (permissions === undefined || isAllowed(permissions.subscribe, subject)) {
      exchange.interest.add(subject, subscription)
      subscriptions.set(subscription, subject)
    } else link.deny('subscribe', subject)
    return { unsubscribe: () => drop(subscription), drain: (done) => drain(subscription, done) }
  }
  const drain = (subscription: MemorySubscription, done: () => void): void => {
    const subject = subscriptions.get(subscription)
    if (subject !== undefined) exchange.interest.remove(subject, subscription)
    link.drain(subscription, () => {
      drop(subscription)
      done()
    })
  }
  const drop = (subscription: MemorySubscription): void => {
    const subject = subscriptions.get(subscription)
    subscription.isOpen = false
    if (subject === undefined) return
    subscriptions.delete(subscription)
    exchange.interest.remove(subject, subscription)
  }
  const publish = (subject: string, data: Uint8Array, options?: PublishOptions): ReturnType<Bus['publish']> => {
    if (!link.isUp()) return 'disconnected'
    if (data.length + headerBytes(sentHeaders(options?.headers)) > exchange.maxPayloadBytes) return 'tooLarge'
    const mapped = exchange.mapped(subject)
    if (permissions !== undefined && !isAllowed(permissions.publish, mapped)) {
      link.deny('publish', mapped)
      return 'sent'
    }
    exchange.route(connection, { subject: mapped, reply: options?.reply ?? '', data: new Uint8Array(data), headers: options?.headers })
    return 'sent'
  }
  const inboxRoot = `${options.inboxPrefix}.${options.number}`
  let asked = 0
  const newToken = (): string => {
    asked += 1
    return String(asked)
  }
  const requests = createRequests({ clock: exchange.clock, inboxRoot, newToken, publish, subscribe })
  link.onEvent(requests.told)
  const close = (): void => {
    if (!link.close()) return
    for (const subscription of subscriptions.keys()) drop(subscription)
    requests.close()
  }
  const bus: Bus = {
    publish,
    subscribe,
    request: requests.request,
    flush: (done) => exchange.clock.defer(() => done(link.isUp() ? null : new Error('not connected: nothing can be confirmed'))),
    drain: (done) => {
      for (const [subscription, subject] of subscriptions) exchange.interest.remove(subject, subscription)
      exchange.clock.defer(() => {
        close()
        done()
      })
    },
    close,
    status: () => statusOf(link.isUp(), exchange.maxPayloadBytes),
    onEvent: link.onEvent,
  }
  const connection: MemoryConnection = { name, bus, link }
  return connection
}

/** What is published is with the broker at once: nothing is ever outstanding, and no limit met. */
const statusOf = (connected: boolean, maxPayloadBytes: number): BusStatus =>
  ({ connected, outstandingBytes: 0, outstandingBytesMax: Number.MAX_SAFE_INTEGER, maxPayloadBytes, server: SERVER, roundTripMs: 0 })

const isAllowed = (patterns: readonly string[], subject: string): boolean => patterns.some((pattern) => isSubjectMatch(pattern, subject))
