/**
 * The shell of the topology actor: carries out what the core decides, through ports. It stands where a shard stands for every other
 * group: its Raft member tells it what commits, and it writes and loads the group's snapshots.
 */

import { silentRecorder } from '../kernel/recorder.ts'
import { createShell } from '../kernel/shell.ts'
import { defaultBalanceLimits } from './balance.ts'
import { createTopologyCore } from './core.ts'
import { progressOf } from './driver.ts'
import { topologyMachine } from './machine.ts'
import { defaultPlanLimits } from './plan.ts'
import type { Cancel, Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/log.ts'
import type { Recorder } from '../kernel/recorder.ts'
import type { Configuration, RaftLocalEvent } from '../raft/protocol.ts'
import type { Origin } from '../shard/protocol.ts'
import type { Genesis } from '../wal/protocol.ts'
import type { GroupId, NodeId } from '../../topology/ids.ts'
import type { SnapshotStore } from '../../storage/snapshotStore.ts'
import type { ClusterState } from './clusterState.ts'
import type { TopologyLimits } from './core.ts'
import type { MoveProgress } from './driver.ts'
import type { Loads } from './loads.ts'
import type { Plan } from './plan.ts'
import type { MetaAnswer, MoveOrder, TopologyEffect, TopologyEvent } from './protocol.ts'

/** The newest, and one before it in case it turns out damaged. */
const SNAPSHOTS_KEPT = 2

const defaultLimits: TopologyLimits = {
  ...defaultPlanLimits, waitingMax: 1_024, snapshotLogBytes: 256 * 1_024, heldEntryBytesMax: 16 * 1_024 * 1_024,
  balance: defaultBalanceLimits,
}

export interface TopologyPorts {
  readonly raft: (event: RaftLocalEvent) => void
  readonly snapshots: SnapshotStore
  /** The membership of the meta group in force at an applied index. */
  readonly configurationAt: (index: number) => Configuration
  /** Snapshots that are being sent to other replicas, by index. */
  readonly snapshotsInUse: () => readonly number[]
  readonly answer: (to: Origin, message: MetaAnswer) => void
  /** To the leader of the order's group, as far as the node knows it; answered by `shard.configured`. May be lost. */
  readonly sendOrder: (order: MoveOrder) => void
  /** Every state that is applied here, leading or not. */
  readonly onState: (state: ClusterState) => void
  /** Raft may hand the leadership over. */
  readonly quiet: () => void
}

export interface TopologyOptions {
  /** The meta group's number in the log. */
  readonly group: GroupId
  /** Equal on every member: the state before the first entry. */
  readonly genesis: Genesis
  readonly clock: Pick<Clock, 'now' | 'wall'>
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  readonly limits?: Partial<TopologyLimits>
  readonly ports: TopologyPorts
  readonly onFailure: (error: unknown) => void
}

export interface TopologyStatus {
  readonly state: ClusterState
  readonly appliedIndex: number
  readonly appliedTerm: number
  readonly snapshotIndex: number
  readonly undecodable: number
  /** While it leads: what is left to do. */
  readonly plan: Plan | null
  /** Whom the planner takes for dead. */
  readonly lost: readonly NodeId[]
  /** While it leads. */
  readonly progress: readonly MoveProgress[]
  readonly loads: Loads
}

export interface TopologyActor {
  readonly send: (event: TopologyEvent) => void
  /** The chart's state, such as `leading.moving`. */
  readonly state: () => string
  readonly status: () => TopologyStatus
  readonly stop: () => void
}

export const createTopology = (options: TopologyOptions): TopologyActor => {
  const { group, genesis, clock, log, ports, recorder = silentRecorder } = options
  const core = createTopologyCore(genesis, { ...defaultLimits, ...options.limits })
  let cancelSnapshot: Cancel = () => {}

  const writeSnapshot = ({ index, term, chunks }: Extract<TopologyEffect, { type: 'topology.writeSnapshot' }>): void => {
    const header = { group, index, term, configuration: ports.configurationAt(index) }
    cancelSnapshot = ports.snapshots.write(header, chunks, (error, info) => {
      if (error !== null) {
        log.warn({ index, term, err: error }, 'a snapshot could not be written; the log keeps growing until one is')
        shell.send({ type: 'shard.snapshotFailed', reason: error.message })
        return
      }
      const { totalBytes } = info
      log.info({ index, term, bytes: totalBytes }, 'snapshot written')
      ports.snapshots.prune(group, { newest: SNAPSHOTS_KEPT, through: index, inUse: ports.snapshotsInUse() }, (pruneError) => {
        if (pruneError !== null) log.warn({ err: pruneError }, 'old snapshots could not be removed')
        ports.raft({ type: 'raft.snapshotStored', index, term, totalBytes })
        shell.send({ type: 'shard.snapshotWritten', index, term, totalBytes })
      })
    })
  }

  const perform = (effect: TopologyEffect): void => {
    switch (effect.type) {
      case 'raft.propose': ports.raft(effect); return
      case 'raft.read': ports.raft({ ...effect, now: clock.now(), wallMs: clock.wall() }); return
      case 'topology.answer': ports.answer(effect.to, effect.message); return
      case 'topology.order': ports.sendOrder(effect.order); return
      case 'topology.applied': applied(effect.state); return
      case 'topology.writeSnapshot': writeSnapshot(effect); return
      case 'topology.quiet': ports.quiet(); return
    }
    effect satisfies never
  }

  const applied = (state: ClusterState): void => {
    const last = state.history.at(-1)
    log.info({ epoch: state.epoch, by: last?.by, move: last?.move }, last?.what ?? 'the cluster changed')
    if (last !== undefined) noteChange(recorder, last)
    ports.onState(state)
  }

  const shell = createShell({
    machine: topologyMachine,
    input: { core },
    effects: core.effects,
    perform,
    onFailure: options.onFailure,
    onState: (state) => log.info({ state, term: core.term, epoch: core.state.epoch }, 'topology state'),
    recording: { recorder, actor: 'topology', about: () => ({ term: core.term, detail: { epoch: core.state.epoch } }) },
  })

  return {
    send: shell.send,
    state: shell.state,
    status: () => ({
      state: core.state, appliedIndex: core.appliedIndex, appliedTerm: core.appliedTerm, snapshotIndex: core.snapshotIndex,
      undecodable: core.undecodable, plan: core.planned?.plan ?? null, lost: core.lost,
      progress: progressOf(core.driver, core.state),
      loads: core.loads,
    }),
    stop: () => {
      cancelSnapshot()
      shell.stop()
    },
  }
}

/** Moves, and what people asked for, in the words of the event history. */
const noteChange = (recorder: Recorder, { epoch, by, what, move }: ClusterState['history'][number]): void =>
  recorder.record({ actor: 'topology', kind: 'note', event: what, detail: { epoch, by, ...(move === 0 ? {} : { move }) } })
