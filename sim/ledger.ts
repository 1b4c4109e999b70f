/**
 * The committed log of every group, as the simulator saw it become committed: the truth that replicas and
 * clients are held against. That of the meta group is a log alone: what it says is replayed elsewhere (mapLedger.ts).
 *
 * The first replica to commit an index writes the line; everybody else must agree with it for ever. Each line is
 * also given to the model, so that the state and every answer at that index are known independently of the
 * product's state machine.
 */

import { EntryKind } from '../actors/raft/protocol.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { createModel } from './model.ts'
import type { Entry } from '../actors/raft/protocol.ts'
import type { SessionRequest } from '../actors/shard/operation.ts'
import type { ModelObserver, ModelRecord, ModelResult, ModelStep } from './model.ts'

export interface LedgerLine {
  readonly entry: Entry
  /** Virtual milliseconds at which the first replica committed it. */
  readonly committedAt: number
  /** The model after this line: what every replica that applied this index must report. */
  readonly revision: number
  readonly keys: number
  /** Log time (actors/shard/logTime.ts); 0 before there is one. */
  readonly timeMs: number
}

/** What became of one mutation, found by its identity. */
export interface Fate {
  /** What was executed: under its identity something else may have been asked for. */
  readonly content: string
  readonly result: ModelResult
  readonly committedAt: number
  /** How often it was executed: more than once breaks exactly-once. */
  executions: number
}

export interface Version {
  /** Virtual milliseconds at which it was committed. */
  readonly at: number
  /** Null: absent. */
  readonly record: ModelRecord | null
}

/** Of any group. */
export interface GroupLedger {
  /** Line of index i stands at i - 1. */
  readonly lines: readonly LedgerLine[]
  readonly commit: (entry: Entry, at: number) => void
}

export interface ShardLedger extends GroupLedger {
  readonly shard: number
  readonly fateOf: (identity: string) => Fate | undefined
  /** What the key was, in order, each from its commit on; absent at first. */
  readonly versionsOf: (key: string) => readonly Version[]
  readonly payloadsUndecodable: () => number
  /** Log time at which the next key or session ends; infinite when none does. */
  readonly nextEndMs: () => number
}

export interface Identified {
  readonly code: number
  readonly key: string
  readonly value?: string | undefined
  readonly requestId?: string | undefined
  readonly session?: Pick<SessionRequest, 'client' | 'sequence'> | undefined
}

/** How a mutation is recognised in the log: by session or request id, else by its value, which the workload makes unique. */
export const identityOf = (operation: Identified): string | null => {
  if (operation.session !== undefined) return `session ${operation.session.client}:${operation.session.sequence}`
  if (operation.requestId !== undefined) return `id ${operation.requestId}`
  return operation.code === OpCode.put || operation.code === OpCode.incr ? contentOf(operation) : null
}

/** What a mutation asks for, as far as a history tells. */
export const contentOf = ({ code, key, value = '' }: Identified): string => `${code} ${key} ${value}`

export interface LedgerObserver {
  /** After each operation of a committed entry. */
  readonly onStep: (shard: number, entry: Entry, step: ModelStep) => void
  readonly onExpired: (shard: number, key: string) => void
  readonly onSessionEnded: (shard: number, client: string) => void
}

/** Of a group whose state has no revisions and keys. */
export const createPlainLedger = (): GroupLedger => {
  const lines: LedgerLine[] = []
  return { lines, commit: (entry, at) => { lines.push({ entry, committedAt: at, revision: 0, keys: 0, timeMs: 0 }) } }
}

export const createShardLedger = (shard: number, observer?: LedgerObserver): ShardLedger => {
  const lines: LedgerLine[] = []
  const model = createModel()
  const fates = new Map<string, Fate>()
  const versions = new Map<string, Version[]>()
  let undecodable = 0

  const note = (step: ModelStep, at: number): void => {
    const { operation, value, result } = step
    noteVersion(operation.key, at)
    const { code, key, requestId, session } = operation
    const identified = { code, key, value, requestId, session }
    const identity = identityOf(identified)
    if (identity === null || result === null || !step.isExecuted) return
    const known = fates.get(identity)
    if (known === undefined) fates.set(identity, { content: contentOf(identified), result, committedAt: at, executions: 1 })
    else known.executions += 1
  }
  const versionsOf = (key: string): Version[] => {
    const known = versions.get(key)
    if (known !== undefined) return known
    const first: Version[] = [{ at: 0, record: null }]
    versions.set(key, first)
    return first
  }
  const observerOf = (entry: Entry, at: number): ModelObserver => ({
    onStep: (step) => {
      observer?.onStep(shard, entry, step)
      note(step, at)
    },
    onExpired: (key) => {
      observer?.onExpired(shard, key)
      noteVersion(key, at)
    },
    onSessionEnded: (client) => observer?.onSessionEnded(shard, client),
  })
  const noteVersion = (key: string, at: number): void => {
    const record = model.read(key) ?? null
    const ofKey = versionsOf(key)
    if (ofKey.at(-1)?.record?.revision !== record?.revision) ofKey.push({ at, record })
  }
  return {
    shard,
    lines,
    commit: (entry, at) => {
      if (entry.kind === EntryKind.batch && !model.apply(entry.payload, observerOf(entry, at))) undecodable += 1
      lines.push({ entry, committedAt: at, revision: model.revision(), keys: model.keys(), timeMs: model.timeMs() })
    },
    fateOf: (identity) => fates.get(identity),
    versionsOf,
    payloadsUndecodable: () => undecodable,
    nextEndMs: model.nextEndMs,
  }
}
