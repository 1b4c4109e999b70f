/**
 * What this node answers at the topology desk: the map it has, how its cluster was born, and what a group it leads says to an order
 * (actors/raft/reconfiguration.ts).
 *
 * A leader that is itself to go hands over first, with the care of every planned move (topology/leadership.ts); the order is repeated.
 */

import { decodeCommand, encodeState } from '../actors/topology/codec.ts'
import { EVENTS_MAX } from './metaReads.ts'
import { isNews } from '../actors/topology/driver.ts'
import { groupKeyOf } from './namedReplicas.ts'
import type { Clock } from '../actors/kernel/clock.ts'
import type { RaftMember } from '../actors/raft/actor.ts'
import type { OrderOutcome } from '../actors/raft/protocol.ts'
import type { MetaAnswer, MoveReport } from '../actors/topology/protocol.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { Genesis } from '../actors/wal/protocol.ts'
import type { HostedMeta } from './hostedMeta.ts'
import type { TransferAnswer } from './leadership.ts'
import type { LiveMap } from './liveMap.ts'
import { loadsAnswer } from './loadReads.ts'
import type { OwnFigures } from './figures.ts'
import type { Redirect } from './metaQuestions.ts'
import type { HistoryAnswer, OverviewAnswer } from './metaReads.ts'
import type { ProposalAnswer } from './proposals.ts'
import type { GroupId, NodeId, ReplicaId, ShardId } from './ids.ts'
import type { Answer, RequestOf, TopologyRequest } from './topologyDesk.ts'

export interface TopologyAnswersOptions {
  readonly clock: Clock
  readonly genesis: Genesis
  readonly live: LiveMap
  readonly raftOf: (group: GroupId) => RaftMember | undefined
  /** The leader here shall not be one any more; `voters` may follow it. */
  readonly leave: (group: GroupId, voters: readonly ReplicaId[]) => void
  readonly meta: () => Pick<HostedMeta, 'ask' | 'actor'> | undefined
  readonly transfer: (shard: ShardId, to: NodeId) => TransferAnswer
  readonly figures: () => OwnFigures
}

export const createTopologyAnswers = (options: TopologyAnswersOptions) => (request: TopologyRequest, done: Answer): void => {
  switch (request.kind) {
    case 'genesis': done({ ...options.genesis }); return
    case 'state': done(stateNewerThan(options.live, request.newerThan)); return
    case 'order': carryOut(options, request, done); return
    case 'propose': propose(options, request, done); return
    case 'overview': answerOverview(options, done); return
    case 'figures': done(options.figures()); return
    case 'loads': answerLoads(options, done); return
    case 'history': answerHistory(options, request, done); return
    case 'transfer': done({ answer: options.transfer(request.shard as ShardId, request.to) }); return
  }
  request satisfies never
}

const stateNewerThan = (live: LiveMap, epoch: number): unknown => {
  const state = live.state()
  return state.epoch > epoch ? { epoch: state.epoch, state: encodeState(state) } : { epoch: state.epoch }
}

const propose = ({ meta }: TopologyAnswersOptions, { command }: RequestOf<'propose'>, done: Answer): void => {
  const member = meta()
  const decoded = decodeCommand(command)
  if (member === undefined) done({ leader: '' } satisfies ProposalAnswer)
  else if ('reason' in decoded) done(undefined)
  else member.ask({ type: 'meta.propose', command: decoded }, (answer) => done(proposalAnswer(answer)))
}

const answerOverview = ({ meta }: TopologyAnswersOptions, done: Answer): void => {
  const member = meta()
  read(member, false, done, (state) => {
    const { lost = [], progress = [] } = member?.actor.status() ?? {}
    return { state: encodeState(state), lost, progress } satisfies OverviewAnswer
  })
}

/** From memory: figures are no decision, and a leader that was deposed a moment ago has told the truth of that moment. */
const answerLoads = ({ meta, live }: TopologyAnswersOptions, done: Answer): void => {
  const actor = meta()?.actor
  if (actor?.state().startsWith('leading') !== true) done({ leader: '' } satisfies Redirect)
  else done(loadsAnswer(live.state(), actor.status().loads))
}

const answerHistory = ({ meta }: TopologyAnswersOptions, { before, limit }: RequestOf<'history'>, done: Answer): void =>
  read(meta(), true, done, ({ epoch, history }) => {
    const older = before === 0 ? history : history.filter((event) => event.epoch < before)
    return { epoch, events: older.toReversed().slice(0, Math.min(limit, EVENTS_MAX)) } satisfies HistoryAnswer
  })

const read = (
  member: Pick<HostedMeta, 'ask'> | undefined, isHistoryWanted: boolean, done: Answer, answerOf: (state: ClusterState) => unknown,
): void => {
  if (member === undefined) done({ leader: '' } satisfies Redirect)
  else member.ask({ type: 'meta.read', isHistoryWanted }, (answer) => {
    if (answer.type === 'meta.state') done(answerOf(answer.state))
    else if (answer.type === 'meta.refused') done({ leader: answer.leader } satisfies Redirect)
  })
}

/** What became of it is not known to a member that lost its leadership: it says who may know. */
const proposalAnswer = (answer: MetaAnswer): ProposalAnswer =>
  (answer.type === 'meta.outcome' ? { outcome: answer.outcome } : { leader: answer.type === 'meta.refused' ? answer.leader : '' })

/**
 * What a leader that can not do what is ordered has committed is news, and may be that a cancelled promotion stands. So it makes sure
 * first that it leads still. Without that a leader which was deposed, or has not served yet, tells of the past (test: "an order that its
 * group can not obey ...").
 */
const carryOut = ({ raftOf, leave, clock }: TopologyAnswersOptions, request: RequestOf<'order'>, done: Answer): void => {
  const { group, epoch, voters, learners } = request
  const raft = raftOf(group)
  if (raft === undefined) {
    done({ outcome: 'notLeader' satisfies OrderOutcome })
    return
  }
  raft.reconfigure({ epoch, voters, learners }, (outcome) => {
    if (outcome === 'leaves') leave(group, voters)
    if (outcome === 'notLeader') done({ outcome })
    else if (!isNews(outcome)) done(reportOf(raft, request, outcome))
    else raft.confirm({ now: clock.now(), wallMs: clock.wall() }, (leads) =>
      done(leads ? reportOf(raft, request, outcome) : { outcome: 'notLeader' satisfies OrderOutcome }))
  })
}

/** What is committed, not what is on its way: the meta group decides the next step by it. */
const reportOf = (raft: RaftMember, { group, move, epoch }: RequestOf<'order'>, outcome: OrderOutcome): MoveReport => {
  const { commitIndex, matchIndex } = raft.status()
  return {
    group: groupKeyOf(group), move, epoch, outcome,
    configuration: raft.configurationAt(commitIndex),
    matches: [...matchIndex].map(([replica, index]) => ({ replica, index })),
  }
}
