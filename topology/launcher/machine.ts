/**
 * The phases of `shardkv start`.
 *
 *   starting.broker ──▶ starting.nodes ──▶ ready
 *        │ hopeless           │ hopeless     │ stop
 *        ▼                    ▼              ▼
 *   draining.nodes ──all gone──▶ draining.broker ──gone──▶ stopped
 *
 * Nodes drain before the broker stops, since handing leadership over travels through it. A second stop kills whatever is left.
 * Which process is restarted and when is the core's business (supervision.ts), in every phase alike.
 */

import { setup } from 'xstate'
import {
  beginStop, giveUp, handleExited, handleReady, handleTick, isGone, isHopeless, isUp, killAll, startAll, stopAll,
} from './supervision.ts'
import type { Supervision } from './supervision.ts'
import type { SupervisorEvent } from './protocol.ts'

export interface SupervisorContext {
  readonly core: Supervision
  now: number
}

export const supervisorMachine = setup({
  types: { context: {} as SupervisorContext, input: {} as { readonly core: Supervision }, events: {} as SupervisorEvent },
  guards: {
    isHopeless: ({ context }) => isHopeless(context.core),
    isBrokerUp: ({ context }) => isUp(context.core, 'broker') && !isHopeless(context.core),
    areNodesUp: ({ context }) => isUp(context.core, 'node') && !isHopeless(context.core),
    areNodesGone: ({ context }) => isGone(context.core, 'node'),
    isBrokerGone: ({ context }) => isGone(context.core, 'broker'),
  },
  actions: {
    startBroker: ({ context }) => startAll(context.core, 'broker'),
    startNodes: ({ context }) => startAll(context.core, 'node'),
    announce: ({ context }) => { context.core.effects.push({ type: 'supervisor.announce' }) },
    giveUp: ({ context }) => giveUp(context.core),
    beginStop: ({ context }) => beginStop(context.core),
    stopNodes: ({ context }) => stopAll(context.core, 'node', context.now),
    stopBroker: ({ context }) => stopAll(context.core, 'broker', context.now),
    killAll: ({ context }) => killAll(context.core),
    exit: ({ context }) => { context.core.effects.push({ type: 'supervisor.exit', code: context.core.exitCode }) },
    noteTime: ({ context, event }) => { if ('now' in event) context.now = event.now },
    tick: ({ context, event }) => { if (event.type === 'tick') handleTick(context.core, event.now) },
    noteReady: ({ context, event }) => { if (event.type === 'supervisor.ready') handleReady(context.core, event) },
    noteExit: ({ context, event }) => { if (event.type === 'supervisor.exited') handleExited(context.core, event) },
  },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => ({ core: input.core, now: 0 }),
  initial: 'starting',
  on: {
    tick: { actions: ['noteTime', 'tick'] },
    'supervisor.ready': { actions: ['noteTime', 'noteReady'] },
    'supervisor.exited': { actions: ['noteTime', 'noteExit'] },
    'supervisor.stop': { target: '.draining', actions: 'noteTime' },
  },
  states: {
    starting: {
      initial: 'broker',
      always: { guard: 'isHopeless', target: 'draining', actions: 'giveUp' },
      states: {
        broker: { entry: 'startBroker', always: { guard: 'isBrokerUp', target: 'nodes' } },
        nodes: { entry: 'startNodes', always: { guard: 'areNodesUp', target: '#supervisor.ready' } },
      },
    },
    ready: { entry: 'announce' },
    draining: {
      entry: 'beginStop',
      initial: 'nodes',
      on: { 'supervisor.stop': { actions: 'killAll' } },
      states: {
        nodes: { entry: 'stopNodes', always: { guard: 'areNodesGone', target: 'broker' } },
        broker: { entry: 'stopBroker', always: { guard: 'isBrokerGone', target: '#supervisor.stopped' } },
      },
    },
    stopped: { type: 'final', entry: 'exit' },
  },
})
