/**
 * The shell of one replica of the meta group: carries out what the core decides, and brings the outcomes of commands to whoever asked.
 *
 * It stands where a shard stands beside its Raft member, and speaks the same words with it (actors/shard/protocol.ts).
 */

import { createShell } from '../kernel/shell.ts'
import { encodeState } from './codec.ts'
import { planOf } from './conduct.ts'
import { createTopologyCore } from './core.ts'
import { topologyMachine } from './machine.ts'
import { defaultPlanLimits } from './plan.ts'
import type { Cancel } from '../kernel/clock.ts'
import type { Logger } from '../kernel/log.ts'
import type { GroupId, NodeId } from '../../topology/ids.ts'
import type { Configuration, Index, RaftLocalEvent } from '../raft/protocol.ts'
import type { SnapshotChunks } from '../shard/protocol.ts'
import type { SnapshotStore } from '../../storage/snapshotStore.ts'
import type { ClusterState } from './clusterState.ts'
import type { TopologyEffect, TopologyLimits } from './core.ts'
import type { Plan } from './plan.ts'
import type { MoveOrder, Outcome, TopologyEvent } from './protocol.ts'

const SNAPSHOTS_KEPT = 2
const SLICE_BYTES = 65_536

export const defaultTopologyLimits: TopologyLimits = { ...defaultPlanLimits, snapshotLogBytes: 262_144, undecidedMax: 64 }

/** What became of a command: decided, or not here. `leader` is empty when nobody is known, or nobody knows what became of it. */
export type Decision = { readonly outcome: Outcome } | { readonly leader: NodeId | '' }

export interface TopologyPorts {
  readonly raft: (event: RaftLocalEvent) => void
  readonly snapshots: SnapshotStore
  readonly configurationAt: (index: Index) => Configuration
  /** A group's leader shall become this; what it says comes back as `topology.reported`. */
  readonly order: (order: MoveOrder) => void
  /** A committed state, newer than the one before. */
  readonly stateChanged: (state: ClusterState) => void
}

export interface TopologyOptions {
  readonly group: GroupId
  /** Before anything is applied: the genesis'. */
  readonly state: ClusterState
  readonly limits?: Partial<TopologyLimits>
  readonly log: Logger
  readonly ports: TopologyPorts
  readonly onFailure: (error: unknown) => void
}

export interface TopologyActor {
  readonly send: (event: TopologyEvent) => void
  /** `done` is called once, unless the actor is stopped first. */
  readonly propose: (command: Uint8Array, done: (decision: Decision) => void) => void
  /** The chart's state, such as `leading.moving`. */
  readonly state: () => string
  /** What has been applied here. */
  readonly clusterState: () => ClusterState
  /** What this replica would do if it led. */
  readonly plan: () => Plan
  readonly stop: () => void
}

export const createTopology = (options: TopologyOptions): TopologyActor => {
  const { group, log, ports } = options
  const core = createTopologyCore({ state: options.state, limits: { ...defaultTopologyLimits, ...options.limits } })
  const waiting = new Map<number, (decision: Decision) => void>()
  let tickets = 0
  let cancelSnapshot: Cancel = () => {}

  const tell = (ticket: number, decision: Decision): void => {
    const done = waiting.get(ticket)
    waiting.delete(ticket)
    done?.(decision)
  }
  const writeSnapshot = ({ index, term, state }: Extract<TopologyEffect, { type: 'topology.writeSnapshot' }>): void => {
    const header = { group, index, term, configuration: ports.configurationAt(index) }
    cancelSnapshot = ports.snapshots.write(header, slicesOf(encodeState(state)), (error, { totalBytes }) => {
      if (error !== null) {
        log.warn({ index, term, error: error.message }, 'a snapshot of the cluster map could not be written')
        shell.send({ type: 'shard.snapshotFailed', reason: error.message })
        return
      }
      ports.snapshots.prune(group, SNAPSHOTS_KEPT, (pruneError) => {
        if (pruneError !== null) log.warn({ error: pruneError.message }, 'old snapshots of the cluster map could not be removed')
        ports.raft({ type: 'raft.snapshotStored', index, term, totalBytes })
        shell.send({ type: 'shard.snapshotWritten', index, term, totalBytes })
      })
    })
  }
  const perform = (effect: TopologyEffect): void => {
    switch (effect.type) {
      case 'raft.propose': ports.raft(effect); return
      case 'topology.decided': tell(effect.ticket, { outcome: effect.outcome }); return
      case 'topology.undecided': tell(effect.ticket, { leader: effect.leader }); return
      case 'topology.stateChanged': ports.stateChanged(effect.state); return
      case 'topology.order': ports.order(effect.order); return
      case 'topology.writeSnapshot': writeSnapshot(effect); return
    }
    effect satisfies never
  }
  const shell = createShell({
    machine: topologyMachine,
    input: { core },
    effects: core.effects,
    perform,
    onFailure: options.onFailure,
    onState: (state) => log.info({ state, term: core.term, epoch: core.state.epoch }, 'topology state'),
  })
  return {
    send: shell.send,
    propose: (command, done) => {
      tickets += 1
      waiting.set(tickets, done)
      shell.send({ type: 'topology.propose', ticket: tickets, command })
    },
    state: shell.state,
    clusterState: () => core.state,
    plan: () => planOf(core),
    stop: () => {
      cancelSnapshot()
      shell.stop()
    },
  }
}

const slicesOf = (bytes: Uint8Array): SnapshotChunks => {
  let offset = 0
  return {
    next: () => {
      if (offset >= bytes.length) return { done: true, value: undefined }
      const value = bytes.subarray(offset, offset + SLICE_BYTES)
      offset += value.length
      return { done: false, value }
    },
  }
}
