/**
 * A broker in memory, for the simulator and for unit tests: NATS' semantics over the clock port, without promises, so that one seed
 * decides every delivery.
 *
 *   publish ─▶ mapping ─▶ permission ─▶ interest ─▶ fate (lost, delayed, doubled) ─▶ link (cut: lost, held: later) ─▶ handler
 *
 * - Order: one publisher's messages reach one subscriber in order, unless `fate` gives them different delays.
 * - A connection does not hear itself (noEcho). A queue group gives each message to one member, in turn.
 * - A message with a reply subject that nobody receives is answered by the broker with an empty message whose `Status` header is
 *   503, as nats-server does.
 * - The bytes a handler gets are overwritten when it returns: who keeps a view of them finds out here and not in production.
 *
 * Departures from nats-server: a cut link is seen by the broker at once (use `hold` for the time in which it is not), and a publish
 * is not delayed on its way in, only on its way out; a `*` in a permission does not cover a subscription's `>`.
 */

import { createSubjectTrie } from './subjectTrie.ts'
import { createMemoryConnection } from './memoryConnection.ts'
import { shardOf } from '../topology/hash.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Exchange, MemoryConnection, MemorySubscription, Permissions } from './memoryConnection.ts'
import type { Outgoing } from './memoryLink.ts'
import type { Bus, Headers } from './port.ts'

/** nats-server's default. */
const PAYLOAD_BYTES_MAX = 1_024 * 1_024

export interface Fate {
  readonly from: string
  readonly to: string
  readonly subject: string
  readonly bytes: number
}

export interface MemoryBrokerOptions {
  readonly clock: Clock
  readonly maxPayloadBytes?: number
  /** The two partition mappings of docs/SUBJECTS.md; left out, single keys reach the gateway subjects. */
  readonly mappings?: { readonly prefix: string; readonly shardCount: number }
  /** Extra delays in ms, one per copy: `[]` loses the message, `[0]` delivers it, `[0, 5]` delivers it twice. */
  readonly fate?: (message: Fate) => readonly number[]
}

export interface ConnectOptions {
  /** Names the link for `fate`, `disconnect` and `hold`. One name may be used again after its connection was closed. */
  readonly name: string
  readonly permissions?: Permissions
  /** Where its requests are answered, without the final dot: `_INBOX`. Below it they count from 1, so that one seed decides all. */
  readonly inboxPrefix?: string
}

export interface MemoryBroker {
  readonly connect: (options: ConnectOptions) => Bus
  /** Cuts the link: what is on its way to it is lost, it can not publish, and the broker forgets its interest until `reconnect`. */
  readonly disconnect: (name: string) => void
  readonly reconnect: (name: string) => void
  /** Keeps what is for it, as a broker does for a stopped or half-open client, until `release` delivers all of it at once. */
  readonly hold: (name: string) => void
  readonly release: (name: string) => void
}

export const createMemoryBroker = (options: MemoryBrokerOptions): MemoryBroker => {
  const { clock } = options
  const fate = options.fate ?? onTime
  const interest = createSubjectTrie<MemorySubscription>()
  const connections = new Map<string, MemoryConnection>()
  const turns = new Map<string, number>()

  const deliver = (from: string, subscription: MemorySubscription, message: Outgoing): void => {
    const { owner } = subscription
    const delays = fate({ from, to: owner.name, subject: message.subject, bytes: message.data.length })
    for (const delay of delays) {
      const arrive = owner.link.send(subscription, message)
      if (delay <= 0) clock.defer(arrive)
      else clock.after(delay, arrive)
    }
  }
  const route = (from: MemoryConnection, message: Outgoing): void => {
    const matches = interest.match(message.subject).filter(({ owner }) => owner !== from && owner.link.isUp())
    const receivers = chooseReceivers(matches, turns)
    for (const subscription of receivers) deliver(from.name, subscription, message)
    if (receivers.length > 0 || message.reply === '') return
    const refusal: Outgoing = { subject: message.reply, reply: '', data: new Uint8Array(0), headers: NO_RESPONDERS }
    for (const subscription of interest.match(message.reply)) {
      if (subscription.owner === from) deliver('', subscription, refusal)
    }
  }
  const exchange: Exchange = {
    clock,
    maxPayloadBytes: options.maxPayloadBytes ?? PAYLOAD_BYTES_MAX,
    interest,
    mapped: mapperOf(options.mappings),
    route,
  }
  let connected = 0
  return {
    connect: ({ name, permissions, inboxPrefix = '_INBOX' }) => {
      connected += 1
      const connection = createMemoryConnection(exchange, { name, number: connected, permissions, inboxPrefix })
      connections.set(name, connection)
      return connection.bus
    },
    disconnect: (name) => connections.get(name)?.link.cut(),
    reconnect: (name) => connections.get(name)?.link.mend(),
    hold: (name) => connections.get(name)?.link.hold(),
    release: (name) => connections.get(name)?.link.release(),
  }
}

const ON_TIME: readonly number[] = [0]
const onTime = (): readonly number[] => ON_TIME

const NO_RESPONDERS: Headers = new Map([['Status', '503']])

/** Everyone outside a queue group, and of each group the member whose turn it is. */
const chooseReceivers = (matches: readonly MemorySubscription[], turns: Map<string, number>): readonly MemorySubscription[] => {
  if (matches.every(({ queue }) => queue === '')) return matches
  const receivers: MemorySubscription[] = []
  const groups = new Map<string, MemorySubscription[]>()
  for (const subscription of matches) {
    if (subscription.queue === '') receivers.push(subscription)
    else groups.set(subscription.queue, [...(groups.get(subscription.queue) ?? []), subscription])
  }
  for (const [queue, members] of groups) {
    const turn = turns.get(queue) ?? 0
    turns.set(queue, turn + 1)
    const member = members[turn % members.length]
    if (member !== undefined) receivers.push(member)
  }
  return receivers
}

/** `<prefix>.*.*` and `<prefix>.*.*.*` go to the shard of their second wildcard, as `mappingsBlock` tells nats-server. */
const mapperOf = (mappings: MemoryBrokerOptions['mappings']): ((subject: string) => string) => {
  if (mappings === undefined) return (subject) => subject
  const { prefix, shardCount } = mappings
  return (subject) => {
    const [root, op, token, ...rest] = subject.split('.')
    if (root !== prefix || op === undefined || token === undefined || rest.length > 1) return subject
    return [prefix, 'slot', shardOf(token, shardCount), op, token, ...rest].join('.')
  }
}
