/** What ends too late, shown to the invariants that see it (sim/invariants/currentLogTime.ts, sim/invariants/nothingOverdue.ts). */

import { describe, expect, test } from '@jest/globals'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { encodeBatch } from '../../actors/shard/batch.ts'
import { OpCode } from '../../actors/shard/operation.ts'
import { SESSION_IDLE_MS, SESSION_RENEW_MS } from '../../actors/shard/sessions.ts'
import { createCurrentLogTime } from '../../sim/invariants/currentLogTime.ts'
import { overdue } from '../../sim/invariants/nothingOverdue.ts'
import { createShardLedger } from '../../sim/ledger.ts'
import { SIM_TICK_MS } from '../../sim/options.ts'
import { WALL_START_MS } from '../../sim/wallClock.ts'
import { a, b, c, d, entry, none, view } from './views.ts'
import type { Entry } from '../../actors/raft/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { ShardLedger } from '../../sim/ledger.ts'
import type { ReplicaView } from '../../sim/view.ts'

describe('log time, once its leader serves', () => {
  const RATE = 0.01
  const ASKED_AT = 1_000
  const SERVED_AT = 1_400
  const APPENDED_AT = 2_000
  /** What is still allowed, of right clocks: no later than votes were asked for, less a tick, drift and whole milliseconds. */
  const ALLOWED_MS = Math.floor(
    (SERVED_AT - ASKED_AT + SIM_TICK_MS * (1 + RATE)) * (1 - RATE) + RATE * APPENDED_AT + 3)
  const batch = (term: number, lateMs: number, appendedAt = APPENDED_AT): Entry => ({
    ...entry(1, term), kind: EntryKind.batch, payload: encodeBatch({ timeMs: WALL_START_MS + appendedAt - lateMs, operations: [] }),
  })

  const voting = (...voters: readonly ReplicaId[]): ReplicaView['configuration'] => ({ epoch: 0, voters, outgoing: [], learners: [] })
  interface Given { readonly appendedAt?: number; readonly asked?: Partial<ReplicaView> }

  /** `a` asks for votes and serves; the clocks of the nodes are what is shown of them, when and of whom. */
  const tell = (
    shown: readonly (readonly [atMs: number, who: ReplicaId, wallOffsetMs: number])[],
    { appendedAt = APPENDED_AT, asked = {} }: Given = {},
  ) => {
    let now = 0
    const { check } = createCurrentLogTime(() => now, RATE)
    const ledger = createShardLedger(0)
    const look = (at: number, who: ReplicaId, more: Partial<ReplicaView>): string | null | undefined => {
      now = at
      return check?.(view(who, [], { term: 1, lastIndex: 0, ...more }), ledger)
    }
    let ofA: Partial<ReplicaView> = {}
    const acts: (readonly [at: number, who: ReplicaId, more: Partial<ReplicaView>])[] = [
      ...shown.map(([at, who, wallOffsetMs]) => [at, who, { wallOffsetMs }] as const),
      [ASKED_AT, a, { role: 'candidate', ...asked }],
      [SERVED_AT, a, { role: 'leader', isServing: true, configuration: voting(a, b, c) }],
      [appendedAt, a, { lastIndex: 1 }],
    ]
    for (const [at, who, more] of acts.toSorted(([x], [y]) => x - y)) {
      if (who === a) ofA = { ...ofA, ...more }
      look(at, who, who === a ? ofA : more)
    }
    /** As somebody sees it who comes when it has committed, long after. */
    return (committed: Entry): string | null | undefined => {
      ledger.commit(committed, 60_000)
      return look(60_000, c, {})
    }
  }
  const right = [[0, a, 0], [0, b, 0], [0, c, 0]] as const

  test('may be late by as long as votes were asked for, by a tick and by as much as clocks drift, and no more', () => {
    expect(tell(right)(batch(1, ALLOWED_MS))).toBe(null)
    expect(tell(right)(batch(1, ALLOWED_MS + 1))).toContain('1 ms behind the clocks')
    expect(tell(right)(batch(1, 3_600_000))).toContain('behind the clocks')
  })
  test('runs on while a leader serves, however late an entry commits', () => {
    expect(tell(right, { appendedAt: 30_000 })(batch(1, 29_000, 30_000))).toContain('behind the clocks')
    expect(tell(right, { appendedAt: 30_000 })(batch(1, ALLOWED_MS, 30_000))).toBe(null)
  })
  test('may begin with the clock that is furthest behind among its voters, and with no other node\'s', () => {
    expect(tell([...right, [500, b, -700], [500, c, -900]])(batch(1, ALLOWED_MS + 900))).toBe(null)
    expect(tell([...right, [500, b, -700], [500, c, -900]])(batch(1, ALLOWED_MS + 901))).toContain('behind')
    expect(tell([...right, [500, d, -900]])(batch(1, ALLOWED_MS + 900))).toContain('behind')
  })
  test('may begin with the clock of a voter that is none any more when its leader serves', () => {
    const late = [...right, [500, d, -900]] as const
    expect(tell(late, { asked: { configuration: voting(a, b, d) } })(batch(1, ALLOWED_MS + 900))).toBe(null)
    expect(tell(late, { asked: { configuration: voting(a, b, d) } })(batch(1, ALLOWED_MS + 901))).toContain('behind')
  })
  test('counts a clock as what it was while votes were asked for, neither long before nor afterwards', () => {
    const at = (atMs: number, backMs?: number) =>
      tell([...right, [atMs, b, -900], ...(backMs === undefined ? [] : [[backMs, b, 0] as const])])(batch(1, ALLOWED_MS + 900))
    expect([at(500, 990), at(1_100, 1_200)]).toEqual([null, null])
    expect([at(500, 700), at(1_500)]).toEqual([expect.stringContaining('behind'), expect.stringContaining('behind')])
  })
  test('is that of clocks that have leapt ahead, for whoever asks for votes after that', () => {
    const leapt = [...right, [500, a, 9_000], [500, b, 9_000], [500, c, 9_000]] as const
    expect([tell(leapt)(batch(1, ALLOWED_MS - 9_000)), tell(leapt)(batch(1, 0))]).toEqual([null, expect.stringContaining('behind')])
  })
  test('is not asked of an entry whose leader was not seen to append it, nor of one that brings no time', () => {
    expect([tell(right)(batch(2, 3_600_000)), tell(right)(entry(1, 1))]).toEqual([null, null])
  })
})

describe('nothing is overdue', () => {
  const AT_MS = WALL_START_MS
  const put = (ttlMs: number): ShardLedger => {
    const ledger = createShardLedger(0)
    const operation = { code: OpCode.put, key: 'k', value: new TextEncoder().encode('v'), ttlMs }
    ledger.commit({ ...entry(1, 1), kind: EntryKind.batch, payload: encodeBatch({ timeMs: AT_MS, operations: [operation] }) }, 0)
    return ledger
  }
  test('a key that ends soon is, until an entry has ended it', () => {
    const ledger = put(3_000)
    expect(overdue([ledger])).toContain('shard 0 still has what ends 3000 ms after its last entry')
    ledger.commit({ ...entry(2, 1), kind: EntryKind.batch, payload: encodeBatch({ timeMs: AT_MS + 3_000, operations: [] }) }, 0)
    expect(overdue([ledger])).toBe(null)
  })
  test('one that has long to live is not, nor one that never ends', () => {
    expect([overdue([put(60_000)]), overdue([put(0)]), overdue([none])]).toEqual([null, null, null])
  })
  test('a session that nobody has used for long ends as well', () => {
    const ledger = createShardLedger(0)
    const open = { code: OpCode.openSession, key: 'k', session: { client: 'c', sequence: 0, firstIncomplete: 0 } }
    const batches = [[AT_MS, [open]], [AT_MS + SESSION_IDLE_MS + SESSION_RENEW_MS - 1, []]] as const
    batches.forEach(([timeMs, operations], i) => {
      ledger.commit({ ...entry(i + 1, 1), kind: EntryKind.batch, payload: encodeBatch({ timeMs, operations }) }, 0)
    })
    expect(overdue([ledger])).toContain('ends 1 ms after its last entry')
  })
})
