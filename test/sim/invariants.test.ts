/** Every invariant, shown one history that keeps it and one that breaks it. */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../actors/kernel/assert.ts'
import { EntryKind } from '../../actors/raft/protocol.ts'
import { encodeBatch } from '../../actors/shard/batch.ts'
import { createShardLedger } from '../../sim/ledger.ts'
import { createMapLedger } from '../../sim/mapLedger.ts'
import { SIM_TICK_MS } from '../../sim/options.ts'
import { WALL_START_MS } from '../../sim/wallClock.ts'
import { createAppliedIsDurable } from '../../sim/invariants/appliedIsDurable.ts'
import { createBoundedQueues } from '../../sim/invariants/boundedQueues.ts'
import { createCommittedMaps } from '../../sim/invariants/committedMaps.ts'
import { createCommittedForever } from '../../sim/invariants/committedForever.ts'
import { createEqualStates } from '../../sim/invariants/equalStates.ts'
import { createGrowth } from '../../sim/invariants/growth.ts'
import { createHonestLogTime } from '../../sim/invariants/honestLogTime.ts'
import { createLeaderCompleteness } from '../../sim/invariants/leaderCompleteness.ts'
import { createLogMatching } from '../../sim/invariants/logMatching.ts'
import { behindTheMap } from '../../sim/invariants/newestMapEverywhere.ts'
import { createNamedReplicas } from '../../sim/invariants/namedReplicas.ts'
import { createOneLeader } from '../../sim/invariants/oneLeader.ts'
import { unresolved } from '../../sim/invariants/nothingUnresolved.ts'
import { createOneOwner } from '../../sim/invariants/oneOwner.ts'
import { createOneVote } from '../../sim/invariants/oneVote.ts'
import { createOrderedMembers } from '../../sim/invariants/orderedMembers.ts'
import { createPromisesKept } from '../../sim/invariants/promisesKept.ts'
import { createQuorumContact } from '../../sim/invariants/quorumContact.ts'
import { createSoundAreTrusted } from '../../sim/invariants/soundAreTrusted.ts'
import { META_GROUP, nodeId, replicaId, shardId } from '../../topology/ids.ts'
import { after, asked, bytesOf, genesisOf, n, newborn } from '../actors/topology/states.ts'
import { a, b, c, d, entry, ledgerOf, log, none, view, voters } from './views.ts'
import type { Entry, RaftMessage } from '../../actors/raft/protocol.ts'
import type { ClusterState } from '../../actors/topology/clusterState.ts'
import type { Wish } from '../../actors/topology/protocol.ts'
import type { ReplicaId } from '../../topology/ids.ts'
import type { ShardLedger } from '../../sim/ledger.ts'
import type { AppliedLog } from '../../sim/mapLedger.ts'
import type { ReplicaView, SentMail } from '../../sim/view.ts'

const mail = (from: ReplicaId, to: ReplicaId, message: RaftMessage): SentMail => ({ shard: 0, from, to, message })
const granted = (from: ReplicaId, to: ReplicaId, term: number): SentMail => mail(from, to, { type: 'raft.voteGranted', term, wallMs: 0 })
const accepted = (from: ReplicaId, term: number, matchIndex: number): SentMail =>
  mail(from, a, { type: 'raft.appendAccepted', term, matchIndex })

describe('at most one leader a term', () => {
  test('two leaders in two terms are fine', () => {
    const { check } = createOneLeader()
    expect([check?.(view(a, log(1), { role: 'leader' }), none), check?.(view(b, log(2), { role: 'leader' }), none)]).toEqual([null, null])
  })
  test('two in one term are not', () => {
    const { check } = createOneLeader()
    check?.(view(a, log(1), { role: 'leader' }), none)
    expect(check?.(view(b, log(1), { role: 'leader' }), none)).toContain('two leaders')
  })
  test('a heartbeat is a claim to lead', () => {
    const { check, checkMail } = createOneLeader()
    check?.(view(a, log(1), { role: 'leader' }), none)
    expect(checkMail?.(mail(b, c, { type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 1 }))).toContain('two leaders')
  })
})

describe('one vote a term', () => {
  test('the same vote may be repeated', () => {
    const { checkMail } = createOneVote()
    expect([checkMail?.(granted(c, a, 2)), checkMail?.(granted(c, a, 2)), checkMail?.(granted(c, b, 3))]).toEqual([null, null, null])
  })
  test('another candidate in the same term may not get it', () => {
    const { checkMail } = createOneVote()
    checkMail?.(granted(c, a, 2))
    expect(checkMail?.(granted(c, b, 2))).toContain('voted twice')
  })
  test('a leader has voted for itself', () => {
    const { check, checkMail } = createOneVote()
    checkMail?.(granted(a, b, 2))
    expect(check?.(view(a, log(2), { role: 'leader', term: 2 }), none)).toContain('voted twice')
  })
})

describe('logs match', () => {
  test('different entries at different terms are fine', () => {
    const { check } = createLogMatching()
    expect([check?.(view(a, log(1, 1, 2)), none), check?.(view(b, log(1, 1, 3)), none)]).toEqual([null, null])
  })
  test('one index and term, two entries', () => {
    const { check } = createLogMatching()
    check?.(view(a, [entry(1, 1, 'x')]), none)
    expect(check?.(view(b, [entry(1, 1, 'y')]), none)).toContain('two entries')
  })
  test('one entry, two predecessors', () => {
    const { check } = createLogMatching()
    check?.(view(a, log(1, 3)), none)
    expect(check?.(view(b, log(2, 3)), none)).toContain('stands term 2')
  })
  test('nor of a replica in quarantine, whose log lost what it had written anew', () => {
    const { check } = createLogMatching()
    check?.(view(a, log(1, 3)), none)
    expect(check?.(view(b, log(2, 3), { quarantined: 'its log is damaged' }), none)).toBe(null)
  })
})

describe('a leader has everything committed', () => {
  test('with it, fine', () => {
    expect(createLeaderCompleteness().check?.(view(a, log(1, 1, 2), { role: 'leader' }), ledgerOf(log(1, 1)))).toBe(null)
  })
  test('too short', () => {
    expect(createLeaderCompleteness().check?.(view(a, log(1), { role: 'leader' }), ledgerOf(log(1, 1)))).toContain('2 are committed')
  })
  test('another entry', () => {
    expect(createLeaderCompleteness().check?.(view(a, log(1, 2), { role: 'leader' }), ledgerOf(log(1, 1)))).toContain('1 is committed')
  })
})

describe('committed never changes', () => {
  const leader = (entries: readonly Entry[], commitIndex: number): ReplicaView =>
    view(a, entries, { role: 'leader', commitIndex, matchIndex: new Map([[a, entries.length]]) })
  test('a quorum that accepted lets the leader commit', () => {
    const { check, checkMail } = createCommittedForever(() => 0)
    const ledger = ledgerOf([])
    checkMail?.(accepted(b, 1, 2))
    expect([check?.(leader(log(1, 1), 2), ledger), ledger.lines.length]).toEqual([null, 2])
  })
  test('without one it must not', () => {
    expect(createCommittedForever(() => 0).check?.(leader(log(1, 1), 2), ledgerOf([]))).toContain('made durable')
  })
  const joint = { epoch: 2, voters: [a, c, d], outgoing: [a, b, c], learners: [] }
  const inJoint = (commitIndex: number): ReplicaView =>
    ({ ...leader(log(1, 1, 1), commitIndex), voters: joint.voters, configuration: joint })
  test('nor while the configuration is joint with a quorum of one half alone', () => {
    for (const [half, other] of [[b, d], [d, b]] as const) {
      const { check, checkMail } = createCommittedForever(() => 0)
      check?.(inJoint(0), ledgerOf([]))
      checkMail?.(accepted(half, 1, 2))
      expect(check?.(inJoint(2), ledgerOf([]))).toContain('made durable')
      checkMail?.(accepted(other, 1, 2))
      expect(check?.(inJoint(2), ledgerOf([]))).toBe(null)
    }
  })
  test('but what it commits in the event that makes it joint was counted before', () => {
    const { check, checkMail } = createCommittedForever(() => 0)
    check?.(leader(log(1, 1), 0), ledgerOf([]))
    checkMail?.(accepted(b, 1, 2))
    const ledger = ledgerOf([])
    expect(check?.(inJoint(2), ledger)).toBe(null)
    expect(check?.(inJoint(3), ledger)).toContain('made durable')
  })
  test('and a leader that ends in the event that commits is judged as the leader that it was, once', () => {
    const without = { epoch: 2, voters: [b, c, d], outgoing: [], learners: [] }
    const ended = (commitIndex: number): ReplicaView =>
      view(a, log(1, 1, 1), { role: 'learner', commitIndex, durableIndex: 3, voters: without.voters, configuration: without })
    const { check, checkMail } = createCommittedForever(() => 0)
    check?.(leader(log(1, 1, 1), 0), ledgerOf([]))
    expect(check?.(ended(2), ledgerOf([]))).toContain('made durable')
    for (const voter of [b, c]) checkMail?.(accepted(voter, 1, 3))
    expect(check?.(ended(3), ledgerOf([]))).toContain('first to commit')
    check?.(leader(log(1, 1, 1), 0), ledgerOf([]))
    expect(check?.(ended(2), ledgerOf([]))).toBe(null)
  })
  test('a paused leader hears late what a voter accepted before it accepted more of the next leader', () => {
    const { check, checkMail } = createCommittedForever(() => 0)
    checkMail?.(accepted(b, 1, 2))
    checkMail?.(accepted(b, 2, 3))
    expect(check?.(leader(log(1, 1), 2), ledgerOf([]))).toBe(null)
    expect(check?.({ ...leader(log(1, 1, 1), 3), term: 1 }, ledgerOf(log(1, 1)))).toContain('made durable')
  })
  test('nor by counting an entry of an older term', () => {
    const { check, checkMail } = createCommittedForever(() => 0)
    checkMail?.(accepted(b, 2, 1))
    expect(check?.({ ...leader(log(1), 1), term: 2 }, ledgerOf([]))).toContain('by counting')
  })
  test('a follower is never first', () => {
    expect(createCommittedForever(() => 0).check?.(view(b, log(1), { commitIndex: 1 }), ledgerOf([]))).toContain('first to commit')
  })
  test('another entry at a committed index', () => {
    expect(createCommittedForever(() => 0).check?.(view(b, log(2), { commitIndex: 1 }), ledgerOf(log(1)))).toContain('was committed before')
  })
})

describe('log time', () => {
  const AT_MS = 1_000
  const RATE = 0.01
  const stamped = (aheadMs: number): ShardLedger => {
    const ledger = createShardLedger(0)
    const payload = encodeBatch({ timeMs: WALL_START_MS + AT_MS + aheadMs, operations: [] })
    ledger.commit({ ...entry(1, 1), kind: EntryKind.batch, payload }, AT_MS)
    return ledger
  }
  /** What is said of an entry so far ahead, where the nodes' clocks are or once were so far ahead. */
  const problem = (aheadMs: number, clocks: readonly (readonly [ReplicaId, number])[], members = voters): string | null | undefined => {
    const { check } = createHonestLogTime(RATE)
    const configuration = { epoch: 0, voters: members, outgoing: [], learners: [] }
    for (const [id, wallOffsetMs] of clocks) check?.(view(id, [], { wallOffsetMs, configuration }), none)
    return check?.(view(a, [], { configuration }), stamped(aheadMs))
  }
  test('may be ahead by a tick, by as much as clocks drift, and as the second of the clocks that are furthest ahead was', () => {
    expect(problem(Math.floor(SIM_TICK_MS * (1 + RATE) + RATE * AT_MS + 1), [])).toBe(null)
    expect(problem(500, [[a, 9_000], [b, 500], [b, -500], [c, 100]])).toBe(null)
  })
  test('is not moved by one clock alone, whichever of its node\'s replicas it is looked up by', () => {
    expect(problem(500, [[a, 9_000], [replicaId(nodeId('a'), 2), 9_000]])).toContain('439 ms ahead of the clocks')
  })
  test('of a group of five is moved by three clocks, and not by two', () => {
    const five = ['a', 'b', 'c', 'd', 'e'].map((name) => replicaId(nodeId(name), 1))
    const ahead = five.map((id) => [id, 500] as const)
    expect([problem(500, ahead.slice(0, 2), five), problem(500, ahead.slice(0, 3), five)]).toEqual([expect.stringContaining('ahead'), null])
  })
  test('of a group in which one elects itself is moved by its clock', () => {
    expect([problem(500, [[a, 500]], [a]), problem(600, [[a, 500]], [a])]).toEqual([null, expect.stringContaining('ahead')])
  })
})

describe('what only grows', () => {
  const after = (before: Partial<ReplicaView>, later: Partial<ReplicaView>): string | null | undefined => {
    const { check } = createGrowth()
    check?.(view(a, log(1, 1, 1), before), none)
    return check?.(view(a, log(1, 1, 1), later), none)
  }
  test('a term may not fall within a life', () => {
    expect(after({ term: 5 }, { term: 4 })).toContain('term fell')
  })
  test('a commit index may not fall, but starts again in a new life', () => {
    expect(after({ commitIndex: 2 }, { commitIndex: 1 })).toContain('commit index fell')
    expect(after({ commitIndex: 2 }, { commitIndex: 0, life: 2 })).toBe(null)
  })
  test('a match index may not fall within a leadership', () => {
    const leading = (match: number): Partial<ReplicaView> => ({ role: 'leader', matchIndex: new Map([[b, match]]) })
    expect(after(leading(2), leading(1))).toContain('match index')
  })
  test('applied stays behind committed', () => {
    expect(after({}, { appliedIndex: 2, commitIndex: 1 })).toContain('applied 2')
  })
})

test('what is applied is on the own disk', () => {
  const { check } = createAppliedIsDurable()
  expect(check?.(view(a, log(1, 1), { appliedIndex: 1, durableIndex: 1 }), none)).toBe(null)
  expect(check?.(view(a, log(1, 1), { appliedIndex: 2, durableIndex: 1 }), none)).toContain('its disk holds 1')
})

test('a replica on a sound disk is not quarantined', () => {
  const { check } = createSoundAreTrusted()
  expect(check?.(view(a, [], { quarantined: 'why', hasDamagedDisk: true }), none)).toBe(null)
  expect(check?.(view(a, [], { quarantined: 'why' }), none)).toContain('never damaged: why')
})

describe('promises are kept', () => {
  test('what was accepted is there in the next life', () => {
    const { checkMail, checkStart } = createPromisesKept()
    checkMail?.(accepted(b, 1, 2))
    expect(checkStart?.(view(b, log(1, 1), { life: 2 }), none)).toBe(null)
    expect(checkStart?.(view(b, log(1), { life: 2 }), none)).toContain('accepted index 2')
  })
  test('a newer term may have replaced what was not committed', () => {
    const { checkMail, checkStart } = createPromisesKept()
    checkMail?.(accepted(b, 1, 2))
    expect(checkStart?.(view(b, log(1, 2), { life: 2, term: 2 }), ledgerOf(log(1, 2)))).toBe(null)
    expect(checkStart?.(view(b, log(1), { life: 2, term: 2 }), ledgerOf(log(1, 1)))).toContain('which is committed')
  })
  test('a leader\'s own entry may be replaced by an older one that only a later leader commits (figure 8)', () => {
    const { check, checkStart } = createPromisesKept()
    check?.(view(a, log(3, 4), { role: 'leader', matchIndex: new Map([[a, 2]]) }), none)
    const restarted = view(a, log(3, 4), { life: 2 })
    expect(checkStart?.(restarted, ledgerOf(log(3, 3, 5)))).toBe(null)
    expect(checkStart?.(restarted, ledgerOf(log(3, 3)))).toContain('which is committed')
  })
  test('a snapshot of which all was said to be there is there', () => {
    const { checkMail, checkStart } = createPromisesKept()
    const said = (nextOffset: number): SentMail => mail(b, a, { type: 'raft.snapshotAccepted', term: 1, snapshotIndex: 3, nextOffset })
    checkMail?.(mail(a, b, {
      type: 'raft.snapshotChunk', term: 1, snapshotTerm: 1, snapshotIndex: 3, offset: 0, totalBytes: 90, crc: 0, bytes: new Uint8Array(50),
    }))
    checkMail?.(said(50))
    expect(checkStart?.(view(b, log(1), { life: 2 }), none)).toBe(null)
    checkMail?.(said(90))
    expect(checkStart?.(view(b, log(1), { life: 3 }), none)).toContain('accepted index 3')
    expect(checkStart?.(view(b, [], { life: 3, term: 1, lastIndex: 3, snapshotIndex: 3 }), none)).toBe(null)
  })
  test('part of a snapshot of an earlier term is no promise of a shorter one of the same index', () => {
    const { checkMail, checkStart } = createPromisesKept()
    const chunk = (term: number, totalBytes: number): SentMail => mail(a, b, {
      type: 'raft.snapshotChunk', term, snapshotTerm: 1, snapshotIndex: 3, offset: 0, totalBytes, crc: 0, bytes: new Uint8Array(50),
    })
    checkMail?.(chunk(1, 90))
    checkMail?.(chunk(2, 50))
    checkMail?.(mail(b, a, { type: 'raft.snapshotAccepted', term: 1, snapshotIndex: 3, nextOffset: 50 }))
    expect(checkStart?.(view(b, log(1), { life: 2 }), none)).toBe(null)
  })
  test('a vote is remembered', () => {
    const { checkMail, checkStart } = createPromisesKept()
    checkMail?.(granted(b, c, 4))
    expect(checkStart?.(view(b, [], { life: 2, term: 4, vote: c }), none)).toBe(null)
    expect(checkStart?.(view(b, [], { life: 2, term: 4 }), none)).toContain('voted for')
    expect(checkStart?.(view(b, [], { life: 2, term: 3 }), none)).toContain('was in term 4')
  })
})

describe('equal state at equal index', () => {
  test('other revisions than the log says', () => {
    expect(createEqualStates().check?.(view(a, log(1), { appliedIndex: 1, revision: 3 }), ledgerOf(log(1)))).toContain('revision 3')
  })
  test('other hashes than another replica', () => {
    const { check } = createEqualStates()
    const entries = log(1, 1, 1, 1, 1, 1, 1, 1)
    check?.(view(a, entries, { appliedIndex: 8 }), ledgerOf(entries))
    expect(check?.(view(b, entries, { appliedIndex: 8, stateHash: () => 'other' }), ledgerOf(entries))).toContain('differ')
  })
})

test('a leader that hears no quorum for long is found', () => {
  const now = (): number => 10_000
  const silent = createQuorumContact({ now, silenceMsMax: 3_000, silenceMs: () => 5_000 })
  expect(silent.check?.(view(a, log(1), { role: 'leader' }), none)).toContain('heard no quorum')
  const half = createQuorumContact({ now, silenceMsMax: 3_000, silenceMs: (_, speaker) => (speaker === 'b' ? 100 : 5_000) })
  expect(half.check?.(view(a, log(1), { role: 'leader' }), none)).toBe(null)
})

describe('queues are bounded by the limits that were drawn', () => {
  const limits = { pendingOperationsMax: 3, pendingBytesMax: 100, uncommittedBytesMax: 5 }
  const check = (more: Partial<ReplicaView>, entries: readonly Entry[] = []): string | null | undefined =>
    createBoundedQueues(limits).check?.(view(a, entries, more), none)
  test('operations and bytes that wait', () => {
    expect([check({ pendingOperations: 3 }), check({ pendingBytes: 100 })]).toEqual([null, null])
    expect(check({ pendingOperations: 4 })).toContain('4 pending operations')
    expect(check({ pendingBytes: 101 })).toContain('101 pending bytes')
  })
  test('what a leader has taken in its term and not committed; one entry alone may be larger', () => {
    const leader = { role: 'leader', term: 2 } as const
    const taken = (index: number, term: number, text: string): Entry => ({ ...entry(index, term, text), kind: EntryKind.batch })
    expect(check(leader, [taken(1, 2, 'abc'), taken(2, 2, 'de')])).toBe(null)
    expect(check(leader, [taken(1, 2, 'abc'), taken(2, 2, 'def')])).toContain('6 uncommitted bytes')
    expect(check({ ...leader, commitIndex: 1 }, [taken(1, 2, 'abc'), taken(2, 2, 'defghi')])).toBe(null)
    expect(check(leader, [taken(1, 1, 'abcdefg'), taken(2, 2, 'abc'), taken(3, 2, 'de')])).toBe(null)
    expect(check({ ...leader, role: 'follower' }, [taken(1, 2, 'abc'), taken(2, 2, 'def')])).toBe(null)
  })
})

describe('one owner of a shard', () => {
  const serving = (id: ReplicaId, term: number, role: ReplicaView['role'] = 'leader'): ReplicaView =>
    view(id, log(term), { role, isServing: true })

  test('owners of different terms are fine, where a majority has heard of the later one', () => {
    const { check } = createOneOwner()
    expect(check?.(serving(a, 1), none)).toBe(null)
    check?.(view(c, log(2)), none)
    expect([check?.(serving(b, 2), none), check?.(serving(b, 2), none)]).toEqual([null, null])
  })
  test('two of one term are not', () => {
    const { check } = createOneOwner()
    check?.(serving(a, 1), none)
    expect(check?.(serving(b, 1), none)).toContain('both served')
  })
  const inConfiguration = (id: ReplicaId, term: number, epoch: number, members: readonly ReplicaId[]): ReplicaView =>
    view(id, log(term), { role: 'leader', isServing: true, configuration: { epoch, voters: members, outgoing: [], learners: [] } })
  test('a deposed leader that does not know it is none: whoever elected its successor would not confirm it', () => {
    const { check } = createOneOwner()
    expect(check?.(inConfiguration(a, 1, 0, [a, b, c]), none)).toBe(null)
    for (const voter of [b, c]) check?.(view(voter, log(2)), none)
    expect(check?.(inConfiguration(b, 2, 5, [b, c, d]), none)).toBe(null)
  })
  test('two of different epochs whose majorities have nobody in common both are', () => {
    const { check } = createOneOwner()
    check?.(inConfiguration(a, 1, 0, [a, b, c]), none)
    check?.(view(c, log(2)), none)
    expect(check?.(inConfiguration(d, 2, 5, [c, d]), none)).toContain(`${a} (term 1, epoch 0) and ${d} (term 2, epoch 5)`)
    check?.(view(b, log(2)), none)
    expect(check?.(inConfiguration(d, 2, 5, [c, d]), none)).toBe(null)
  })
  test('of a joint configuration both halves must confirm it', () => {
    const { check } = createOneOwner()
    const joint = { epoch: 3, voters: [a, b], outgoing: [c, d], learners: [] }
    check?.({ ...serving(a, 1), configuration: joint }, none)
    for (const voter of [c, d]) check?.(view(voter, log(2)), none)
    expect(check?.(inConfiguration(c, 2, 0, [c, d]), none)).toBe(null)
  })
  test('nor is one that does not lead', () => {
    expect(createOneOwner().check?.(serving(a, 1, 'follower'), none)).toContain('and is follower')
  })
})

describe('nothing is unresolved', () => {
  test.each<[string, Partial<ReplicaView>, number, string | null]>([
    ['all is settled', { role: 'leader', commitIndex: 1 }, 0, null],
    ['a follower may not know yet that its last entry is committed', {}, 0, null],
    ['a client waits', {}, 1, '1 operations of clients'],
    ['an operation is pending', { pendingOperations: 2 }, 0, '2 operations'],
    ['bytes are to be written', { walBacklogBytes: 9 }, 0, '9 bytes'],
    ['a leader has an entry that is not committed', { role: 'leader' }, 0, '1 entries'],
  ])('%s', (_name, more, waiting, problem) => {
    const found = unresolved([view(a, log(1), more)], waiting)
    if (problem === null) expect(found).toBe(null)
    else expect(found).toContain(problem)
  })
})

describe('maps and members', () => {
  const born = newborn({ size: 3 })
  const commands = (...wishes: Wish[]): { readonly log: AppliedLog, readonly states: ClusterState[] } => {
    const states = [born]
    const entries: Entry[] = []
    for (const wish of wishes) {
      const state = must(states.at(-1), 'a state')
      entries.push({ index: entries.length + 1, term: 1, kind: EntryKind.batch, payload: bytesOf(asked(state, wish)) })
      states.push(after(state, wish))
    }
    return { log: { appliedIndex: entries.length, entryAt: (index) => entries[index - 1] }, states }
  }
  const add: Wish = { kind: 'addNode', node: n(4), weight: 1, zone: '' }
  const begin: Wish = { kind: 'beginMove', group: shardId(0), add: n(4), remove: replicaId(n(1), 1), isPlanned: true }
  const told = () => {
    const ledger = createMapLedger(() => genesisOf({ size: 3 }))
    const { log, states } = commands(add, begin, { kind: 'promote', move: 1 })
    ledger.follow(log)
    return { ledger, log, states: states as [ClusterState, ClusterState, ClusterState, ClusterState] }
  }
  const inForce = (state: ClusterState): ClusterState => ({ ...state, history: [] })

  test('every committed state is told once, with the one before it', () => {
    const seen: [number, number][] = []
    const ledger = createMapLedger(() => genesisOf({ size: 3 }), (state, before) => { seen.push([before.epoch, state.epoch]) })
    const { log } = commands(add, begin)
    ledger.follow({ ...log, appliedIndex: 1 })
    ledger.follow(log)
    expect(seen).toEqual([[1, 2], [2, 3]])
  })
  test('a node that is in the cluster lacks the newest map; one that has left may', () => {
    const { states } = told()
    const newest = states[3]
    const holders = [{ node: 'n1', epoch: newest.epoch }, { node: 'n9', epoch: 1 }]
    expect(behindTheMap(newest.epoch, newest, holders)).toBe(null)
    expect(behindTheMap(newest.epoch, newest, [...holders, { node: 'n4', epoch: 2 }])).toContain('n4 has the map of epoch 2')
    expect(behindTheMap(newest.epoch, newest, [{ node: 'n2', epoch: null }])).toContain('n2 has no map')
    const left = { nodes: newest.nodes.map((node) => (node.id === 'n4' ? { ...node, state: 'left' as const } : node)) }
    expect(behindTheMap(newest.epoch, left, [{ node: 'n4', epoch: 2 }])).toBe(null)
  })
  test('a committed map is fine, and so is the one a cluster is born with', () => {
    const { ledger, states } = told()
    const check = createCommittedMaps(ledger)
    for (const state of states) expect(check({ node: 'n1', inForce: inForce(state), applied: state })).toBe(null)
  })
  test('a map of an epoch that nobody committed', () => {
    const { ledger, states } = told()
    const { log } = commands(add)
    const behind = createMapLedger(() => genesisOf({ size: 3 }))
    behind.follow(log)
    expect(createCommittedMaps(behind)({ node: 'n1', inForce: inForce(states[2]), applied: null })).toContain('never committed')
    expect(createCommittedMaps(ledger)({ node: 'n1', inForce: inForce(states[2]), applied: null })).toBe(null)
  })
  test('another map of the same epoch, in force or applied', () => {
    const { ledger, states } = told()
    const other = { ...states[2], isPaused: true }
    expect(createCommittedMaps(ledger)({ node: 'n1', inForce: inForce(other), applied: null })).toContain('another map')
    expect(createCommittedMaps(ledger)({ node: 'n1', inForce: inForce(states[2]), applied: other })).toContain('meta member')
  })
  test('a replica is hosted because a committed map named it, and on its own node', () => {
    const check = createNamedReplicas(told().ledger)
    expect(check({ node: 'n1', group: shardId(0), id: replicaId(n(1), 1) })).toBe(null)
    expect(check({ node: 'n4', group: shardId(0), id: replicaId(n(4), 2) })).toBe(null)
    expect(check({ node: 'n4', group: shardId(1), id: replicaId(n(4), 2) })).toContain('no committed map')
    expect(check({ node: 'n2', group: shardId(0), id: replicaId(n(4), 2) })).toContain('node n2 hosts')
  })
  test('the members of a group are those of an order of their epoch', () => {
    const { ledger, states: [, , adding] } = told()
    const { check } = createOrderedMembers(ledger)
    const born3 = must(born.shards[0], 'a shard').replicas
    const of = (epoch: number, members: readonly ReplicaId[], learners: readonly ReplicaId[]): ReplicaView =>
      view(a, [], { configuration: { epoch, voters: members, outgoing: [], learners } })
    const learner = replicaId(n(4), 2)
    expect(check?.(of(0, voters, []), none)).toBe(null)
    expect(check?.(of(adding.epoch, born3, [learner]), none)).toBe(null)
    expect(check?.(of(adding.epoch, born3.slice(1), [learner]), none)).toContain('which ordered')
    expect(check?.(of(adding.epoch, born3, []), none)).toContain('which ordered')
    expect(check?.(of(2, born3, []), none)).toContain('none was ordered')
    expect(check?.(of(9, born3, []), none)).toContain('none was ordered')
    expect(check?.({ ...of(adding.epoch, born3, [learner]), shard: META_GROUP }, none)).toContain('group meta')
  })
})
