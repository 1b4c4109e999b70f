/**
 * The desk where nodes ask one another about the cluster map, over the control connection (`skv.<cluster>.topology.<to>.<from>`, answered
 * on the asker's inbox):
 *
 *   state     what is the newest map you know?            the committed state, or nothing newer than what the asker has
 *   genesis   how was this cluster born?                  for a node that joins
 *   order     become these members (of the meta leader)   what the group's leader says to it (MoveReport)
 *   propose   decide this (of anybody)                    the outcome, or who leads the meta group
 *   overview  how do things stand, for certain?           the state, who is lost, how far moves are; or who leads the meta group
 *   figures   how busy are you?                           counters of the shards it leads, and how far its copies are (figures.ts)
 *   loads     how busy is everybody, as the meta leader has gathered?  rates of shards and copies; or who leads the meta group
 *   history   what was decided?                           events, newest first, or who leads the meta group
 *   transfer  let this replica lead its shard             whether the shard's leader does it
 *
 * An answer that one message does not hold comes in parts (topology/longAnswers.ts). Nothing here is hot, and nothing is
 * promised: askers repeat. What an answer means is decided by whoever asked.
 */

import { decodeControl } from '../bus/codec/control.ts'
import { createRefusalLog } from '../bus/refusalLog.ts'
import { isReplyAllowed, senderOf, topologySubject, topologyWildcard } from '../bus/subjects.ts'
import { count, list, node, oneOf, record, replica } from '../actors/topology/fields.ts'
import { isNodeId } from './ids.ts'
import { ANSWER_BYTES_MAX, askWhole, createLongAnswers, partRequestOf } from './longAnswers.ts'
import type { Check } from '../actors/topology/fields.ts'
import type { Bus } from '../bus/port.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { ClusterId, NodeId, ReplicaId } from './ids.ts'

/** How long an asker waits. */
const PATIENCE_MS = 1_000
const MEMBERS_MAX = 16

export type TopologyRequest =
  | { readonly kind: 'state'; readonly newerThan: number }
  | { readonly kind: 'genesis' }
  | { readonly kind: 'order'; readonly group: number; readonly move: number; readonly epoch: number
      readonly voters: readonly ReplicaId[]; readonly learners: readonly ReplicaId[] }
  /** An encoded MetaCommand. */
  | { readonly kind: 'propose'; readonly command: Uint8Array }
  | { readonly kind: 'overview' }
  | { readonly kind: 'figures' }
  | { readonly kind: 'loads' }
  /** At most `limit` events older than the epoch `before`; 0: the newest. */
  | { readonly kind: 'history'; readonly before: number; readonly limit: number }
  | { readonly kind: 'transfer'; readonly shard: number; readonly to: NodeId }

export type RequestOf<Kind extends TopologyRequest['kind']> = Extract<TopologyRequest, { readonly kind: Kind }>

const members = list(replica, MEMBERS_MAX)
const bytes: Check<Uint8Array> = (value) => (value instanceof Uint8Array ? value : undefined)
const checks: { readonly [Kind in TopologyRequest['kind']]: Check<RequestOf<Kind>> } = {
  state: record({ kind: oneOf('state'), newerThan: count }),
  genesis: record({ kind: oneOf('genesis') }),
  order: record({ kind: oneOf('order'), group: count, move: count, epoch: count, voters: members, learners: members }),
  propose: record({ kind: oneOf('propose'), command: bytes }),
  overview: record({ kind: oneOf('overview') }),
  figures: record({ kind: oneOf('figures') }),
  loads: record({ kind: oneOf('loads') }),
  history: record({ kind: oneOf('history'), before: count, limit: count }),
  transfer: record({ kind: oneOf('transfer'), shard: count, to: node }),
}

/** What arrived, or undefined when it is no request. */
export const topologyRequestOf = (value: unknown): TopologyRequest | undefined => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? String(value.kind) : ''
  return Object.hasOwn(checks, kind) ? checks[kind as TopologyRequest['kind']](value) : undefined
}

/** Plain data; undefined when there is nothing to say. Called once. */
export type Answer = (value: unknown) => void

export interface TopologyDeskOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly cluster: ClusterId
  readonly self: NodeId
  readonly inboxPrefix: string
  readonly answer: (request: TopologyRequest, done: Answer) => void
}

export interface TopologyDesk {
  /** Any node, this one too. `done` with the decoded answer, or undefined when none came in time. */
  readonly ask: (to: NodeId, request: TopologyRequest, done: Answer) => void
  readonly counters: () => Readonly<Record<string, number>>
  readonly stop: () => void
}

export const createTopologyDesk = (options: TopologyDeskOptions): TopologyDesk => {
  const { bus, clock, log, cluster, self, inboxPrefix } = options
  const refusals = createRefusalLog(clock, log, 'a request about the cluster map was refused')
  const longAnswers = createLongAnswers(() => bus.status().maxPayloadBytes)
  let isStopped = false
  const say = (reply: string, bytes: Uint8Array | null): void => {
    if (bytes !== null) bus.publish(reply, bytes)
  }
  const answer = (request: TopologyRequest, from: NodeId, reply: string): void => options.answer(request, (value) => {
    if (isStopped || value === undefined) return
    const bytes = longAnswers.encode(value)
    if (bytes === null) refusals.note('tooLong', `the answer to ${from}'s "${request.kind}" is above ${ANSWER_BYTES_MAX} bytes`)
    say(reply, bytes)
  })
  const subscription = bus.subscribe(topologyWildcard(cluster, self), ({ subject, reply, data }) => {
    const from = senderOf(subject)
    const value = decodeControl(data)
    const part = partRequestOf(value)
    const request = topologyRequestOf(value)
    if (!isNodeId(from) || !isReplyAllowed(reply, inboxPrefix)) refusals.note('sender', 'its subject names no node, or its reply no inbox')
    else if (part !== undefined) say(reply, longAnswers.part(part))
    else if (request === undefined) refusals.note('malformed', `${from} asked what nobody answers`)
    else answer(request, from, reply)
  })
  /** As patient as with others: a leader that has lost its quorum answers nobody. */
  const askHere = (request: TopologyRequest, done: Answer): void => {
    let isOpen = true
    const settle: Answer = (value) => {
      if (!isOpen) return
      isOpen = false
      cancel()
      if (!isStopped) done(value)
    }
    const cancel = clock.after(PATIENCE_MS, () => settle(undefined))
    options.answer(request, settle)
  }
  return {
    ask: (to, request, done) => {
      if (to === self) {
        askHere(request, done)
        return
      }
      askWhole({ bus, subject: topologySubject(cluster, to, self), timeoutMs: PATIENCE_MS }, request, (value) => {
        if (!isStopped) done(value)
      })
    },
    counters: () => refusals.counts(),
    stop: () => {
      isStopped = true
      subscription.unsubscribe()
    },
  }
}
