/**
 * The life of one node process.
 *
 *   booting ──identity clear──▶ recovering ──replicas opened──▶ joining ──▶ serving
 *      │                            │                              │           │ drain
 *      └────────── failed ◀─────────┴──────────────────────────────┘        draining
 *                     ▲                                                    handingOver ─▶ closing ─▶ stopped
 *                     └──── from every state: any actor's failure ends the process (fail-stop)
 *
 * A drain that arrives before the node serves closes what is open and stops. The chart decides only the order; the composition
 * root performs each step and reports back.
 */

import { setup } from 'xstate'
import type { NodeEffect, NodeEvent } from './protocol.ts'

export interface NodeContext {
  readonly effects: NodeEffect[]
}

export const nodeMachine = setup({
  types: { context: {} as NodeContext, input: {} as NodeContext, events: {} as NodeEvent },
  actions: {
    checkIdentity: ({ context }) => { context.effects.push({ type: 'node.checkIdentity' }) },
    openReplicas: ({ context }) => { context.effects.push({ type: 'node.openReplicas' }) },
    join: ({ context }) => { context.effects.push({ type: 'node.join' }) },
    serve: ({ context }) => { context.effects.push({ type: 'node.serve' }) },
    handOver: ({ context }) => { context.effects.push({ type: 'node.handOver' }) },
    closeLog: ({ context }) => { context.effects.push({ type: 'node.closeLog' }) },
    exitCleanly: ({ context }) => { context.effects.push({ type: 'node.exit', code: 0, reason: 'drained' }) },
    exitFailed: ({ context, event }) => {
      if (event.type !== 'node.failed') return
      context.effects.push({ type: 'node.exit', code: event.code, reason: event.reason })
    },
  },
}).createMachine({
  id: 'node',
  context: ({ input }) => ({ effects: input.effects }),
  initial: 'booting',
  on: { 'node.failed': { target: '.failed' } },
  states: {
    booting: {
      entry: 'checkIdentity',
      on: { 'node.identityClear': 'recovering', 'node.drain': 'stopped' },
    },
    recovering: {
      entry: 'openReplicas',
      on: { 'node.replicasOpened': 'joining', 'node.drain': 'draining.closing' },
    },
    joining: {
      entry: 'join',
      on: { 'node.joined': 'serving', 'node.drain': 'draining.closing' },
    },
    serving: {
      entry: 'serve',
      on: { 'node.drain': 'draining.handingOver' },
    },
    draining: {
      initial: 'handingOver',
      states: {
        handingOver: { entry: 'handOver', on: { 'node.handedOver': 'closing' } },
        closing: { entry: 'closeLog', on: { 'node.logClosed': '#node.stopped' } },
      },
    },
    stopped: { type: 'final', entry: 'exitCleanly' },
    failed: { type: 'final', entry: 'exitFailed' },
  },
})
