/** Clients' histories held against the committed log: contradictions are found, unknown outcomes resolved. */

import { expect, test } from '@jest/globals'
import { encodeBatch } from '../../actors/shard/batch.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { createShardLedger } from '../../sim/ledger.ts'
import { settleHistory } from '../../sim/settle.ts'
import type { Operation } from '../../actors/shard/operation.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'
import type { Settled } from '../../sim/settle.ts'

const put = (value: string, requestId?: string): Operation => ({
  code: OpCode.put, key: 'k', value: new TextEncoder().encode(value), ...(requestId === undefined ? {} : { requestId }),
})
const ok = (revision: number, value?: string): Outcome =>
  ({ kind: 'answered', status: 'OK', revision, ...(value === undefined ? {} : { value }) })
const unknown: Outcome = { kind: 'unknown' }

const settle = (committed: readonly Operation[], seen: readonly (readonly [Call, Outcome, string?])[]): Settled => {
  const ledger = createShardLedger(0)
  committed.forEach((operation, i) => ledger.commit(
    { term: 1, index: i + 1, kind: EntryKind.batch, payload: encodeBatch({ timeMs: 1, operations: [operation] }) }, 100 + i))
  return settleHistory(seen.map(([call, outcome, requestId], id): HistoryOperation => ({
    id, client: 1, key: 'k', call, outcome, consistency: 'linearizable',
    invokedAt: id, completedAt: outcome.kind === 'unknown' ? Infinity : id + 1,
    ...(requestId === undefined ? {} : { requestId }),
  })), () => ledger)
}

test('an acknowledged write that is committed is fine', () => {
  expect(settle([put('a')], [[{ kind: 'put', value: 'a' }, ok(1)]]).problems).toEqual([])
})

test('an acknowledged write that was never committed is found', () => {
  expect(settle([], [[{ kind: 'put', value: 'a' }, ok(1)]]).problems[0]).toContain('not in the committed log')
})

test('a wrong revision is found', () => {
  expect(settle([put('a')], [[{ kind: 'put', value: 'a' }, ok(2)]]).problems[0]).toContain('says OK revision=1')
})

test('a definite failure that took effect is found', () => {
  const refused: Outcome = { kind: 'failed', status: 'NOT_LEADER' }
  expect(settle([put('a')], [[{ kind: 'put', value: 'a' }, refused]]).problems[0]).toContain('definite failure took effect')
})

test('a request without an id that was executed twice is found', () => {
  expect(settle([put('a'), put('a')], [[{ kind: 'put', value: 'a' }, ok(1)]]).problems[0]).toContain('executed 2 times')
})

test('a request id that was committed twice counts once', () => {
  expect(settle([put('a', 'q'), put('a', 'q')], [[{ kind: 'put', value: 'a' }, ok(1), 'q']]).problems).toEqual([])
})

test('a write that was answered with what became of another one under its id is found', () => {
  const [first, second] = [{ kind: 'put', value: 'a' }, { kind: 'put', value: 'b' }] as const
  const committed = [put('a', 'q'), put('b', 'q')]
  const seen = (outcome: Outcome): Settled => settle(committed, [[first, ok(1), 'q'], [second, outcome, 'q']])
  expect(seen(ok(1)).problems).toEqual([expect.stringContaining('what became of another write')])
  expect(seen({ kind: 'failed', status: 'REQUEST_ID_REUSED' }).problems).toEqual([])
  expect(seen(unknown)).toMatchObject({ problems: [], history: [{}, { outcome: { kind: 'failed', status: 'NOT_COMMITTED' } }] })
})

test('a write that was refused for an id which no other write has is found', () => {
  const refused: Outcome = { kind: 'failed', status: 'REQUEST_ID_REUSED' }
  expect(settle([], [[{ kind: 'put', value: 'a' }, refused, 'q']]).problems[0]).toContain('called another write')
  expect(settle([put('a', 'q')], [[{ kind: 'put', value: 'a' }, refused, 'q']]).problems).toHaveLength(1)
})

test('a read of what was never committed is found', () => {
  expect(settle([put('a')], [[{ kind: 'get' }, ok(1, 'b')]]).problems[0]).toContain('never committed')
})

test('a read of what was overwritten before it began, or written after it ended, is found', () => {
  const read = (invokedAt: number, completedAt: number, outcome: Outcome): readonly string[] => {
    const ledger = createShardLedger(0)
    ;['a', 'b'].forEach((value, i) => ledger.commit(
      { term: 1, index: i + 1, kind: EntryKind.batch, payload: encodeBatch({ timeMs: 1, operations: [put(value)] }) }, 100 * (i + 1)))
    return settleHistory([{
      id: 1, client: 1, key: 'k', call: { kind: 'get' }, outcome, consistency: 'linearizable', invokedAt, completedAt,
    }], () => ledger).problems
  }
  const absent: Outcome = { kind: 'answered', status: 'NOT_FOUND', revision: 0 }
  for (const [from, to, outcome] of [[110, 120, ok(1, 'a')], [150, 210, ok(1, 'a')], [150, 210, ok(2, 'b')], [50, 60, absent]] as const) {
    expect(read(from, to, outcome)).toEqual([])
  }
  for (const [from, to, outcome] of [[210, 220, ok(1, 'a')], [110, 120, ok(2, 'b')], [110, 120, absent]] as const) {
    expect(read(from, to, outcome)[0]).toContain('not in force')
  }
})

test('a stale read may return what was overwritten, and not what was committed after its answer', () => {
  const ledger = createShardLedger(0)
  ledger.commit({ term: 1, index: 1, kind: EntryKind.batch, payload: encodeBatch({ timeMs: 1, operations: [put('a')] }) }, 100)
  ledger.commit({ term: 1, index: 2, kind: EntryKind.batch, payload: encodeBatch({ timeMs: 1, operations: [put('b')] }) }, 200)
  const read = (completedAt: number, outcome: Outcome): readonly string[] => settleHistory([{
    id: 1, client: 1, key: 'k', call: { kind: 'get' }, outcome, consistency: 'stale', invokedAt: completedAt - 1, completedAt,
  }], () => ledger).problems
  expect([...read(100, ok(1, 'a')), ...read(300, ok(1, 'a')), ...read(200, ok(2, 'b'))]).toEqual([])
  expect(read(199, ok(2, 'b'))).toEqual([expect.stringContaining('committed after its answer')])
})

test('a key is absent from its expiry on, though no client removed it', () => {
  const ledger = createShardLedger(0)
  const leased = { ...put('a'), ttlMs: 10 }
  const entryOf = (index: number, timeMs: number, operations: readonly Operation[]) =>
    ({ term: 1, index, kind: EntryKind.batch, payload: encodeBatch({ timeMs, operations }) })
  ledger.commit(entryOf(1, 1_000, [leased]), 100)
  ledger.commit(entryOf(2, 1_010, []), 200)
  expect(ledger.versionsOf('k').map(({ at, record }) => [at, record?.value ?? null])).toEqual([[0, null], [100, 'a'], [200, null]])
})

test('a request of a session is recognised by its sequence', () => {
  const ledger = createShardLedger(0)
  const session = { client: '0000000000000001', sequence: 1, firstIncomplete: 1 }
  const write = { ...put('a'), session }
  const operations: readonly Operation[] = [{ code: OpCode.openSession, key: '', session }, write, write]
  ledger.commit({ term: 1, index: 1, kind: EntryKind.batch, payload: encodeBatch({ timeMs: 1, operations }) }, 100)
  const operation: HistoryOperation = {
    id: 0, client: 1, key: 'k', call: { kind: 'put', value: 'a' }, session, outcome: unknown, consistency: 'linearizable',
    invokedAt: 1, completedAt: Infinity,
  }
  const settled = settleHistory([operation], () => ledger)
  expect(settled.problems).toEqual([])
  expect(settled.history[0]).toMatchObject({ outcome: ok(1), completedAt: 100 })
})

test('an unknown write that is in the log took effect when it was committed', () => {
  expect(settle([put('a')], [[{ kind: 'put', value: 'a' }, unknown]]).history[0]).toMatchObject({ outcome: ok(1), completedAt: 100 })
})

test('an unknown write that is not in the log is dropped', () => {
  expect(settle([], [[{ kind: 'put', value: 'a' }, unknown]]).history[0]?.outcome.kind).toBe('failed')
})

test('an unknown deletion without a request id stays unknown', () => {
  expect(settle([], [[{ kind: 'del' }, unknown]]).history[0]?.outcome.kind).toBe('unknown')
})
