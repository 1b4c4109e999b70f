/**
 * The chart of the topology actor, one per member of the meta group.
 *
 *   following ──leads, and its state is complete──▶ leading ──leads no more──▶ following
 *
 *   leading: watching ◀──▶ planning ◀──▶ moving        from each: paused, and back
 *
 * following   applies what commits; answers every question with who leads
 * watching    leads; everything is where it should be
 * planning    leads; something is to begin, to be cancelled, or to be preferred: one command at a time
 * moving      leads; moves are under way, and no more may begin now
 * paused      leads; nothing begins by itself. Moves that are under way go on to their end
 *
 * In all of `leading` orders are sent and answers are taken. The four states say what the leader is about, and are derived from the
 * applied state: no event sets one.
 */

import { setup } from 'xstate'
import {
  handleCommitted, handleRestoreChunk, handleRestored, handleRestoring, handleSnapshotFailed, handleSnapshotLost, handleSnapshotWanted,
  handleSnapshotWritten, maybeSnapshot,
} from './commits.ts'
import { mayLead } from './core.ts'
import { noteFigures } from './loads.ts'
import { activityOf, becomeLeader, handleReport, handleTick, think } from './leading.ts'
import {
  acceptCommand, acceptRead, handleProposalRefused, handleProposed, handleReadReady, handleReadRefused, handleRoleChanged, refuseAsk,
} from './requests.ts'
import type { TopologyCore } from './core.ts'
import type { TopologyEvent } from './protocol.ts'

interface TopologyContext {
  readonly core: TopologyCore
}

interface Arguments {
  readonly context: TopologyContext
  readonly event: TopologyEvent
}

type EventOf<Type extends TopologyEvent['type']> = Extract<TopologyEvent, { type: Type }>

/** Hands the core an event of the one type a handler is for. */
const on = <Type extends TopologyEvent['type']>(type: Type, handle: (core: TopologyCore, event: EventOf<Type>) => void) =>
  ({ context, event }: Arguments): void => {
    if (event.type === type) handle(context.core, event as EventOf<Type>)
  }

const noteTime = (core: TopologyCore, { now, wallMs }: EventOf<'tick'>): void => {
  core.now = now
  core.wallMs = wallMs
  maybeSnapshot(core)
}

const noteLost = (core: TopologyCore, { nodes }: EventOf<'topology.lost'>): void => {
  core.lost = [...nodes].sort()
}

const noteLevels = (core: TopologyCore, { told }: EventOf<'topology.levels'>): void => {
  core.told = told
}

const noteDamaged = (core: TopologyCore, { replicas }: EventOf<'topology.damaged'>): void => {
  core.damaged = [...replicas]
}

const watching = { guard: 'isWatching', target: 'watching' } as const
const planning = { guard: 'isPlanning', target: 'planning' } as const
const moving = { guard: 'isMoving', target: 'moving' } as const
const paused = { guard: 'isPaused', target: 'paused' } as const

export const topologyMachine = setup({
  types: { context: {} as TopologyContext, input: {} as { readonly core: TopologyCore }, events: {} as TopologyEvent },
  guards: {
    mayLead: ({ context }) => mayLead(context.core),
    leadsNoMore: ({ context }) => !mayLead(context.core),
    isWatching: ({ context }) => activityOf(context.core) === 'watching',
    isPlanning: ({ context }) => activityOf(context.core) === 'planning',
    isMoving: ({ context }) => activityOf(context.core) === 'moving',
    isPaused: ({ context }) => activityOf(context.core) === 'paused',
  },
  actions: {
    apply: on('raft.committed', handleCommitted),
    noteRole: on('raft.roleChanged', handleRoleChanged),
    noteProposed: on('raft.proposed', handleProposed),
    noteProposalRefused: on('raft.proposalRefused', handleProposalRefused),
    answerRead: on('raft.readReady', handleReadReady),
    refuseRead: on('raft.readRefused', handleReadRefused),
    noteTime: on('tick', noteTime),
    noteLost: on('topology.lost', noteLost),
    noteLevels: on('topology.levels', noteLevels),
    noteDamaged: on('topology.damaged', noteDamaged),
    maybeSnapshot: on('shard.snapshotWanted', handleSnapshotWanted),
    replaceSnapshot: on('shard.snapshotLost', handleSnapshotLost),
    noteSnapshot: on('shard.snapshotWritten', handleSnapshotWritten),
    noteSnapshotFailed: on('shard.snapshotFailed', handleSnapshotFailed),
    restoring: on('shard.restoring', handleRestoring),
    restoreChunk: on('shard.restoreChunk', handleRestoreChunk),
    restored: on('shard.restored', handleRestored),
    acceptRead: on('meta.read', acceptRead),
    acceptCommand: on('meta.propose', acceptCommand),
    refuseReading: on('meta.read', refuseAsk),
    refuseCommand: on('meta.propose', refuseAsk),
    noteFigures: on('topology.figures', (core, { figures }) => noteFigures(core.loads, figures, core.now)),
    noteReport: on('shard.configured', handleReport),
    becomeLeader: ({ context }) => becomeLeader(context.core),
    drive: ({ context }) => handleTick(context.core),
    think: ({ context }) => think(context.core, 0),
    beQuiet: ({ context }) => { context.core.effects.push({ type: 'topology.quiet' }) },
  },
}).createMachine({
  id: 'topology',
  context: ({ input }) => ({ core: input.core }),
  initial: 'following',
  on: {
    tick: { actions: 'noteTime' },
    'topology.lost': { actions: 'noteLost' },
    'topology.levels': { actions: 'noteLevels' },
    'topology.damaged': { actions: 'noteDamaged' },
    'raft.committed': { actions: 'apply' },
    'raft.roleChanged': { actions: 'noteRole' },
    'raft.proposed': { actions: 'noteProposed' },
    'raft.proposalRefused': { actions: 'noteProposalRefused' },
    'raft.readReady': { actions: 'answerRead' },
    'raft.readRefused': { actions: 'refuseRead' },
    'shard.snapshotWanted': { actions: 'maybeSnapshot' },
    'shard.snapshotLost': { actions: 'replaceSnapshot' },
    'shard.snapshotWritten': { actions: 'noteSnapshot' },
    'shard.snapshotFailed': { actions: 'noteSnapshotFailed' },
    'shard.restoring': { actions: 'restoring' },
    'shard.restoreChunk': { actions: 'restoreChunk' },
    'shard.restored': { actions: 'restored' },
    // A command that is under way is safe to lose: whoever asked is told to ask again.
    'shard.handOver': { actions: 'beQuiet' },
  },
  states: {
    following: {
      on: { 'meta.read': { actions: 'refuseReading' }, 'meta.propose': { actions: 'refuseCommand' } },
      always: { guard: 'mayLead', target: 'leading' },
    },
    leading: {
      entry: 'becomeLeader',
      initial: 'watching',
      on: {
        tick: { actions: ['noteTime', 'drive'] },
        'topology.lost': { actions: ['noteLost', 'think'] },
        'topology.damaged': { actions: ['noteDamaged', 'think'] },
        'raft.committed': { actions: ['apply', 'think'] },
        'shard.configured': { actions: 'noteReport' },
        'topology.figures': { actions: 'noteFigures' },
        'meta.read': { actions: 'acceptRead' },
        'meta.propose': { actions: 'acceptCommand' },
      },
      always: { guard: 'leadsNoMore', target: 'following' },
      states: {
        watching: { always: [planning, moving, paused] },
        planning: { always: [watching, moving, paused] },
        moving: { always: [watching, planning, paused] },
        paused: { always: [watching, planning, moving] },
      },
    },
  },
})
