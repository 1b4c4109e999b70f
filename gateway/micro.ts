/**
 * The node as a NATS micro service, so that `nats micro ls|info|stats|ping` shows it (the protocol: NATS ADR-32). Every node is one
 * instance of the service `shardkv`; its endpoints are the operations on one key, counted where a shard has answered them, and the SDK's
 * batch door.
 *
 *   $SRV.<PING|INFO|STATS>                  every instance of every service
 *   $SRV.<verb>.shardkv                     every node
 *   $SRV.<verb>.shardkv.<node>-<cluster>    one
 *
 * It only tells. Requests come by the subjects of gateway/nats.ts, so the queue groups named here are those, or none where the broker
 * routes to a leader. Answers go only under the inbox prefix (docs/TESTING.md T22), and while there is room for them.
 */

import { hasAnswerRoom } from '../bus/answerRoom.ts'
import { SERVICE_VERBS, isClientReplyAllowed, serviceSubjects } from '../bus/subjects.ts'
import type { ServiceVerb } from '../bus/subjects.ts'
import type { Bus, Subscription } from '../bus/port.ts'
import type { ClusterId, NodeId } from '../topology/ids.ts'

const NAME = 'shardkv'
const DESCRIPTION = 'Linearizable, durable, sharded key-value database'
const NANOS_PER_MS = 1_000_000

/** What one endpoint has done since the node started. */
export interface EndpointStats {
  /** `get`, or `batch`. */
  readonly name: string
  readonly subject: string
  readonly queueGroup: string
  readonly requests: number
  readonly errors: number
  readonly tookMs: number
}

export interface MicroOptions {
  readonly bus: Bus
  readonly inboxPrefix: string
  readonly cluster: ClusterId
  readonly self: NodeId
  readonly prefix: string
  readonly shardCount: number
  /** Semantic, as the protocol asks. */
  readonly version: string
  readonly startedAtMs: number
  readonly endpoints: () => readonly EndpointStats[]
}

export interface Micro {
  readonly open: () => void
  readonly close: () => void
}

export const createMicro = (options: MicroOptions): Micro => {
  const { bus, inboxPrefix } = options
  const id = `${options.self}-${options.cluster}`
  const encoder = new TextEncoder()
  let subscriptions: readonly Subscription[] = []
  const answer = (verb: ServiceVerb, reply: string): void => {
    if (!isClientReplyAllowed(reply, inboxPrefix) || !hasAnswerRoom(bus)) return
    bus.publish(reply, encoder.encode(JSON.stringify(answers[verb](options, id))))
  }
  return {
    open: () => {
      subscriptions = SERVICE_VERBS.flatMap((verb) => serviceSubjects(verb, NAME, id)
        .map((subject) => bus.subscribe(subject, ({ reply }) => answer(verb, reply))))
    },
    close: () => {
      for (const subscription of subscriptions) subscription.unsubscribe()
      subscriptions = []
    },
  }
}

const identity = (type: string, options: MicroOptions, id: string): object => ({
  type: `io.nats.micro.v1.${type}_response`,
  name: NAME,
  id,
  version: options.version,
  metadata: {
    cluster: options.cluster,
    node: options.self,
    prefix: options.prefix,
    shards: String(options.shardCount),
    help: `${options.prefix}.help`,
  },
})

const answers: Readonly<Record<ServiceVerb, (options: MicroOptions, id: string) => object>> = {
  PING: (options, id) => identity('ping', options, id),
  INFO: (options, id) => ({
    ...identity('info', options, id),
    description: DESCRIPTION,
    endpoints: options.endpoints().map(({ name, subject, queueGroup }) =>
      ({ name, subject, queue_group: queueGroup, metadata: null })),
  }),
  STATS: (options, id) => ({
    ...identity('stats', options, id),
    started: new Date(options.startedAtMs).toISOString(),
    endpoints: options.endpoints().map(statsOf),
  }),
}

/** Times are whole nanoseconds. */
const statsOf = ({ name, subject, queueGroup, requests, errors, tookMs }: EndpointStats): object => {
  const nanos = Math.round(tookMs * NANOS_PER_MS)
  return {
    name,
    subject,
    queue_group: queueGroup,
    num_requests: requests,
    num_errors: errors,
    last_error: '',
    processing_time: nanos,
    average_processing_time: requests === 0 ? 0 : Math.round(nanos / requests),
  }
}
