/**
 * The shell of one shard replica: carries out what the core decides, through ports. It holds no state of the shard; the snapshot being
 * written is the one thing it remembers, to cancel it on stop.
 */

import { createNodeText } from '../kernel/nodeText.ts'
import { createOwedTicks } from '../kernel/owedTicks.ts'
import { silentRecorder } from '../kernel/recorder.ts'
import { createShell } from '../kernel/shell.ts'
import { createTickBoard } from '../kernel/tickBoard.ts'
import { nodeOf } from '../../topology/ids.ts'
import { operationsIn } from './batch.ts'
import { useBinaryText } from './bytes.ts'
import { isTickDue } from './commits.ts'
import { createShardCore } from './core.ts'
import { defaultShardLimits } from './limits.ts'
import { shardMachine } from './machine.ts'
import { createShardMeter } from './meter.ts'
import { hashState } from './stateHash.ts'
import type { Cancel, Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/log.ts'
import type { Recorder } from '../kernel/recorder.ts'
import type { TraceContext } from '../kernel/trace.ts'
import type { TickBoard } from '../kernel/tickBoard.ts'
import type { Configuration, RaftLocalEvent } from '../raft/protocol.ts'
import type { ReplicaId, ShardId } from '../../topology/ids.ts'
import type { SnapshotStore } from '../../storage/snapshotStore.ts'
import type { ShardCounters } from './core.ts'
import type { ShardLimits } from './limits.ts'
import type { ShardMeter } from './meter.ts'
import type { Origin, ShardEffect, ShardEvent, ShardMessage } from './protocol.ts'

/** The newest, and one before it in case it turns out damaged. */
const SNAPSHOTS_KEPT = 2

useBinaryText(createNodeText())

export interface ShardPorts {
  readonly answer: (to: Origin, message: Extract<ShardMessage, { type: 'shard.reply' }>) => void
  /** The span under which the shard works for it, when it is sampled; asked before it is answered. */
  readonly traceOf?: ((to: Origin, batch: number) => TraceContext | undefined) | undefined
  readonly raft: (event: RaftLocalEvent) => void
  readonly snapshots: SnapshotStore
  /** The membership in force at an applied index. */
  readonly configurationAt: (index: number) => Configuration
  /** Snapshots that are being sent to other replicas, by index. */
  readonly snapshotsInUse: () => readonly number[]
  readonly serving: (serving: boolean, term: number) => void
  /** Answered by `shard.slotDrained`, behind every request that the slot delivered. */
  readonly drainSlot: (drain: number) => void
  readonly quiet: () => void
  readonly changed: (key: string, revision: number, code: number) => void
  readonly requestFlush: () => void
  readonly instruments?: ShardInstruments | undefined
}

/** What a shard tells of its work, for metrics. Called for every batch: nothing is allocated for it. */
export interface ShardInstruments {
  /** The times of the batch are those of its effect, in milliseconds of the clock that `now` is of. */
  readonly answered: (batch: AnsweredBatch, now: number, shard: ShardId, trace?: TraceContext) => void
  /** Committed entries were applied, and what waited for them was answered. */
  readonly applied: (entries: number, tookMs: number) => void
}

export type AnsweredBatch = Pick<Extract<ShardEffect, { type: 'shard.answer' }>, 'to' | 'operations' | 'results' | 'arrivedAt' | 'handedAt'>

export interface ShardOptions {
  readonly shard: ShardId
  readonly self: ReplicaId
  readonly clock: Clock
  readonly log: Logger
  readonly recorder?: Recorder | undefined
  readonly limits?: Partial<ShardLimits>
  /** The byte budget of one entry's payload, and of the values in one reply to another node. */
  readonly entryBytesMax: number
  readonly announceChanges: boolean
  /**
   * 0 (the default) to 1: by this share the log may be shorter when the first snapshot is due, and the first after one at rest. One that
   * differs from replica to replica keeps the snapshots of a node apart, and those of a shard on its nodes: shards that are written to
   * alike, or were at rest together, would go through their states all at once, everywhere.
   */
  readonly headStart?: number
  /** Where its ticks are written up. Absent: nowhere; they come as events. */
  readonly ticks?: TickBoard
  readonly ports: ShardPorts
  readonly onFailure: (error: unknown) => void
}

export interface ShardStatus {
  readonly appliedIndex: number
  readonly appliedTerm: number
  readonly revision: number
  readonly keys: number
  /** Estimate of what the keys weigh. */
  readonly keyBytes: number
  /** Payload bytes applied since the process started. */
  readonly writtenBytes: number
  readonly serving: boolean
  /** Log time in milliseconds. */
  readonly timeMs: number
  readonly sessions: number
  readonly pendingOperations: number
  readonly pendingBytes: number
  readonly snapshotIndex: number
  /** Committed payloads that did not decode: above 0 a version mix or a bug. */
  readonly undecodable: number
  readonly counters: Readonly<ShardCounters>
}

export interface ShardActor {
  readonly send: (event: ShardEvent) => void
  /** The chart's state, such as `leading.serving`. */
  readonly state: () => string
  readonly status: () => ShardStatus
  /** One field of it, for every beacon. */
  readonly isServing: () => boolean
  readonly meter: ShardMeter
  /** Equal for replicas that applied the same entries; costs a pass over the state. */
  readonly stateHash: () => string
  readonly stop: () => void
}

export const createShard = (options: ShardOptions): ShardActor => {
  const { shard, clock, log, ports, recorder = silentRecorder } = options
  const name = `shard/${shard}`
  const core = createShardCore({
    shard,
    node: nodeOf(options.self),
    limits: { ...defaultShardLimits, ...options.limits },
    entryBytesMax: options.entryBytesMax,
    announceChanges: options.announceChanges,
    headStart: options.headStart ?? 0,
  })
  const meter = createShardMeter()
  let cancelSnapshot: Cancel = () => {}

  const writeSnapshot = (effect: Extract<ShardEffect, { type: 'shard.writeSnapshot' }>): void => {
    const { index, term } = effect
    const header = { group: shard, index, term, configuration: ports.configurationAt(index) }
    cancelSnapshot = ports.snapshots.write(header, effect.chunks, (error, info) => {
      if (error !== null) {
        log.warn({ index, term, err: error }, 'a snapshot could not be written; the log keeps growing until one is')
        send({ type: 'shard.snapshotFailed', reason: error.message })
        return
      }
      const { totalBytes } = info
      log.info({ index, term, bytes: totalBytes }, 'snapshot written')
      recorder.record({ actor: name, kind: 'note', event: 'wrote a snapshot', shard, term, bytes: totalBytes, detail: { index } })
      ports.snapshots.prune(shard, { newest: SNAPSHOTS_KEPT, through: index, inUse: ports.snapshotsInUse() }, (pruneError) => {
        if (pruneError !== null) log.warn({ err: pruneError }, 'old snapshots could not be removed')
        ports.raft({ type: 'raft.snapshotStored', index, term, totalBytes })
        send({ type: 'shard.snapshotWritten', index, term, totalBytes })
      })
    })
  }

  const answer = (effect: Extract<ShardEffect, { type: 'shard.answer' }>): void => {
    const { to, batch, operations, results } = effect
    const trace = ports.traceOf?.(to, batch)
    ports.answer(to, { type: 'shard.reply', shard, batch, results })
    const now = clock.now()
    meter.answered(operations, results, now - effect.arrivedAt)
    ports.instruments?.answered(effect, now, shard, trace)
  }

  /** Field by field, since every read comes by: a spread costs more than the rest of the event. */
  const askToRead = ({ read, lease }: Extract<ShardEffect, { type: 'raft.read' }>): void =>
    ports.raft({ type: 'raft.read', read, lease, now: clock.now(), wallMs: clock.wall() })

  const perform = (effect: ShardEffect): void => {
    switch (effect.type) {
      case 'shard.answer': answer(effect); return
      case 'raft.propose':
        recorder.record({
          actor: name, kind: 'batch', event: 'proposal', shard, term: core.term, bytes: effect.payload.length,
          detail: { operations: operationsIn(effect.payload) },
        })
        ports.raft(effect)
        return
      case 'raft.read': askToRead(effect); return
      case 'shard.flushWanted': ports.requestFlush(); return
      case 'shard.serving': ports.serving(effect.serving, effect.term); return
      case 'shard.drainSlot': ports.drainSlot(effect.drain); return
      case 'shard.quiet': ports.quiet(); return
      case 'shard.writeSnapshot': writeSnapshot(effect); return
      case 'shard.changed': ports.changed(effect.key, effect.revision, effect.code); return
    }
    effect satisfies never
  }

  const shell = createShell({
    machine: shardMachine,
    input: { core },
    effects: core.effects,
    perform,
    onFailure: options.onFailure,
    onState: (state) => log.info({ state, term: core.term, index: core.state.appliedIndex }, 'shard state'),
    recording: { recorder, actor: name, about: () => ({ shard, term: core.term, detail: { index: core.state.appliedIndex } }) },
  })
  const owed = createOwedTicks<ShardEvent>({
    board: options.ticks ?? createTickBoard(),
    isDue: () => isTickDue(core),
    dueInTicks: () => (isTickDue(core) ? 1 : Number.POSITIVE_INFINITY),
    give: shell.send,
  })
  const { send } = owed

  return {
    send: ports.instruments === undefined ? send : timingApply(ports.instruments, clock, send),
    state: shell.state,
    meter,
    isServing: () => core.isServing,
    status: () => ({
      appliedIndex: core.state.appliedIndex,
      appliedTerm: core.state.appliedTerm,
      revision: core.state.revision,
      keys: core.state.keys.size(),
      keyBytes: core.state.keyBytes,
      writtenBytes: core.writtenBytes,
      serving: core.isServing,
      timeMs: core.state.timeMs,
      sessions: core.state.sessions.open.size,
      pendingOperations: core.pendingOperations,
      pendingBytes: core.pendingBytes,
      snapshotIndex: core.snapshotIndex,
      undecodable: core.state.undecodable,
      counters: { ...core.counters },
    }),
    stateHash: () => hashState(core.state),
    stop: () => {
      cancelSnapshot()
      owed.leave()
      shell.stop()
    },
  }
}

const timingApply = (instruments: ShardInstruments, clock: Clock, send: (event: ShardEvent) => void) => (event: ShardEvent): void => {
  if (event.type !== 'raft.committed') {
    send(event)
    return
  }
  const beganAt = clock.now()
  send(event)
  instruments.applied(event.entries.length, clock.now() - beganAt)
}
