/**
 * What clients saw, as a file that any checker can read: one JSON object a line, in the order of one monotonic clock (`at`, in ms).
 * The format is described in docs/TESTING.md ("Histories"); chaos/porcupine reads it, too.
 *
 *   {"event":"begin","format":"shardkv-history/1","shards":16, ...}   the first line
 *   {"event":"invoke","at":12.5,"op":1,"client":3,"via":"sdk","key":"register-1","call":{"kind":"put","value":"v31"},
 *    "consistency":"linearizable"}                              (on one line)
 *   {"event":"complete","at":14.1,"op":1,"outcome":{"kind":"answered","status":"OK","revision":7}}
 *   {"event":"repeat","at":15.0,"op":1,"outcome":{...}}           the same request id, sent again after its answer
 *   {"event":"nemesis","at":20.0,"name":"kill","text":"leader n2"}
 *   {"event":"end","at":40123.0}                                  the last line of a whole history
 *
 * An operation without a completion is of unknown outcome, like one that completes as `unknown`. Reads of client -1 are made after
 * everything has ended, one of each key.
 */

import type { Call, HistoryOperation, Outcome } from '../sim/history.ts'

export const FORMAT = 'shardkv-history/1'
/** Who reads every key when all is over. */
export const FINAL_CLIENT = -1

export interface Invocation {
  readonly client: number
  readonly via: string
  readonly key: string
  readonly call: Call
  readonly consistency: HistoryOperation['consistency']
}

export interface Recorder {
  /** The operation's number. */
  readonly invoke: (invocation: Invocation) => number
  readonly complete: (op: number, outcome: Outcome) => void
  readonly repeat: (op: number, outcome: Outcome) => void
  readonly nemesis: (name: string, text: string) => void
  readonly end: () => void
  readonly history: () => History
}

export interface History {
  /** Of the cluster; null where the file does not say. */
  readonly shards: number | null
  readonly operations: readonly HistoryOperation[]
  /** Answers to request ids that were sent again after their first answer, by operation. */
  readonly repeats: ReadonlyMap<number, readonly Outcome[]>
  readonly isWhole: boolean
}

type Draft = { -readonly [Field in keyof HistoryOperation]: HistoryOperation[Field] }

interface Gathered {
  shards: number | null
  readonly operations: Draft[]
  readonly repeats: Map<number, Outcome[]>
  isWhole: boolean
}

type Line =
  | { readonly event: 'begin'; readonly format: string; readonly shards?: unknown }
  | { readonly event: 'invoke'; readonly at: number; readonly op: number } & Invocation
  | { readonly event: 'complete' | 'repeat'; readonly at: number; readonly op: number; readonly outcome: Outcome }
  | { readonly event: 'nemesis'; readonly at: number; readonly name: string; readonly text: string }
  | { readonly event: 'end'; readonly at: number }

const nothing = (): Gathered => ({ shards: null, operations: [], repeats: new Map(), isWhole: false })

/** `about` joins the first line: seed, commit, plan, and how many shards there are. */
export const createRecorder = (write: (line: string) => void = () => {}, about: Readonly<Record<string, unknown>> = {}): Recorder => {
  const gathered = nothing()
  const since = performance.now()
  const now = (): number => Math.round((performance.now() - since) * 1_000) / 1_000
  const put = (line: Line): void => {
    gather(gathered, line)
    write(JSON.stringify(line))
  }
  let lastOp = 0
  put({ event: 'begin', format: FORMAT, ...about })
  return {
    invoke: (invocation) => {
      lastOp += 1
      put({ event: 'invoke', at: now(), op: lastOp, ...invocation })
      return lastOp
    },
    complete: (op, outcome) => put({ event: 'complete', at: now(), op, outcome }),
    repeat: (op, outcome) => put({ event: 'repeat', at: now(), op, outcome }),
    nemesis: (name, text) => put({ event: 'nemesis', at: now(), name, text }),
    end: () => put({ event: 'end', at: now() }),
    history: () => gathered,
  }
}

/** Throws with the line's number where it is no history. */
export const parseHistory = (text: string): History => {
  const gathered = nothing()
  text.split('\n').forEach((line, i) => {
    if (line === '') return
    try {
      gather(gathered, JSON.parse(line) as Line)
    } catch (error) {
      throw new Error(`line ${i + 1}: ${String(error)}`, { cause: error })
    }
  })
  return gathered
}

const gather = (gathered: Gathered, line: Line): void => {
  switch (line.event) {
    case 'begin':
      if (line.format !== FORMAT) throw new Error(`format ${line.format} is not ${FORMAT}`)
      gathered.shards = shardsIn(line.shards)
      return
    case 'invoke': {
      const { at, op, client, key, call, consistency } = line
      if (op !== gathered.operations.length + 1) throw new Error(`operation ${op} is out of turn`)
      gathered.operations.push({
        id: op, client, key, call, consistency, invokedAt: at, completedAt: Number.POSITIVE_INFINITY, outcome: { kind: 'unknown' },
      })
      return
    }
    case 'complete': {
      const operation = gathered.operations[line.op - 1]
      if (operation === undefined) throw new Error(`operation ${line.op} was never invoked`)
      operation.outcome = line.outcome
      if (line.outcome.kind !== 'unknown') operation.completedAt = line.at
      return
    }
    case 'repeat':
      gathered.repeats.set(line.op, [...gathered.repeats.get(line.op) ?? [], line.outcome])
      return
    case 'nemesis':
      return
    case 'end':
      gathered.isWhole = true
      return
  }
  line satisfies never
  throw new Error('no such event')
}

const shardsIn = (shards: unknown): number | null => {
  if (shards === undefined) return null
  if (typeof shards !== 'number' || !Number.isSafeInteger(shards) || shards < 1) throw new Error('shards is no number of shards')
  return shards
}

/** What the final reads showed; only keys that were read at the end. */
export const finalsOf = ({ operations }: History): ReadonlyMap<string, string | null> =>
  new Map(operations.flatMap(({ client, key, outcome }) =>
    (client === FINAL_CLIENT && outcome.kind === 'answered' ? [[key, outcome.value ?? null] as const] : [])))
