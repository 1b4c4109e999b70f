/**
 * The chart of one connection.
 *
 *   handshaking ──hello──▶ authenticating ──authenticated──▶ open ◀──water marks──▶ throttled
 *        │                       │                             │                        │
 *        └── too late, refused ──┴────────▶ closed ◀── idle ───┴─────── drain ──────────┤
 *                                              ▲                                        ▼
 *                                              └────────── nothing in flight ─────── draining
 *
 * A raw connection (one per node, for requests without a session) is open from the start and never idles out.
 * Hello while open keeps a session alive. What is in flight is answered in every state.
 */

import { setup } from 'xstate'
import { flush, handleReply, handleTick } from './batches.ts'
import {
  CONNECTION_VERSION, acceptRequests, close, isAtHighWater, isBelowLowWater, isHandshakeOverdue, isIdle, isSilentAt, noteHello,
  refuseDraining, refuseThrottled, refuseUnknown,
} from './core.ts'
import type { ConnectionCore, EventOf } from './core.ts'
import type { ConnectionEvent } from './protocol.ts'

interface ConnectionContext {
  readonly core: ConnectionCore
}

interface Arguments {
  readonly context: ConnectionContext
  readonly event: ConnectionEvent
}

/** Hands the core an event of the one type a handler is for. */
const on = <Type extends ConnectionEvent['type']>(type: Type, handle: (core: ConnectionCore, event: EventOf<Type>) => void) =>
  ({ context, event }: Arguments): void => {
    if (event.type === type) handle(context.core, event as EventOf<Type>)
  }

const isHandshakeLate = { guard: 'isHandshakeOverdue', target: 'closed', actions: 'closeLate' } as const

export const connectionMachine = setup({
  types: { context: {} as ConnectionContext, input: {} as ConnectionContext, events: {} as ConnectionEvent },
  guards: {
    isRaw: ({ context }) => context.core.kind === 'raw',
    isKnownVersion: ({ event }) => event.type === 'connection.hello' && event.version === CONNECTION_VERSION,
    isHandshakeOverdue: ({ context, event }) => event.type === 'tick' && isHandshakeOverdue(context.core, event.now),
    isSilent: ({ context, event }) => event.type === 'tick' && isSilentAt(context.core, event.now),
    isAtHighWater: ({ context }) => isAtHighWater(context.core),
    isBelowLowWater: ({ context }) => isBelowLowWater(context.core),
    isIdle: ({ context }) => isIdle(context.core),
  },
  actions: {
    accept: on('connection.requests', acceptRequests),
    refuseThrottled: on('connection.requests', refuseThrottled),
    refuseDraining: on('connection.requests', refuseDraining),
    refuseUnknown: on('connection.requests', refuseUnknown),
    noteHello: on('connection.hello', noteHello),
    flush: on('connection.flush', flush),
    resolve: on('shard.reply', handleReply),
    expire: on('tick', handleTick),
    closeRefused: on('connection.refused', (core, { reason }) => close(core, reason)),
    closeVersion: on('connection.hello', (core, { version }) =>
      close(core, `version ${version} is unknown: this node speaks ${CONNECTION_VERSION}`)),
    closeLate: ({ context }) => close(context.core, 'the handshake took too long'),
    closeSilent: ({ context }) => close(context.core, 'nothing was heard for too long'),
    closeDrained: ({ context }) => close(context.core, 'drained'),
  },
}).createMachine({
  id: 'connection',
  context: ({ input }) => ({ core: input.core }),
  initial: 'handshaking',
  on: {
    'connection.flush': { actions: 'flush' },
    'shard.reply': { actions: 'resolve' },
    tick: { actions: 'expire' },
    'connection.drain': '.draining',
  },
  states: {
    handshaking: {
      always: { guard: 'isRaw', target: 'open' },
      on: {
        'connection.hello': [
          { guard: 'isKnownVersion', target: 'authenticating', actions: 'noteHello' },
          { target: 'closed', actions: 'closeVersion' },
        ],
        'connection.requests': { actions: 'refuseUnknown' },
        tick: isHandshakeLate,
      },
    },
    authenticating: {
      on: {
        'connection.authenticated': 'open',
        'connection.refused': { target: 'closed', actions: 'closeRefused' },
        'connection.requests': { actions: 'refuseUnknown' },
        tick: isHandshakeLate,
      },
    },
    open: {
      on: {
        'connection.requests': [
          { guard: 'isAtHighWater', target: 'throttled', actions: 'refuseThrottled' },
          { actions: 'accept' },
        ],
        'connection.hello': { actions: 'noteHello' },
        tick: [{ guard: 'isSilent', target: 'closed', actions: 'closeSilent' }, { actions: 'expire' }],
      },
    },
    throttled: {
      always: { guard: 'isBelowLowWater', target: 'open' },
      on: {
        'connection.requests': { actions: 'refuseThrottled' },
        'connection.hello': { actions: 'noteHello' },
      },
    },
    draining: {
      always: { guard: 'isIdle', target: 'closed', actions: 'closeDrained' },
      on: {
        'connection.requests': { actions: 'refuseDraining' },
        'connection.drain': {},
      },
    },
    closed: {
      on: {
        'connection.requests': { actions: 'refuseUnknown' },
        'connection.drain': {},
      },
    },
  },
})
