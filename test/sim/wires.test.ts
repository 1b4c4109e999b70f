/** The invariants that hear a node's actors, or look at its next start: each with what keeps it and what breaks it. */

import { describe, expect, test } from '@jest/globals'
import { createDurableIsAnswered } from '../../sim/invariants/durableIsAnswered.ts'
import { createDurableIsKept } from '../../sim/invariants/durableIsKept.ts'
import { createFreshReads } from '../../sim/invariants/freshReads.ts'
import { createShardLedger } from '../../sim/ledger.ts'
import { createWires } from '../../sim/wires.ts'
import { nodeId, replicaId, shardId } from '../../topology/ids.ts'
import type { Entry } from '../../actors/raft/protocol.ts'
import type { WalEvent } from '../../actors/wal/protocol.ts'
import type { Problem, ReplicaView } from '../../sim/view.ts'
import type { WireListener } from '../../sim/wires.ts'

const a = replicaId(nodeId('a'), 1)
const none = createShardLedger(0)

const entry = (index: number, term: number): Entry => ({ index, term, kind: 0, payload: new Uint8Array(0) })
/** Entries of the given terms, from index 1. */
const log = (...terms: number[]): Entry[] => terms.map((term, i) => entry(i + 1, term))

/** All of the log is durable, unless it is said otherwise. */
const view = (entries: readonly Entry[], more: Partial<ReplicaView> = {}): ReplicaView => {
  const durableIndex = more.durableIndex ?? entries.length
  return {
    id: a, shard: 0, life: 1, isDamaged: false, quarantined: undefined, snapshotIndex: 0, lastIndex: entries.length,
    entryAt: (index: number) => entries[index - 1], durableIndex, durableTerm: entries[durableIndex - 1]?.term, ...more,
  } as ReplicaView
}

describe('what was durable is there at the next start', () => {
  const { checkStart } = createDurableIsKept()
  const start = (entries: readonly Entry[], before: ReplicaView, more: Partial<ReplicaView> = {}): Problem | undefined =>
    checkStart?.(view(entries, { life: 2, ...more }), none, before)
  const before = view(log(1, 1, 2, 2), { durableIndex: 3 })

  test('with that entry, more behind it, or a snapshot that covers it', () => {
    expect([start(log(1, 1, 2), before), start(log(1, 1, 2, 3), before)]).toEqual([null, null])
    expect(start([], before, { snapshotIndex: 3 })).toBe(null)
  })
  test('not with a shorter log, nor with another entry there', () => {
    expect(start(log(1, 1), before)).toContain('counted index 3 as durable in life 1, of term 2, and starts with nothing there')
    expect(start(log(1, 1, 1), before)).toContain('starts with term 1 there')
  })
  test('where the log in memory began behind it, with any entry there', () => {
    const snapshotted = view([], { durableIndex: 3, snapshotIndex: 3 })
    expect(start(log(1, 1, 2), snapshotted)).toBe(null)
    expect(start(log(1, 1), snapshotted)).toContain('of term unknown, and starts with nothing there')
  })
  test('or damage, or a quarantine, says why not', () => {
    expect([start([], before, { isDamaged: true }), start([], before, { quarantined: 'damaged' })]).toEqual([null, null])
  })
})

describe('only what the log has answered for is durable', () => {
  const append = (ticket: number, ...entries: Entry[]): WalEvent =>
    ({ type: 'wal.append', group: 0, ticket, submittedTerm: 1, entries, reserved: false })
  const install = (ticket: number, index: number, term: number): WalEvent =>
    ({ type: 'wal.installSnapshot', group: 0, ticket, mark: { index, term } })
  /** The replica starts with this log, all of it durable. */
  const started = (...entries: Entry[]) => {
    const { begin, checkStart, check } = createDurableIsAnswered()
    const wal = begin('a')
    checkStart?.(view(entries), none)
    return {
      submit: wal.submits,
      answered: (ticket: number) => wal.notices({ type: 'wal.appended', group: 0, ticket, submittedTerm: 1, lastIndex: 0 }),
      marked: (ticket: number) => wal.notices({ type: 'wal.snapshotMarked', group: 0, ticket, mark: { index: 0, term: 0 } }),
      look: (seen: ReplicaView) => check?.(seen, none),
      begin, checkStart,
    }
  }

  test('an answer vouches for what it is about and all before it', () => {
    const { submit, answered, look } = started(...log(1))
    submit(append(7, entry(2, 1)))
    submit(append(8, entry(3, 1)))
    answered(8)
    expect(look(view(log(1, 1, 1)))).toBe(null)
  })
  test('not for the entry that has replaced it since', () => {
    const { submit, answered, look } = started(...log(1))
    submit(append(7, entry(2, 1)))
    submit(append(8, entry(2, 2)))
    answered(7)
    expect(look(view(log(1, 2), { durableIndex: 1 }))).toBe(null)
    answered(7)
    expect(look(view(log(1, 2)))).toContain('counts index 2 of term 2 as durable; its log has answered for term 1 there')
    answered(8)
    expect(look(view(log(1, 2)))).toBe(null)
  })
  test('nor for what was submitted later', () => {
    const { submit, answered, look } = started()
    submit(append(1, entry(1, 1)))
    submit(append(2, entry(2, 1)))
    answered(1)
    expect(look(view(log(1, 1)))).toContain('its log has answered for nothing there')
  })
  test('an installed snapshot leaves what stands behind its last entry, where the log has that, and nothing else', () => {
    const matching = started(...log(1, 1, 1))
    matching.submit(install(1, 2, 1))
    matching.marked(1)
    expect(matching.look(view(log(1, 1, 1)))).toBe(null)
    const other = started(...log(1, 1, 1))
    other.submit(install(1, 2, 2))
    other.marked(1)
    expect(other.look(view(log(1, 2, 1)))).toContain('its log has answered for nothing there')
    other.submit(append(4, entry(3, 2)))
    other.answered(4)
    expect(other.look(view(log(1, 2, 2)))).toBe(null)
  })
  test('another life and another replica begin with what they recovered', () => {
    const { submit, begin, checkStart, look } = started(...log(1))
    submit(append(7, entry(2, 1)))
    const next = begin('a')
    checkStart?.(view(log(1, 3)), none)
    next.notices({ type: 'wal.appended', group: 0, ticket: 7, submittedTerm: 1, lastIndex: 2 })
    expect(look(view(log(1, 3)))).toBe(null)
    next.submits({ type: 'wal.adopt', group: 0, generation: 2, ticket: 1 })
    checkStart?.(view([]), none)
    next.notices({ type: 'wal.appended', group: 0, ticket: 8, submittedTerm: 1, lastIndex: 1 })
    expect(look(view(log(1)))).toContain('its log has answered for nothing there')
  })
})

describe('a read shows all that was committed when it came', () => {
  const opened = () => {
    const committed = { entries: 3 }
    const { asks, answers } = createFreshReads('a', () => committed.entries)
    const ask = (read: number): void => asks(0, { type: 'raft.read', read, lease: false, now: 0, wallMs: 0 })
    const confirm = (read: number, index: number): Problem => answers(0, { type: 'raft.readReady', read, index, term: 1 })
    return { committed, ask, confirm, answers }
  }

  test('whatever is committed later', () => {
    const { committed, ask, confirm } = opened()
    ask(1)
    committed.entries = 9
    expect(confirm(1, 3)).toBe(null)
  })
  test('not without the last of it', () => {
    const { ask, confirm } = opened()
    ask(1)
    expect(confirm(1, 2)).toBe('a confirms a read of shard 0 at index 2; 3 were committed when it came')
  })
  test('each read by itself, and a refused one never', () => {
    const { committed, ask, confirm, answers } = opened()
    ask(1)
    committed.entries = 4
    ask(2)
    expect([confirm(1, 3), answers(0, { type: 'raft.readRefused', read: 2, reason: 'notLeader' })]).toEqual([null, null])
    committed.entries = 0
    ask(2)
    expect(confirm(2, 0)).toBe(null)
  })
})

test('the wires hand on what they tell of', () => {
  const heard: string[] = []
  const listen = (name: string) => (): void => { heard.push(name) }
  const listener: WireListener =
    { asks: listen('asks'), answers: listen('answers'), submits: listen('submits'), notices: listen('notices') }
  const { toRaft, toShard, toWal, fromWal } = createWires(listener)
  toRaft(shardId(0), { type: 'raft.read', read: 1, lease: false, now: 0, wallMs: 0 })
  toWal({ type: 'wal.open' })
  fromWal({ type: 'wal.closed' })
  toShard(shardId(0), { type: 'raft.readReady', read: 1, index: 1, term: 1 }, listen('delivered'))
  expect(heard).toEqual(['asks', 'submits', 'notices', 'answers', 'delivered'])
})
