/**
 * The chart of one replica of the meta group.
 *
 *   recovering ──state loaded, role known──▶ following ◀────────────▶ leading
 *       ▲                                        │                     settling ──own no-op applied──▶ watching ◀──▶ moving
 *       └────────── a snapshot arrives ──────────┘                                                        ▲  pause / resume ▲
 *                                                                                                         └──▶ paused ◀─────┘
 *   from every state: removed, when the Raft member has halted
 *
 * recovering   the state is being loaded
 * following    applies what commits: the node learns the map from it
 * settling     leads, but may not have applied what was decided before
 * watching     looks for a difference between where replicas are and where they should be, and begins moves (conduct.ts)
 * moving       moves are under way: orders their groups, and takes each step that the answers allow
 * paused       begins nothing by itself; moves under way go on
 * removed      takes no more part
 *
 * It is told what a shard is told by its Raft member, in the same words. Sources: DESIGN 6.
 */

import { setup } from 'xstate'
import { handleLost, handleReported, handleTick, isMoving, isPaused } from './conduct.ts'
import {
  handleCommitted, handlePropose, handleProposalRefused, handleProposed, handleRestoreChunk, handleRestored, handleRoleChanged,
  handleSnapshotFailed, handleSnapshotWanted, handleSnapshotWritten, isLeading,
} from './core.ts'
import type { TopologyCore } from './core.ts'
import type { TopologyEvent } from './protocol.ts'

interface TopologyContext {
  readonly core: TopologyCore
}

interface Arguments {
  readonly context: TopologyContext
  readonly event: TopologyEvent
}

type EventOf<Type extends TopologyEvent['type']> = Extract<TopologyEvent, { readonly type: Type }>

const on = <Type extends TopologyEvent['type']>(type: Type, handle: (core: TopologyCore, event: EventOf<Type>) => void) =>
  ({ context, event }: Arguments): void => {
    if (event.type === type) handle(context.core, event as EventOf<Type>)
  }

export const topologyMachine = setup({
  types: { context: {} as TopologyContext, input: {} as { readonly core: TopologyCore }, events: {} as TopologyEvent },
  guards: {
    isHalted: ({ event }) => event.type === 'raft.roleChanged' && event.role === 'halted',
    becomesLeader: ({ event }) => event.type === 'raft.roleChanged' && event.role === 'leader',
    isSameLeadership: ({ context: { core }, event }) =>
      event.type === 'raft.roleChanged' && event.role === 'leader' && core.role === 'leader' && event.term === core.term,
    isLoaded: ({ context: { core } }) => core.restore === null,
    isLeading: ({ context: { core } }) => isLeading(core),
    isPaused: ({ context: { core } }) => isPaused(core),
    isMoving: ({ context: { core } }) => !isPaused(core) && isMoving(core),
    isAtRest: ({ context: { core } }) => !isPaused(core) && !isMoving(core),
  },
  actions: {
    noteRole: on('raft.roleChanged', handleRoleChanged),
    apply: on('raft.committed', handleCommitted),
    propose: on('topology.propose', handlePropose),
    noteProposed: on('raft.proposed', handleProposed),
    noteRefused: on('raft.proposalRefused', handleProposalRefused),
    tick: on('tick', handleTick),
    noteReport: on('topology.reported', handleReported),
    noteLost: on('topology.lost', handleLost),
    maybeSnapshot: on('shard.snapshotWanted', handleSnapshotWanted),
    noteSnapshot: on('shard.snapshotWritten', handleSnapshotWritten),
    noteSnapshotFailed: on('shard.snapshotFailed', handleSnapshotFailed),
    restoreChunk: on('shard.restoreChunk', handleRestoreChunk),
    restored: on('shard.restored', handleRestored),
  },
}).createMachine({
  id: 'topology',
  context: ({ input }) => ({ core: input.core }),
  initial: 'following',
  on: {
    tick: { actions: 'tick' },
    'raft.roleChanged': [
      { guard: 'isHalted', target: '.removed', actions: 'noteRole' },
      { guard: 'becomesLeader', target: '.leading', actions: 'noteRole' },
      { target: '.following', actions: 'noteRole' },
    ],
    'raft.committed': { actions: 'apply' },
    'raft.proposed': { actions: 'noteProposed' },
    'raft.proposalRefused': { actions: 'noteRefused' },
    'topology.propose': { actions: 'propose' },
    'topology.reported': { actions: 'noteReport' },
    'topology.lost': { actions: 'noteLost' },
    'shard.snapshotWanted': { actions: 'maybeSnapshot' },
    'shard.snapshotWritten': { actions: 'noteSnapshot' },
    'shard.snapshotFailed': { actions: 'noteSnapshotFailed' },
    'shard.restoreChunk': { target: '.recovering', actions: 'restoreChunk' },
  },
  states: {
    recovering: {
      on: {
        'shard.restoreChunk': { actions: 'restoreChunk' },
        'shard.restored': { actions: 'restored' },
        'raft.roleChanged': [
          { guard: 'isHalted', target: 'removed', actions: 'noteRole' },
          { actions: 'noteRole' },
        ],
      },
      always: { guard: 'isLoaded', target: 'following' },
    },
    following: {
      // A member that had to load its state first may lead by the time that is done.
      always: { guard: 'isLeading', target: 'leading' },
    },
    leading: {
      initial: 'settling',
      on: { 'raft.roleChanged': { guard: 'isSameLeadership', actions: 'noteRole' } },
      states: {
        settling: { always: { guard: 'isLeading', target: 'watching' } },
        watching: {
          always: [
            { guard: 'isPaused', target: 'paused' },
            { guard: 'isMoving', target: 'moving' },
          ],
        },
        moving: {
          always: [
            { guard: 'isPaused', target: 'paused' },
            { guard: 'isAtRest', target: 'watching' },
          ],
        },
        paused: {
          always: [
            { guard: 'isMoving', target: 'moving' },
            { guard: 'isAtRest', target: 'watching' },
          ],
        },
      },
    },
    removed: {
      on: {
        'raft.roleChanged': { actions: 'noteRole' },
        'shard.restoreChunk': { actions: 'restoreChunk' },
        'shard.restored': { actions: 'restored' },
      },
    },
  },
})
