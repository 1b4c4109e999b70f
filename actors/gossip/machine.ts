/**
 * The chart of a node's failure detector.
 *
 *   joining ──a peer answered, nobody is there to ask, or nobody answered in time──▶ running ──▶ leaving
 *      └──────────────────────────────── the node drains ────────────────────────────────────────▶
 *
 * In every state the node answers for itself and for others. Joining, it asks whom it knows what is believed, and accuses nobody. Running,
 * it probes, suspects and condemns. Leaving, it says so, and accuses nobody any more. Peers are rows of the core, with a
 * life of their own (verdicts.ts):
 *
 *   alive ──a probe failed──▶ suspect ──no refutation in time──▶ dead         left ◀──it said so── alive, suspect, dead
 *     ▲                          │                                │            │
 *     └──────────────── a higher incarnation, which only the node itself can claim
 *
 * Invariant: no verdict leaves this folder but as a report (gossip informs, only Raft decides).
 * Sources: Das, Gupta, Motivala, "SWIM" (2002); Dadgar, Phillips, Currey, "Lifeguard" (2018); hashicorp/memberlist. Departures: a
 * total order of claims; members come from the cluster map alone; time stands still while this node itself is cut off.
 */

import { setup } from 'xstate'
import { isJoinOverdue } from './exchange.ts'
import {
  becomeLeaving, becomeRunning, handleAck, handleExchange, handleNack, handleNews, handlePing, handlePingRequest,
  handleTickAsJoining, handleTickAsLeaving, handleTickAsRunning, isAlone, isAnswer,
} from './handlers.ts'
import type { EventOf } from './handlers.ts'
import type { GossipEvent } from './protocol.ts'
import type { GossipCore } from './state.ts'

interface GossipContext {
  readonly core: GossipCore
}

interface Arguments {
  readonly context: GossipContext
  readonly event: GossipEvent
}

const on = <Type extends GossipEvent['type']>(type: Type, handle: (core: GossipCore, event: EventOf<Type>) => void) =>
  ({ context: { core }, event }: Arguments): void => {
    if (event.type === type) handle(core, event as EventOf<Type>)
  }

const when = <Type extends GossipEvent['type']>(type: Type, holds: (core: GossipCore, event: EventOf<Type>) => boolean) =>
  ({ context: { core }, event }: Arguments): boolean => event.type === type && holds(core, event as EventOf<Type>)

export const gossipMachine = setup({
  types: { context: {} as GossipContext, input: {} as GossipContext, events: {} as GossipEvent },
  guards: {
    isAlone: when('tick', isAlone),
    isJoinOverdue: ({ context: { core } }) => isJoinOverdue(core),
    isAnswer: when('gossip.exchange', isAnswer),
  },
  actions: {
    answerPing: on('gossip.ping', handlePing),
    helpToProbe: on('gossip.pingRequest', handlePingRequest),
    takeAck: on('gossip.ack', handleAck),
    takeNack: on('gossip.nack', handleNack),
    takeNews: on('gossip.news', handleNews),
    exchange: on('gossip.exchange', handleExchange),
    askToJoin: on('tick', handleTickAsJoining),
    probe: on('tick', handleTickAsRunning),
    spreadLast: on('tick', handleTickAsLeaving),
    becomeRunning: ({ context: { core } }) => becomeRunning(core),
    becomeLeaving: ({ context: { core } }) => becomeLeaving(core),
  },
}).createMachine({
  id: 'gossip',
  context: ({ input }) => ({ core: input.core }),
  initial: 'joining',
  on: {
    'gossip.ping': { actions: 'answerPing' },
    'gossip.pingRequest': { actions: 'helpToProbe' },
    'gossip.ack': { actions: 'takeAck' },
    'gossip.news': { actions: 'takeNews' },
    'gossip.exchange': { actions: 'exchange' },
  },
  states: {
    joining: {
      on: {
        'gossip.exchange': [{ guard: 'isAnswer', target: 'running', actions: 'exchange' }, { actions: 'exchange' }],
        'gossip.leave': 'leaving',
        tick: [
          { guard: 'isAlone', target: 'running', actions: 'askToJoin' },
          { guard: 'isJoinOverdue', target: 'running', actions: 'askToJoin' },
          { actions: 'askToJoin' },
        ],
      },
    },
    running: {
      entry: 'becomeRunning',
      on: {
        'gossip.nack': { actions: 'takeNack' },
        'gossip.leave': 'leaving',
        tick: { actions: 'probe' },
      },
    },
    leaving: {
      entry: 'becomeLeaving',
      on: { tick: { actions: 'spreadLast' } },
    },
  },
})
