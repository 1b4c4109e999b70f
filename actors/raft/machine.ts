/**
 * The chart of one Raft member. Its role *is* the chart's state.
 *
 *                       ┌──────────── no longer / again a voter ────────────┐
 *   starting ──▶ learner ◀────────────────────────────────────────────────▶ follower ◀─────────────────┐
 *      │                                    election due │  ▲ lost, or a      ▲ TimeoutNow                │
 *      │                                                 ▼  │ leader heard    │     │                     │
 *      │                                            preCandidate              │     │        newer term,  │
 *      │                                     pre-vote won│                    │     │        quorum lost, │
 *      │                                                 ▼                    │     │        commit stuck,│
 *      │                                             candidate ◀──────────────┼─────┘        clock leapt  │
 *      │                                       vote won  │                    │                           │
 *      │                                                 ▼                    │                           │
 *      │                                              leader: settling ──own no-op committed──▶ serving ──┘
 *      │                                                        and the time known
 *      └──▶ halted ◀── from every state: refused by a peer, or told to halt (corrupt)
 *
 * Reading guide. A state lists what it handles and nothing else is heard. `hear` puts four questions before a message is read:
 * is it from a replica that counts for nothing (ignored); from another process than the one that was accepted (asked to present itself
 * anew); has its sender accepted this member's presentation (if not, present first);
 * does it bring a newer term (become a follower of that term, then read it again). Handlers decide *what*; only the chart decides *who
 * may*. Every action ends by handing the disk what is new (`submit`), except a leader's, which gathers until its flush.
 *
 * Invariants: one vote a term; no promise before it is durable; a leader never overwrites its log; entry actions alone change `role`.
 * Sources: Ongaro and Ousterhout, figure 4 and section 5; thesis 3.10, 4.2, 6.2, 6.4, 9.6. Departures: the pre-candidate is a
 * state of its own; a member presents itself before it promises (presentation.ts); halted.
 */

import { raise, setup } from 'xstate'
import { handleSnapshotStored } from './compaction.ts'
import { handleEmit, handleRestored } from './commit.ts'
import { isCommitStalled, isLogTimeLate, isQuorumLost, isRemoved } from './checkQuorum.ts'
import { handleAppendedAsCandidate, handleAppendedAsFollower, handleAppendedAsLeader, handleStalled } from './diskAnswers.ts'
import { submit } from './durability.ts'
import {
  answerPreVote, answerVote, handlePreVoteGranted, handlePreVoteRefused, handleVoteGranted, handleVoteRefused, hasLost, hasWon,
  isElectionDue, maySucceed, presentFirst,
} from './election.ts'
import { handleAppend, handleHeartbeat } from './following.ts'
import { handleTransferLeadership } from './leadershipTransfer.ts'
import { handleSnapshotVerified, isOfAnotherSize } from './ownSnapshot.ts'
import {
  askAnew, handleOthersRefusal, handlePresent, handlePresentAccepted, handlePresentChallenged, handlePresentConfirmed, isOwnRefusal,
  isStranger, tellRefused,
} from './presentation.ts'
import { isOfAnotherProcess } from './promises.ts'
import { handleHeartbeatAcked, handleRead, refuseRead } from './readIndex.ts'
import { handleReconfigure, isJointPhaseOver, leaveJointPhase, refuseReconfigure } from './reconfiguration.ts'
import { handleAppendAccepted, handleAppendRejected, handleFlush, handlePropose, refuseProposal } from './replication.ts'
import {
  becomeCandidate, becomeFollower, becomeHalted, becomeLeader, becomeLearner, becomePreCandidate, becomeServing,
} from './roles.ts'
import { mayServe } from './serving.ts'
import { handleChunkWritten, handleSnapshotChunk, handleSnapshotDamaged, handleSnapshotInstalled } from './snapshotReceive.ts'
import { handleChunkRead, handleChunkReadFailed, handleSnapshotAccepted, handleSnapshotRefused } from './snapshotTransfer.ts'
import { awaitMap, hearOthers, isOutgrown, isSelfVoter } from './state.ts'
import { isNewerTerm, isUnpresented } from './term.ts'
import { handleTick, handleTickAsCampaigner, handleTickAsLeader } from './timers.ts'
import type { RaftEvent } from './protocol.ts'
import type { RaftCore } from './state.ts'

interface RaftContext {
  readonly core: RaftCore
}

interface Arguments {
  readonly context: RaftContext
  readonly event: RaftEvent
}

type EventOf<Type extends RaftEvent['type']> = Extract<RaftEvent, { type: Type }>

/** An action for events of one type. What it leaves for the disk is submitted at once, by a leader at its flush. */
const on = <Type extends RaftEvent['type']>(type: Type, handle: (core: RaftCore, event: EventOf<Type>) => void) =>
  ({ context: { core }, event }: Arguments): void => {
    if (event.type === type) handle(core, event as EventOf<Type>)
    if (core.role !== 'leader') submit(core)
  }

/** An entry action. */
const entry = (become: (core: RaftCore, event: RaftEvent) => void) => ({ context: { core }, event }: Arguments): void => {
  become(core, event)
  if (core.role !== 'leader') submit(core)
}

/** A guard for events of one type. */
const when = <Type extends RaftEvent['type']>(type: Type, holds: (core: RaftCore, event: EventOf<Type>) => boolean) =>
  ({ context: { core }, event }: Arguments): boolean => event.type === type && holds(core, event as EventOf<Type>)

/** A guard on the state alone. */
const whenever = (holds: (core: RaftCore) => boolean) => ({ context: { core } }: Arguments): boolean => holds(core)

const because = (reason: string) => ({ type: 'because', params: { reason } }) as const

/** A promise counts when the process gave it that was accepted. */
const count = <Action extends string>(action: Action) =>
  [{ guard: 'isOfAnotherProcess', actions: 'askAnew' }, { actions: action }] as const

/** The four questions, then what this state does with the message itself. */
const hear = <Target extends 'follower' | 'learner', Rest extends readonly object[]>(target: Target, ...rest: Rest) => [
  { guard: 'isStranger', actions: 'tellRefused' },
  { guard: 'isOfAnotherProcess', actions: 'askAnew' },
  { guard: 'isUnpresented', actions: 'presentFirst' },
  { guard: 'isNewerTerm', target, reenter: true, actions: [because('a newer term is heard of'), 'readAgain'] },
  ...rest,
] as const

/** A follower and a learner read the same. */
const listening = <Target extends 'follower' | 'learner'>(target: Target) => ({
  'raft.append': hear(target, { actions: 'append' } as const),
  'raft.heartbeat': hear(target, { actions: 'answerHeartbeat' } as const),
  'raft.snapshotChunk': hear(target, { actions: 'takeChunk' } as const),
  'raft.requestVote': hear(target, { actions: 'answerVote' } as const),
  'wal.appended': { actions: 'acknowledge' },
}) as const

const toLeaderHeard = {
  guard: 'isOfThisTerm', target: 'follower', actions: [because('a leader is heard'), 'readAgain'],
} as const

/** Campaigning: whoever leads this term has won it; an older leader is told of this term. */
const campaigning = {
  'raft.append': hear('follower', toLeaderHeard, { actions: 'append' } as const),
  'raft.heartbeat': hear('follower', toLeaderHeard, { actions: 'answerHeartbeat' } as const),
  'raft.snapshotChunk': hear('follower', toLeaderHeard, { actions: 'takeChunk' } as const),
  'raft.requestVote': hear('follower', { actions: 'answerVote' } as const),
  tick: [
    { guard: 'isElectionDue', target: 'preCandidate', reenter: true, actions: ['passTime', because('the election was not decided')] },
    { actions: 'tickAsCampaigner' },
  ],
} as const

export const raftMachine = setup({
  types: { context: {} as RaftContext, input: {} as { readonly core: RaftCore }, events: {} as RaftEvent },
  guards: {
    isQuarantined: whenever((core) => core.quarantined !== undefined),
    isVoter: whenever(isSelfVoter),
    isNotVoter: whenever((core) => !isSelfVoter(core)),
    isStranger: ({ context, event }) => 'from' in event && isStranger(context.core, event.from),
    isOfAnotherProcess: ({ context, event }) => 'from' in event && isOfAnotherProcess(context.core, event),
    isUnpresented: ({ context, event }) => isUnpresented(context.core, event),
    isNewerTerm: ({ context, event }) => isNewerTerm(context.core, event),
    isOfThisTerm: ({ context, event }) => 'term' in event && event.term === context.core.term,
    isOwnRefusal: when('raft.presentRefused', isOwnRefusal),
    isElectionDue: when('tick', isElectionDue),
    maySucceed: when('raft.timeoutNow', maySucceed),
    hasWon: whenever(hasWon),
    hasLost: whenever(hasLost),
    mayServe: whenever(mayServe),
    isQuorumLost: when('tick', isQuorumLost),
    isCommitStalled: when('tick', isCommitStalled),
    isLogTimeLate: when('tick', isLogTimeLate),
    isRemoved: whenever(isRemoved),
    isOfAnotherSize: when('raft.snapshotStored', isOfAnotherSize),
    isJointPhaseOver: whenever(isJointPhaseOver),
    isOutgrown: when('raft.mapInForce', isOutgrown),
  },
  actions: {
    readAgain: raise(({ event }) => event),
    because: ({ context }, { reason }: { readonly reason: string }) => { context.core.reason = reason },
    noteHalt: on('raft.halt', (core, { reason }) => { core.reason = reason }),
    noteRefusal: on('raft.presentRefused', (core, { from, term, index }) => {
      core.reason = `this replica forgot what it promised ${from}: term ${term}, entries up to ${index}`
    }),
    becomeLearner: entry(becomeLearner),
    becomeFollower: entry(becomeFollower),
    becomePreCandidate: entry(becomePreCandidate),
    becomeCandidate: entry(becomeCandidate),
    becomeLeader: entry(becomeLeader),
    becomeServing: entry(becomeServing),
    becomeHalted: entry(becomeHalted),
    passTime: on('tick', handleTick),
    tickAsCampaigner: on('tick', handleTickAsCampaigner),
    tickAsLeader: on('tick', handleTickAsLeader),
    presentFirst: ({ context, event }) => presentFirst(context.core, event),
    tellRefused: ({ context, event }) => { if ('from' in event) tellRefused(context.core, event.from) },
    askAnew: ({ context, event }) => { if ('from' in event) askAnew(context.core, event.from) },
    heedOthersRefusal: on('raft.presentRefused', handleOthersRefusal),
    answerPresentation: on('raft.present', handlePresent),
    confirmPresence: on('raft.presentChallenged', handlePresentChallenged),
    judgePresentation: on('raft.presentConfirmed', handlePresentConfirmed),
    noteAccepted: on('raft.presentAccepted', handlePresentAccepted),
    answerPreVote: on('raft.requestPreVote', answerPreVote),
    answerVote: on('raft.requestVote', answerVote),
    countPreVote: on('raft.preVoteGranted', handlePreVoteGranted),
    countPreRefusal: on('raft.preVoteRefused', handlePreVoteRefused),
    countVote: on('raft.voteGranted', handleVoteGranted),
    countRefusal: on('raft.voteRefused', handleVoteRefused),
    append: on('raft.append', handleAppend),
    answerHeartbeat: on('raft.heartbeat', handleHeartbeat),
    takeChunk: on('raft.snapshotChunk', handleSnapshotChunk),
    noteWritten: on('raft.chunkWritten', handleChunkWritten),
    install: on('raft.snapshotInstalled', handleSnapshotInstalled),
    noteDamaged: on('raft.snapshotDamaged', handleSnapshotDamaged),
    acknowledge: on('wal.appended', handleAppendedAsFollower),
    countOwnVote: on('wal.appended', handleAppendedAsCandidate),
    countOwnMatch: on('wal.appended', handleAppendedAsLeader),
    propose: on('raft.propose', handlePropose),
    refuseProposal: on('raft.propose', refuseProposal),
    read: on('raft.read', handleRead),
    refuseRead: on('raft.read', refuseRead),
    flush: on('raft.flush', handleFlush),
    noteMatch: on('raft.appendAccepted', handleAppendAccepted),
    backtrack: on('raft.appendRejected', handleAppendRejected),
    confirm: on('raft.heartbeatAcked', handleHeartbeatAcked),
    sendChunk: on('raft.chunkRead', handleChunkRead),
    giveUpChunk: on('raft.chunkReadFailed', handleChunkReadFailed),
    slideWindow: on('raft.snapshotAccepted', handleSnapshotAccepted),
    endTransfer: on('raft.snapshotRefused', handleSnapshotRefused),
    awaitMap: ({ context }) => awaitMap(context.core),
    hearOthers: ({ context }) => hearOthers(context.core),
    handOver: on('raft.transferLeadership', handleTransferLeadership),
    reconfigure: on('raft.reconfigure', handleReconfigure),
    leaveJointPhase: ({ context }) => leaveJointPhase(context.core),
    refuseReconfigure: on('raft.reconfigure', refuseReconfigure),
    compact: on('raft.snapshotStored', handleSnapshotStored),
    judgeSnapshot: on('raft.snapshotVerified', handleSnapshotVerified),
    resume: on('raft.restored', handleRestored),
    emit: on('raft.emit', handleEmit),
    noteStalled: on('wal.stalled', handleStalled),
  },
}).createMachine({
  id: 'raft',
  context: ({ input }) => ({ core: input.core }),
  initial: 'starting',
  on: {
    'raft.present': { actions: 'answerPresentation' },
    'raft.presentChallenged': { actions: 'confirmPresence' },
    'raft.presentConfirmed': { actions: 'judgePresentation' },
    'raft.presentAccepted': { actions: 'noteAccepted' },
    'raft.presentRefused': [
      { guard: 'isOwnRefusal', target: '.halted', actions: 'noteRefusal' },
      { actions: 'heedOthersRefusal' },
    ],
    'raft.halt': { target: '.halted', actions: 'noteHalt' },
    'raft.mapInForce': [
      { guard: 'isOutgrown', target: '.halted', actions: because('its log is of before others were voters: an old copy') },
      { actions: 'hearOthers' },
    ],
    'raft.mapMissed': { actions: 'awaitMap' },
    'raft.requestPreVote': [
      { guard: 'isStranger', actions: 'tellRefused' },
      { guard: 'isOfAnotherProcess', actions: 'askAnew' },
      { guard: 'isUnpresented', actions: 'presentFirst' },
      { actions: 'answerPreVote' },
    ],
    'raft.propose': { actions: 'refuseProposal' },
    'raft.read': { actions: 'refuseRead' },
    'raft.reconfigure': { actions: 'refuseReconfigure' },
    'raft.snapshotStored': { actions: 'compact' },
    'raft.snapshotVerified': { actions: 'judgeSnapshot' },
    'raft.restored': { actions: 'resume' },
    'raft.emit': { actions: 'emit' },
    'raft.chunkWritten': { actions: 'noteWritten' },
    'raft.snapshotInstalled': { actions: 'install' },
    'raft.snapshotDamaged': { actions: 'noteDamaged' },
    'wal.stalled': { actions: 'noteStalled' },
  },
  states: {
    starting: {
      always: [
        { guard: 'isQuarantined', target: 'halted' },
        { guard: 'isVoter', target: 'follower' },
        { target: 'learner' },
      ],
    },
    learner: {
      entry: 'becomeLearner',
      always: { guard: 'isVoter', target: 'follower' },
      on: { ...listening('learner'), tick: { actions: 'passTime' } },
    },
    follower: {
      entry: 'becomeFollower',
      always: { guard: 'isNotVoter', target: 'learner' },
      on: {
        ...listening('follower'),
        tick: [
          { guard: 'isElectionDue', target: 'preCandidate', actions: ['passTime', because('no leader is heard')] },
          { actions: 'passTime' },
        ],
        'raft.timeoutNow': [
          { guard: 'isStranger', actions: 'tellRefused' },
          { guard: 'isOfAnotherProcess', actions: 'askAnew' },
          { guard: 'isUnpresented', actions: 'presentFirst' },
          { guard: 'maySucceed', target: 'candidate', actions: because('the leader hands over') },
        ],
      },
    },
    preCandidate: {
      entry: 'becomePreCandidate',
      always: [
        { guard: 'isNotVoter', target: 'learner' },
        { guard: 'hasWon', target: 'candidate', actions: because('a quorum would vote for it') },
        { guard: 'hasLost', target: 'follower', actions: because('a quorum would not vote for it') },
      ],
      on: {
        ...campaigning,
        'raft.preVoteGranted': count('countPreVote'),
        'raft.preVoteRefused': hear('follower', { actions: 'countPreRefusal' } as const),
        'wal.appended': { actions: 'acknowledge' },
      },
    },
    candidate: {
      entry: 'becomeCandidate',
      always: [
        { guard: 'hasWon', target: 'leader', actions: because('a quorum voted for it') },
        { guard: 'hasLost', target: 'follower', actions: because('a quorum did not vote for it') },
      ],
      on: {
        ...campaigning,
        'raft.voteGranted': count('countVote'),
        'raft.voteRefused': hear('follower', { actions: 'countRefusal' } as const),
        'wal.appended': { actions: 'countOwnVote' },
      },
    },
    leader: {
      entry: 'becomeLeader',
      initial: 'settling',
      always: [
        { guard: 'isRemoved', target: 'learner', actions: because('the configuration without it has committed') },
        { guard: 'isJointPhaseOver', actions: 'leaveJointPhase' },
      ],
      on: {
        tick: [
          { guard: 'isQuorumLost', target: 'follower', actions: ['passTime', because('no quorum answered within an election timeout')] },
          { guard: 'isCommitStalled', target: 'follower', actions: ['passTime', because('nothing commits: another may do better')] },
          { guard: 'isLogTimeLate', target: 'follower', actions: ['passTime', because('its wall clock leapt ahead: log time is late')] },
          { actions: 'tickAsLeader' },
        ],
        'raft.propose': { actions: 'propose' },
        'raft.read': { actions: 'read' },
        'raft.flush': { actions: 'flush' },
        'raft.transferLeadership': { actions: 'handOver' },
        'raft.reconfigure': { actions: 'reconfigure' },
        'wal.appended': { actions: 'countOwnMatch' },
        'raft.appendAccepted': count('noteMatch'),
        'raft.appendRejected': hear('follower', { actions: 'backtrack' } as const),
        'raft.heartbeatAcked': hear('follower', { actions: 'confirm' } as const),
        'raft.snapshotAccepted': count('slideWindow'),
        'raft.snapshotRefused': hear('follower', { actions: 'endTransfer' } as const),
        'raft.snapshotStored': [
          { guard: 'isOfAnotherSize', target: 'follower', actions: ['compact', because('its snapshot was written anew, in another size')] },
          { actions: 'compact' },
        ],
        'raft.chunkRead': { actions: 'sendChunk' },
        'raft.chunkReadFailed': { actions: 'giveUpChunk' },
        // For its voter's clock alone, or that there is none to wait for (wallClocks.ts).
        'raft.voteGranted': count('countVote'),
        'raft.voteRefused': hear('follower', { actions: 'countRefusal' } as const),
        'raft.requestVote': hear('follower', { actions: 'answerVote' } as const),
        // Of this term it can not be: two leaders in a term are a bug, and the handlers end the process over it.
        'raft.append': hear('follower', { actions: 'append' } as const),
        'raft.heartbeat': hear('follower', { actions: 'answerHeartbeat' } as const),
        'raft.snapshotChunk': hear('follower', { actions: 'takeChunk' } as const),
      },
      states: {
        settling: { always: { guard: 'mayServe', target: 'serving' } },
        serving: { entry: 'becomeServing' },
      },
    },
    halted: {
      entry: 'becomeHalted',
      on: {
        'raft.propose': { actions: 'refuseProposal' },
        'raft.read': { actions: 'refuseRead' },
        'raft.reconfigure': { actions: 'refuseReconfigure' },
        '*': {},
      },
    },
  },
})
