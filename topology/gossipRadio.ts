/**
 * The failure detector on the air: its messages go to `skv.<cluster>.gossip.<to>.<self>` and come from others' over the control connection,
 * which a dead data path does not silence. What is no message of a node is refused and counted.
 *
 * It informs. Whoever composes a node shows what it says, and waits longer for whom it takes for alive (absences.ts); it makes nobody
 * lost and moves no leadership (docs/GUARANTEES.md).
 */

import { createGossip } from '../actors/gossip/actor.ts'
import { createRandom } from '../actors/kernel/random.ts'
import { decodeGossip, encodeGossip } from '../bus/codec/gossip.ts'
import { createRefusalLog } from '../bus/refusalLog.ts'
import { gossipSubject, gossipWildcard, senderOf } from '../bus/subjects.ts'
import { isNodeId } from './ids.ts'
import type { GossipConfig } from '../actors/gossip/config.ts'
import type { GossipMessage } from '../actors/gossip/protocol.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { Logger } from '../actors/kernel/log.ts'
import type { Recorder } from '../actors/kernel/recorder.ts'
import type { Tick } from '../actors/kernel/ticker.ts'
import type { Bus } from '../bus/port.ts'
import type { BootId, ClusterId, NodeId } from './ids.ts'
import type { GossipReport } from './report.ts'

export interface GossipRadio {
  readonly onTick: (tick: Tick) => void
  /** This node drains: the others are told. */
  readonly leave: () => void
  readonly report: () => GossipReport
  /** Whom it takes for alive: also the suspect, who may refute it yet. */
  readonly present: () => ReadonlySet<NodeId>
  /** Messages sent, and those refused by reason. */
  readonly counters: () => Readonly<Record<string, number>>
  readonly stop: () => void
}

export interface GossipRadioOptions {
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  readonly cluster: ClusterId
  readonly self: NodeId
  readonly boot: BootId
  readonly tickMs: number
  readonly config?: Partial<GossipConfig>
  /** Whom the cluster map names now; asked on each tick. The same list as long as nothing changed costs nothing. */
  readonly members: () => readonly NodeId[]
  readonly onFailure: (error: unknown) => void
}

export const createGossipRadio = (options: GossipRadioOptions): GossipRadio => {
  const { bus, clock, log, cluster, self, members } = options
  const refusals = createRefusalLog(clock, log, 'a gossip message was refused')
  let sent = 0
  let unsent = 0
  const transmit = (to: NodeId, message: GossipMessage): void => {
    if (bus.publish(gossipSubject(cluster, to, self), encodeGossip(message)) === 'sent') sent += 1
    else unsent += 1
  }
  const { recorder } = options
  const gossip = createGossip({
    self, log, recorder, random: createRandom(seedOf(options.boot)),
    config: { ...options.config, tickMs: options.tickMs },
    send: transmit, onFailure: options.onFailure,
  })
  const subscription = bus.subscribe(gossipWildcard(cluster, self), (inbound) => {
    const from = senderOf(inbound.subject)
    const message = decodeGossip(inbound.data)
    if (!isNodeId(from) || from === self) refusals.note('sender', 'its subject does not end in another node\'s name')
    else if (message === null) refusals.note('malformed', `${from} sent what is no gossip message`)
    else gossip.send({ ...message, from })
  })
  return {
    onTick: ({ ticks }) => gossip.send({ type: 'tick', ticks, isConnected: bus.status().connected, members: members() }),
    leave: () => gossip.send({ type: 'gossip.leave' }),
    report: () => {
      const { state, incarnation, health, peers } = gossip.status()
      return { state, incarnation, health, peers }
    },
    present: () => new Set(gossip.status().peers.filter(({ state }) => state === 'alive' || state === 'suspect').map(({ node }) => node)),
    counters: () => ({
      'gossip.sent': sent, 'gossip.unsent': unsent,
      ...Object.fromEntries(Object.entries(refusals.counts()).map(([reason, count]) => [`gossip.refused.${reason}`, count])),
    }),
    stop: () => {
      subscription.unsubscribe()
      gossip.stop()
    },
  }
}

/** A generator of its own, so that a draw here shifts nobody else's: a boot id is drawn anew for every life. */
const seedOf = (boot: BootId): number => Number.parseInt(boot.slice(0, 13), 16)
