/**
 * The chart of one shard replica.
 *
 *   recovering ──role known──▶ following ◀──────────▶ leading
 *       ▲                        │                     settling ──own no-op applied──▶ serving ◀─────────────┐
 *       └── a snapshot arrives ──┘                                                   hand │     given up,      │
 *                                                                                    over ▼     or aborted     │
 *                                              handingOver: draining ──slot drained──▶ finishing ──▶ quiet ────┤
 *                                                              └───────────── at once ─────────────────▲       │
 *                                                                                                      └───────┘
 *   from every state: removed, when the Raft member has halted
 *
 * recovering   the state is being loaded, or no role is known yet: nothing is answered from it
 * following    applies what commits; answers stale reads only
 * settling     leads, but must not serve: entries of earlier terms may be unapplied (thesis 6.4)
 * serving      takes reads and writes in; its slot is subscribed
 * draining     the leadership is to move: takes in what the broker had sent to the slot, which is asked for nothing new
 * finishing    takes nothing new; what was taken is answered
 * quiet        nothing waits; Raft may hand the leadership over, and its end is a change of role like any other
 * removed      takes no more part, and its state is not to be trusted
 *
 * What a state does with a request is one line; how is in requests.ts. Source: docs/SUBJECTS.md, "Who answers".
 */

import { setup } from 'xstate'
import {
  handleCommitted, handleRestoreChunk, handleRestored, handleRestoring, handleSnapshotFailed, handleSnapshotLost, handleSnapshotWanted,
  handleSnapshotWritten, handleTick,
} from './commits.ts'
import { flush, handleProposalRefused, handleProposed, handleReadReady, handleReadRefused } from './flush.ts'
import {
  announceQuiet, drainSlot, handleRoleChanged, isNewestDrain, isQuiet, isSameLeadership, mayServe, serve, startClock, stopServing,
} from './leadership.ts'
import { acceptRequest, refuseRequest, refuseWithoutState } from './requests.ts'
import { leads } from './core.ts'
import type { ShardCore } from './core.ts'
import type { ShardEvent } from './protocol.ts'

interface ShardContext {
  readonly core: ShardCore
}

interface Arguments {
  readonly context: ShardContext
  readonly event: ShardEvent
}

type EventOf<Type extends ShardEvent['type']> = Extract<ShardEvent, { type: Type }>

/** Hands the core an event of the one type a handler is for. */
const on = <Type extends ShardEvent['type']>(type: Type, handle: (core: ShardCore, event: EventOf<Type>) => void) =>
  ({ context, event }: Arguments): void => {
    if (event.type === type) handle(context.core, event as EventOf<Type>)
  }

const noteFull = (core: ShardCore, { full }: EventOf<'wal.spaceChanged'>): void => {
  core.isDiskFull = full
}

const noteMemory = (core: ShardCore, { shortage }: EventOf<'memory.spaceChanged'>): void => {
  core.memoryShortage = shortage
}

export const shardMachine = setup({
  types: { context: {} as ShardContext, input: {} as { readonly core: ShardCore }, events: {} as ShardEvent },
  guards: {
    isHalted: ({ event }) => event.type === 'raft.roleChanged' && event.role === 'halted',
    becomesLeader: ({ event }) => event.type === 'raft.roleChanged' && event.role === 'leader',
    isSameLeadership: ({ context, event }) => event.type === 'raft.roleChanged' && isSameLeadership(context.core, event),
    isReadyToLead: ({ context: { core } }) => core.restore === null && core.role === 'leader',
    isReadyToFollow: ({ context: { core } }) => core.restore === null && core.role !== 'unknown',
    mayServe: ({ context }) => mayServe(context.core),
    isNewestDrain: ({ context, event }) => event.type === 'shard.slotDrained' && isNewestDrain(context.core, event),
    isOwnTransfer: ({ context, event }) => event.type === 'raft.transferAborted' && leads(context.core, event.term),
    isQuiet: ({ context }) => isQuiet(context.core),
  },
  actions: {
    accept: on('shard.request', acceptRequest),
    refuse: on('shard.request', refuseRequest),
    refuseWithoutState: on('shard.request', refuseWithoutState),
    flush: on('shard.flush', flush),
    tick: on('tick', handleTick),
    apply: on('raft.committed', handleCommitted),
    noteRole: on('raft.roleChanged', handleRoleChanged),
    noteProposed: on('raft.proposed', handleProposed),
    noteProposalRefused: on('raft.proposalRefused', handleProposalRefused),
    answerReads: on('raft.readReady', handleReadReady),
    refuseReads: on('raft.readRefused', handleReadRefused),
    noteSpace: on('wal.spaceChanged', noteFull),
    noteMemory: on('memory.spaceChanged', noteMemory),
    maybeSnapshot: on('shard.snapshotWanted', handleSnapshotWanted),
    replaceSnapshot: on('shard.snapshotLost', handleSnapshotLost),
    noteSnapshot: on('shard.snapshotWritten', handleSnapshotWritten),
    noteSnapshotFailed: on('shard.snapshotFailed', handleSnapshotFailed),
    restoring: on('shard.restoring', handleRestoring),
    restoreChunk: on('shard.restoreChunk', handleRestoreChunk),
    restored: on('shard.restored', handleRestored),
    startClock: ({ context }) => startClock(context.core),
    serve: ({ context }) => serve(context.core),
    drainSlot: ({ context }) => drainSlot(context.core),
    stopServing: ({ context }) => stopServing(context.core),
    announceQuiet: ({ context }) => announceQuiet(context.core),
  },
}).createMachine({
  id: 'shard',
  context: ({ input }) => ({ core: input.core }),
  initial: 'recovering',
  on: {
    tick: { actions: 'tick' },
    'shard.flush': { actions: 'flush' },
    'raft.committed': { actions: 'apply' },
    'raft.roleChanged': [
      { guard: 'isHalted', target: '.removed', actions: 'noteRole' },
      { guard: 'becomesLeader', target: '.leading', actions: 'noteRole' },
      { target: '.following', actions: 'noteRole' },
    ],
    'raft.proposed': { actions: 'noteProposed' },
    'raft.proposalRefused': { actions: 'noteProposalRefused' },
    'raft.readReady': { actions: 'answerReads' },
    'raft.readRefused': { actions: 'refuseReads' },
    'wal.spaceChanged': { actions: 'noteSpace' },
    'memory.spaceChanged': { actions: 'noteMemory' },
    'shard.snapshotWanted': { actions: 'maybeSnapshot' },
    'shard.snapshotLost': { actions: 'replaceSnapshot' },
    'shard.snapshotWritten': { actions: 'noteSnapshot' },
    'shard.snapshotFailed': { actions: 'noteSnapshotFailed' },
    'shard.restoring': { target: '.recovering', actions: 'restoring' },
  },
  states: {
    recovering: {
      on: {
        'shard.request': { actions: 'refuseWithoutState' },
        'shard.restoreChunk': { actions: 'restoreChunk' },
        'shard.restored': { actions: 'restored' },
        'raft.roleChanged': [
          { guard: 'isHalted', target: 'removed', actions: 'noteRole' },
          { actions: 'noteRole' },
        ],
      },
      always: [
        { guard: 'isReadyToLead', target: 'leading' },
        { guard: 'isReadyToFollow', target: 'following' },
      ],
    },
    following: {
      on: { 'shard.request': { actions: 'refuse' } },
    },
    leading: {
      initial: 'settling',
      on: { 'raft.roleChanged': { guard: 'isSameLeadership', actions: 'noteRole' } },
      states: {
        settling: {
          on: { 'shard.request': { actions: 'refuse' } },
          always: { guard: 'mayServe', target: 'serving', actions: 'startClock' },
        },
        serving: {
          entry: 'serve',
          on: {
            'shard.request': { actions: 'accept' },
            'shard.handOver': 'handingOver',
          },
        },
        handingOver: {
          initial: 'draining',
          on: {
            'shard.handOverNow': '.quiet',
            'shard.serveAgain': 'serving',
            'raft.transferAborted': { guard: 'isOwnTransfer', target: 'serving' },
          },
          states: {
            draining: {
              entry: 'drainSlot',
              on: {
                'shard.request': { actions: 'accept' },
                'shard.slotDrained': { guard: 'isNewestDrain', target: 'finishing' },
              },
            },
            finishing: {
              entry: 'stopServing',
              on: { 'shard.request': { actions: 'refuse' } },
              always: { guard: 'isQuiet', target: 'quiet' },
            },
            quiet: {
              entry: ['stopServing', 'announceQuiet'],
              on: { 'shard.request': { actions: 'refuse' } },
            },
          },
        },
      },
    },
    removed: {
      on: {
        'shard.request': { actions: 'refuseWithoutState' },
        'raft.roleChanged': { actions: 'noteRole' },
        'shard.restoring': { actions: 'restoring' },
        'shard.restoreChunk': { actions: 'restoreChunk' },
        'shard.restored': { actions: 'restored' },
      },
    },
  },
})
