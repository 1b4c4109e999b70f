/**
 * The committed log of every shard, as the simulator saw it become committed: the truth that replicas and
 * clients are held against.
 *
 * The first replica to commit an index writes the line; everybody else must agree with it for ever. Each line is
 * also given to the model, so that the state and every answer at that index are known independently of the
 * product's state machine.
 */

import { EntryKind } from '../actors/raft/protocol.ts'
import { OpCode } from '../actors/shard/operation.ts'
import { createModel } from './model.ts'
import type { Entry } from '../actors/raft/protocol.ts'
import type { ModelRecord, ModelResult, ModelStep } from './model.ts'

export interface LedgerLine {
  readonly entry: Entry
  /** Virtual milliseconds at which the first replica committed it. */
  readonly committedAt: number
  /** The model after this line: what every replica that applied this index must report. */
  readonly revision: number
  readonly keys: number
}

/** What became of one mutation, found by its identity. */
export interface Fate {
  readonly result: ModelResult
  readonly committedAt: number
  /** How often it was executed: more than once breaks exactly-once. */
  executions: number
}

export interface ShardLedger {
  readonly shard: number
  /** Line of index i stands at i - 1. */
  readonly lines: readonly LedgerLine[]
  readonly commit: (entry: Entry, at: number) => void
  readonly fateOf: (identity: string) => Fate | undefined
  readonly read: (key: string) => ModelRecord | undefined
  /** Whether the key ever had this value under this revision. */
  readonly hadVersion: (key: string, revision: number, value: string) => boolean
  readonly payloadsUndecodable: () => number
}

/** How a mutation is recognised in the log: by request id, else by its value, which the workload makes unique. Null: it can not be. */
export const identityOf = (operation: { readonly code: number; readonly key: string; readonly value?: string | undefined
  readonly requestId?: string | undefined }): string | null => {
  if (operation.requestId !== undefined) return `id ${operation.requestId}`
  if (operation.code === OpCode.put || operation.code === OpCode.incr) return `${operation.code} ${operation.key} ${operation.value ?? ''}`
  return null
}

export const createShardLedger = (shard: number): ShardLedger => {
  const lines: LedgerLine[] = []
  const model = createModel()
  const fates = new Map<string, Fate>()
  const versions = new Set<string>()
  let undecodable = 0

  const note = (step: ModelStep, at: number): void => {
    const { operation, value, result } = step
    const { key } = operation
    const written = model.read(key)
    if (written?.revision === result.revision) versions.add(versionKey(key, written.revision, written.value))
    const identity = identityOf({ code: operation.code, key: operation.key, value, requestId: operation.requestId })
    if (identity === null) return
    const known = fates.get(identity)
    if (known === undefined) fates.set(identity, { result, committedAt: at, executions: 1 })
    else if (!step.isDuplicate) known.executions += 1
  }
  return {
    shard,
    lines,
    commit: (entry, at) => {
      if (entry.kind === EntryKind.batch && !model.apply(entry.payload, (step) => note(step, at))) undecodable += 1
      lines.push({ entry, committedAt: at, revision: model.revision(), keys: model.keys() })
    },
    fateOf: (identity) => fates.get(identity),
    read: model.read,
    hadVersion: (key, revision, value) => versions.has(versionKey(key, revision, value)),
    payloadsUndecodable: () => undecodable,
  }
}

const versionKey = (key: string, revision: number, value: string): string => `${revision} ${key} ${value}`
