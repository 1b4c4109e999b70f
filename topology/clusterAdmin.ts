/**
 * What a person may ask of the cluster through this node (the admin API, gateway/admin/): readings, changes, and a leadership by hand.
 *
 * Reads are those of the meta group's leader, or of this node's own map, which then says so. Changes are made by changes.ts.
 *
 * A leadership by hand stays only where the balance does not bring it back. So it is taken while the cluster is paused, and the order of
 * preference is changed first: that outlives leaders, and the transfer itself is only the haste.
 */

import { defaultPlanLimits } from '../actors/topology/plan.ts'
import { isRefused, namesText, presentNode, refused } from '../actors/topology/refusals.ts'
import { oneOf, record } from '../actors/topology/fields.ts'
import { readingOf } from './adminViews.ts'
import { createChanges } from './changes.ts'
import { nodeOf } from './ids.ts'
import { transferAnswers } from './leadership.ts'
import { MOVE_BYTES_PER_SECOND_DEFAULT } from './nodeOptions.ts'
import type { Cancel, Clock } from '../actors/kernel/clock.ts'
import type { ClusterState } from '../actors/topology/clusterState.ts'
import type { DamagedReplica, Preference, Refused } from '../actors/topology/protocol.ts'
import type { NodeAddresses } from './addresses.ts'
import type { Reading } from './adminViews.ts'
import type { Change, ChangeRequest } from './changes.ts'
import type { LiveMap } from './liveMap.ts'
import type { LoadsAnswer } from './loadReads.ts'
import type { TransferAnswer, TransferWish } from './leadership.ts'
import type { History, HistoryWish, MetaReads } from './metaReads.ts'
import type { NodeOptions } from './nodeOptions.ts'
import type { Proposals } from './proposals.ts'
import type { NodeId, ShardId } from './ids.ts'
import type { TopologyDesk } from './topologyDesk.ts'

/** A transfer is asked for again, and awaited, this long: several of its own limits (topology/leadership.ts). */
const TRANSFER_MS_MAX = 6_000
const TRANSFER_POLL_MS = 100

export type Transferred =
  | { readonly kind: 'leads' }
  | { readonly kind: 'givenUp'; readonly message: string }
  | Refused

/** The epoch is that of the order of preference, which is changed first. */
type TransferTerms = Pick<ChangeRequest, 'by' | 'request' | 'expectedEpoch'>

export interface ClusterAdmin {
  readonly read: (done: (reading: Reading) => void) => void
  /** Without a leader of the meta group nobody knows the history: null. */
  readonly events: (wish: HistoryWish, done: (history: History | null) => void) => void
  readonly change: Change
  readonly transfer: (wish: TransferWish, terms: TransferTerms, done: (result: Transferred | null) => void) => void
}

export interface ClusterAdminOptions {
  readonly node: NodeOptions
  readonly live: Pick<LiveMap, 'state'>
  readonly clock: Clock
  readonly reads: MetaReads
  readonly proposals: Proposals
  readonly ask: TopologyDesk['ask']
  readonly leaderOf: (shard: ShardId) => NodeId | null
  readonly damaged?: () => readonly DamagedReplica[]
  /** As the nodes say of themselves; absent: nothing is known of them. */
  readonly addressesOf?: ((node: NodeId) => NodeAddresses | undefined) | undefined
}

/** Waits of this module end with the node. */
export const createClusterAdmin = (options: ClusterAdminOptions): ClusterAdmin & { readonly stop: () => void } => {
  const { node: { genesis, settings }, live, clock, reads, proposals, leaderOf } = options
  const limits = { ...defaultPlanLimits, ...settings.topologyLimits }
  const waits = new Set<Cancel>()
  let isStopped = false

  const later = (next: () => void): void => {
    const cancel = clock.after(TRANSFER_POLL_MS, () => {
      waits.delete(cancel)
      if (!isStopped) next()
    })
    waits.add(cancel)
  }
  const read = (done: (reading: Reading) => void): void => reads.overview((overview) => {
    const own = { state: live.state(), lost: [], progress: [] }
    const { prefix, tickMs, lostAfterMs } = settings
    const moveBytesPerSecond = settings.raftLimits?.moveBytesPerSecond ?? MOVE_BYTES_PER_SECOND_DEFAULT
    const finish = (loads: LoadsAnswer | undefined): void => done(readingOf({
      ...(overview ?? own), isLinearizable: overview !== undefined, limits, leaderOf, loads: loads ?? { moves: [], shards: [] },
      damaged: options.damaged?.() ?? [], addressesOf: options.addressesOf,
      node: { id: genesis.node, prefix, tickMs, lostAfterMs, moveBytesPerSecond },
    }))
    if (overview === undefined) finish(undefined)
    else reads.loads(finish)
  })
  const change = createChanges({ live, clock, reads, proposals })
  const askLeader = ({ shard, to }: TransferWish, done: (answer: TransferAnswer | null) => void): void => {
    const leader = leaderOf(shard)
    if (leader === null) done(null)
    else options.ask(leader, { kind: 'transfer', shard, to }, (value) => done(transferAnswered(value)?.answer ?? null))
  }
  /** Until the node leads: whoever led may have lost the leadership, or not be ready yet. */
  const pursue = (wish: TransferWish, deadline: number, done: (result: Transferred) => void): void => {
    if (leaderOf(wish.shard) === wish.to) {
      done({ kind: 'leads' })
      return
    }
    askLeader(wish, (answer) => {
      if (clock.now() < deadline) later(() => pursue(wish, deadline, done))
      else done({ kind: 'givenUp', message: whyNot(wish, answer) })
    })
  }
  return {
    read,
    events: (wish, done) => reads.history(wish, (history) => done(history ?? null)),
    change,
    transfer: (wish, terms, done) => reads.overview((overview) => {
      const order = overview === undefined ? null : preferring(overview.state, wish)
      if (order === null || isRefused(order)) {
        done(order)
        return
      }
      change({ wish: { kind: 'prefer', preferences: [order] }, ...terms }, (outcome) => {
        if (outcome === null || outcome.kind === 'refused') done(outcome)
        else pursue(wish, clock.now() + TRANSFER_MS_MAX, done)
      })
    }),
    stop: () => {
      isStopped = true
      for (const cancel of waits) cancel()
    },
  }
}

/** The shard's order of preference with the node in front, or why it can not lead. */
const preferring = (state: ClusterState, { shard, to }: TransferWish): Preference | Refused => {
  const replicas = state.shards[shard]?.replicas
  if (replicas === undefined) return refused(state, 'unknownGroup', `there are shards 0 to ${state.shardCount - 1}`)
  const node = presentNode(state, to)
  if (isRefused(node)) return node
  const first = replicas.find((replica) => nodeOf(replica) === to)
  if (first === undefined) {
    return refused(state, 'unknownReplica', `node ${to} has no replica of shard ${shard}; possible: ${namesText(replicas.map(nodeOf))}`)
  }
  if (!state.isPaused) {
    return refused(state, 'notPaused', 'the balance would bring the leadership back: pause the cluster first, and resume it afterwards')
  }
  return { shard, replicas: [first, ...replicas.filter((replica) => replica !== first)] }
}

const whyNot = ({ shard, to }: TransferWish, answer: TransferAnswer | null): string => {
  const why = answer === null ? `nobody is known to lead shard ${shard}` : reasons[answer]
  return `${to} does not lead shard ${shard} yet: ${why}. It is preferred now, and will be handed the leadership when that has changed`
}

const reasons: Readonly<Record<TransferAnswer, string>> = {
  begun: 'the hand-over was not done in time',
  leads: 'others do not say so yet',
  notLeader: 'the leadership is changing',
  busy: 'another hand-over is under way, or its leader does not serve yet',
  unfit: 'it was not heard for a while, lacks entries, is loading its state, or has no room on its disk',
}

const transferAnswered = record<{ readonly answer: TransferAnswer }>({ answer: oneOf(...transferAnswers) })
