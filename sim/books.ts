/**
 * The books at the end of a run: every key is read once more, then the clients' history is held against the committed log, against
 * exactly-once, and against linearizability.
 */

import { checkExactlyOnce } from './exactlyOnce.ts'
import { describeOperation, isExpiringKey, shardOfKey } from './history.ts'
import { checkLinearizability } from './linearizability.ts'
import { awaitTrue } from './liveness.ts'
import { settleHistory } from './settle.ts'
import type { HistoryOperation } from './history.ts'
import type { ShardLedger } from './ledger.ts'
import type { Simulation } from './simulation.ts'

const READ_MS_MAX = 30_000

export const checkBooks = (simulation: Simulation): void => {
  const { workload, watch, options } = simulation
  let finals: ReadonlyMap<string, string | null> | null = null
  const readsBeganAt = simulation.timeline.now()
  workload.readAll((values) => { finals = values })
  awaitTrue(simulation, { withinMs: READ_MS_MAX, isTrue: () => finals !== null, problem: () => 'the final reads are not answered' })
  if (simulation.violation() !== null || finals === null) return
  const ledgerOf = (key: string): ShardLedger => watch.ledgers[shardOfKey(key, options.shards)] as ShardLedger
  const settled = settleHistory(workload.history(), ledgerOf)
  const problems = [
    ...workload.surprises(), ...settled.problems,
    ...checkExactlyOnce({ history: asOf(readsBeganAt, settled.history), finals, repeats: workload.repeats() }),
  ]
  const [first] = problems
  if (first !== undefined) simulation.fail({ invariant: 'history agrees with the log', text: first })
  const verdict = checkLinearizability(settled.history.filter(({ key }) => !isExpiringKey(key)))
  if (verdict.kind === 'tooHard') {
    simulation.fail({ invariant: 'the checker finishes', text: `key ${verdict.key} took ${verdict.steps} steps` })
  }
  if (verdict.kind === 'violation') {
    simulation.fail({ invariant: 'linearizable', text: [`key ${verdict.key}`, ...verdict.operations.map(describeOperation)].join('\n  ') })
  }
}

/** A request that was stuck in the network may still take effect beside the final reads, or after them: they can not tell. */
const asOf = (atMs: number, history: readonly HistoryOperation[]): HistoryOperation[] => history.map((operation) =>
  (operation.call.kind !== 'get' && operation.completedAt > atMs ? { ...operation, outcome: { kind: 'unknown' } } : operation))
