/**
 * One shard actor with everything around it in the test's hands: what it says is recorded, and Raft answers only when told to.
 * `takeAll` lets Raft take the open proposals; `commit` delivers entries, as the log would.
 */

import { createTickBoard } from '../../../actors/kernel/tickBoard.ts'
import { createShard } from '../../../actors/shard/actor.ts'
import { nodeId, replicaId, shardId } from '../../../topology/ids.ts'
import { silentLogger } from '../../../actors/kernel/log.ts'
import { EntryKind } from '../../../actors/raft/protocol.ts'
import { decodeBatch } from '../../../actors/shard/batch.ts'
import { chunksOf } from './entries.ts'
import type { Entry, RaftLocalEvent, RaftRole } from '../../../actors/raft/protocol.ts'
import type { Cancel } from '../../../actors/kernel/clock.ts'
import type { TickBoard } from '../../../actors/kernel/tickBoard.ts'
import type { ShardPorts } from '../../../actors/shard/actor.ts'
import type { ShardLimits } from '../../../actors/shard/limits.ts'
import type { Consistency, Operation, OperationResult } from '../../../actors/shard/operation.ts'
import type { Policy, ShardEvent, SnapshotChunks } from '../../../actors/shard/protocol.ts'
import type { ShardState } from '../../../actors/shard/state.ts'
import type { SnapshotInfo, SnapshotStore } from '../../../storage/snapshotStore.ts'

export const here = nodeId('n1')
export const there = nodeId('n2')

export interface Ask {
  readonly policy?: Policy
  readonly term?: number
  readonly consistency?: Consistency
  readonly from?: typeof here
}

interface SnapshotWrite {
  readonly index: number
  readonly term: number
  readonly chunks: SnapshotChunks
  readonly done: (error: Error | null) => void
}

export interface HarnessOptions {
  readonly limits?: Partial<ShardLimits>
  readonly entryBytesMax?: number
  readonly announceChanges?: boolean
  readonly headStart?: number
  readonly pruneFails?: boolean
  readonly snapshotsInUse?: readonly number[]
  /** Where the test lets time pass; otherwise by `tick`. */
  readonly ticks?: TickBoard
}

const quietPorts = (
  said: string[], { snapshotsInUse = [] }: HarnessOptions,
): Pick<ShardPorts, 'configurationAt' | 'snapshotsInUse' | 'drainSlot' | 'quiet'> => ({
  snapshotsInUse: () => snapshotsInUse,
  configurationAt: () => ({ epoch: 0, voters: [], outgoing: [], learners: [] }),
  drainSlot: (drain) => { said.push(`drains ${drain}`) },
  quiet: () => { said.push('quiet') },
})

const settingsOf = (
  { limits = {}, ticks = createTickBoard(), entryBytesMax = 10_000, announceChanges = false, headStart = 0 }: HarnessOptions,
) => ({ limits, ticks, entryBytesMax, announceChanges, headStart })

export const createHarness = (options: HarnessOptions = {}) => {
  const answers: { batch: number; to: string; results: readonly OperationResult[] }[] = []
  const proposals: Extract<RaftLocalEvent, { type: 'raft.propose' }>[] = []
  const reads: Extract<RaftLocalEvent, { type: 'raft.read' }>[] = []
  const stored: Extract<RaftLocalEvent, { type: 'raft.snapshotStored' }>[] = []
  const serving: string[] = []
  const changes: string[] = []
  const writes: SnapshotWrite[] = []
  const failures: unknown[] = []
  const lines: string[] = []
  let isFlushWanted = false
  let now = 1_000
  let batch = 0
  let index = 0
  let isCancelled = false

  const snapshots = {
    write: ({ index: at, term }, chunks, done): Cancel => {
      writes.push({ index: at, term, chunks, done: (error) => done(error, { totalBytes: 77 } as SnapshotInfo) })
      return () => { isCancelled = true }
    },
    prune: (_group, { newest, through, inUse }, done) => {
      lines.push(`prune to ${newest} through ${through}, leave ${inUse.join()}`)
      done(options.pruneFails === true ? new Error('pruning') : null)
    },
  } as Partial<SnapshotStore> as SnapshotStore

  const onRaft = (event: RaftLocalEvent): void => {
    if (event.type === 'raft.propose') proposals.push(event)
    if (event.type === 'raft.read') reads.push(event)
    if (event.type === 'raft.snapshotStored') stored.push(event)
  }

  const shard = createShard({
    shard: shardId(3),
    self: replicaId(here, 1),
    clock: { now: () => now, wall: () => 0, after: () => () => {}, defer: () => {} },
    log: { ...silentLogger, warn: (_fields, message) => { lines.push(message) } },
    ...settingsOf(options),
    ports: {
      answer: (to, { batch: number, results }) => { answers.push({ batch: number, to: `${to.node}/${to.address}`, results }) },
      raft: onRaft,
      snapshots,
      serving: (isServing, term) => { serving.push(`${isServing ? 'serves' : 'stops'} ${term}`) },
      ...quietPorts(serving, options),
      changed: (key, revision, code) => { changes.push(`${key} ${revision} ${code}`) },
      requestFlush: () => { isFlushWanted = true },
    },
    onFailure: (error) => failures.push(error),
  })

  const role = (name: RaftRole, term: number, more: { settled?: boolean; clockMs?: number; leader?: typeof here | '' } = {}): void => {
    shard.send({
      type: 'raft.roleChanged', role: name, term, leaderNode: more.leader ?? (name === 'leader' ? here : ''),
      settled: more.settled ?? false, clockMs: more.clockMs ?? 0, now,
    })
  }
  const commit = (...entries: readonly Entry[]): void => {
    index = Math.max(index, ...entries.map((entry) => entry.index))
    shard.send({ type: 'raft.committed', entries })
  }
  const harness = {
    shard, answers, proposals, reads, stored, serving, changes, writes, failures, lines, role, commit,
    isCancelled: () => isCancelled,
    send: (event: ShardEvent) => shard.send(event),
    pass: (ms: number): void => { now += ms },
    /** Elected in `term`, its no-op committed: serving. */
    lead: (term = 1, clockMs = 50_000): void => {
      role('leader', term, { clockMs })
      role('leader', term, { settled: true, clockMs })
      commit({ term, index: index + 1, kind: EntryKind.noop, payload: new Uint8Array(0) })
    },
    ask: (operations: readonly Operation[], ask: Ask = {}): number => {
      batch += 1
      shard.send({
        type: 'shard.request', replyTo: 'connection/raw', batch, policy: ask.policy ?? 'slot', term: ask.term ?? 0,
        consistency: ask.consistency ?? 'linearizable', operations, origin: { node: ask.from ?? here, address: 'connection/raw' }, now,
      })
      return batch
    },
    isFlushWanted: (): boolean => isFlushWanted,
    flush: (): void => {
      isFlushWanted = false
      shard.send({ type: 'shard.flush', now })
    },
    tick: (): void => shard.send({ type: 'tick', now, wallMs: 0 }),
    /** Raft takes every open proposal in `term`; the entries they became, not yet committed. */
    takeAll: (term = 1): Entry[] => proposals.splice(0).map(({ proposal, payload }, i) => {
      const entry = { term, index: index + 1 + i, kind: EntryKind.batch, payload }
      shard.send({ type: 'raft.proposed', proposal, term, index: entry.index })
      return entry
    }),
    resultsOf: (number: number): readonly OperationResult[] | undefined => answers.find(({ batch: at }) => at === number)?.results,
    /** Status, and + for definite or - for indefinite, of each result of a request; undefined when it was not answered. */
    verdictOf: (number: number): readonly string[] | undefined => harness.resultsOf(number)
      ?.map(({ status, definite }) => (definite === undefined ? status : `${status}${definite ? '+' : '-'}`)),
    restore: (state: ShardState): void => {
      shard.send({ type: 'shard.restoring' })
      for (const bytes of chunksOf(state)) shard.send({ type: 'shard.restoreChunk', bytes })
    },
  }
  return harness
}

export type Harness = ReturnType<typeof createHarness>

/** The keys of every open proposal, one string each. */
export const asked = (harness: Harness): readonly string[] => harness.proposals.map(({ payload }) => {
  const decoded = decodeBatch(payload)
  return 'reason' in decoded ? decoded.reason : decoded.value.operations.map(({ key }) => key).join(' ')
})

/** The log time of an open proposal. */
export const timeOf = (harness: Harness, at = 0): number => {
  const decoded = decodeBatch(harness.proposals[at]?.payload ?? new Uint8Array(0))
  return 'reason' in decoded ? -1 : decoded.value.timeMs
}
