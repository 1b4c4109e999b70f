/** The shell of a Raft member: effects reach the right port, completions come back, and nothing happens after `stop`. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from '@jest/globals'
import { createTickBoard } from '../../../actors/kernel/tickBoard.ts'
import { crc32 } from '../../../storage/crc.ts'
import { idOf } from '../../support/raftHarness.ts'
import { GROUP, alone, configuration, failure, info, stage } from '../../support/raftStage.ts'
import { append, entriesOf } from '../../support/raftScript.ts'
import type { Entry, RaftMessage } from '../../../actors/raft/protocol.ts'
import type { Stage } from '../../support/raftStage.ts'

const chunkOf = (offset: number, text: string, totalBytes = 8): RaftMessage => {
  const bytes = new TextEncoder().encode(text)
  return { type: 'raft.snapshotChunk', term: 1, snapshotIndex: 9, snapshotTerm: 1, offset, totalBytes, crc: crc32(bytes), bytes }
}

const COLLECTIONS_MAX = 20

/** A member, and what it recovered, which nobody else holds. */
const recoveredStage = (): { readonly stage: Stage, readonly payload: WeakRef<Uint8Array> } => {
  const payload = new Uint8Array(1_000)
  const recovered = {
    group: GROUP, hardState: { term: 1, vote: '' as const }, snapshot: { index: 0, term: 0 }, 
    entries: [{ index: 1, term: 1, kind: 1 as const, payload }],
  }
  return { stage: stage({ recovered }), payload: new WeakRef(payload) }
}

test('a member keeps nothing of the log that was recovered but its own copy', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { stage: { member }, payload } = recoveredStage()
  for (let collections = 0; payload.deref() !== undefined && collections < COLLECTIONS_MAX; collections += 1) {
    await nextTurn()
    collect()
  }
  expect([payload.deref(), member.entryAt(1)?.payload.length]).toEqual([undefined, 1_000])
})

describe('the shell', () => {
  test('hands appends to the log, and answers when they are durable', () => {
    const { wal, mails, say, sync } = stage()
    say(append(1, [0, 0], entriesOf(1, 1)))
    expect(wal).toMatchObject([
      { type: 'wal.append', group: GROUP, ticket: 1, submittedTerm: 1, hardState: { term: 1, vote: '' }, entries: [], reserved: true },
      { type: 'wal.append', group: GROUP, ticket: 2, submittedTerm: 1, entries: [{ index: 1, term: 1 }], reserved: false },
    ])
    expect(mails).toEqual([])
    sync()
    expect(mails).toEqual(['n2 raft.appendAccepted term=1 matchIndex=1'])
  })

  test('gives an event the time that passed before it, though no tick in it was due', () => {
    const ticks = createTickBoard()
    const { mails, say } = stage({ ticks })
    ticks.pass({ ticks: 21, now: 1_050, wallMs: 0 })
    say({ type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 1 })
    mails.length = 0
    for (let tick = 1; tick <= 10; tick += 1) ticks.pass({ ticks: 1, now: 1_050 + tick * 50, wallMs: 0 })
    say({ type: 'raft.requestPreVote', term: 2, lastTerm: 0, lastIndex: 0 }, 3)
    ticks.pass({ ticks: 1, now: 1_600, wallMs: 0 })
    say({ type: 'raft.requestPreVote', term: 2, lastTerm: 0, lastIndex: 0 }, 3)
    expect(mails).toEqual(['n3 raft.preVoteRefused term=2 reason=leaderAlive', 'n3 raft.preVoteGranted term=2'])
  })

  test('calls those voters stalled that say so, and no learner, which says it of its state, too', () => {
    const { member, say, sync } = stage({ configuration: { ...configuration, learners: [idOf(4)] } })
    member.send({ type: 'tick', ticks: 40, now: 2_000, wallMs: 0 })
    say({ type: 'raft.preVoteGranted', term: 1 })
    sync()
    say({ type: 'raft.voteGranted', term: 1, wallMs: 0 })
    member.send({ type: 'raft.flush', now: 2_000 })
    for (const peer of [2, 4]) say({ type: 'raft.heartbeatAcked', term: 1, round: 1, diskStalled: true }, peer)
    expect([member.role(), member.stalledMembers(), member.canElect()]).toEqual(['leader', [idOf(2)], true])
    say({ type: 'raft.heartbeatAcked', term: 1, round: 1, diskStalled: false })
    expect(member.stalledMembers()).toEqual([])
  })

  test('lets terms, votes and no-ops use the reserve of a full disk, and nothing else', () => {
    const { wal, say } = stage()
    say({ type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 1 })
    say(append(1, [0, 0], entriesOf(1, 1).map((entry): Entry => ({ ...entry, kind: 0 }))))
    say(append(1, [1, 1], entriesOf(2, 1)))
    expect(wal.map((event) => event.type === 'wal.append' && event.reserved)).toEqual([true, true, false])
  })

  test('tells the shard of roles, by node, and of what commits', () => {
    const { member, shard, wal, sync, flushes } = stage({ configuration: alone })
    for (let tick = 0; tick < 10; tick += 1) member.send({ type: 'tick', ticks: 1, now: 70, wallMs: 5 })
    sync()
    expect(flushes()).toBeGreaterThan(0)
    member.send({ type: 'raft.flush', now: 70 })
    sync()
    member.send({ type: 'raft.propose', proposal: 7, payload: new Uint8Array([1]) })
    member.send({ type: 'raft.read', read: 8, now: 71, wallMs: 71, lease: false })
    member.send({ type: 'raft.flush', now: 71 })
    sync()
    const roles = shard.flatMap((event) =>
      (event.type === 'raft.roleChanged' ? [[event.role, event.settled, event.leaderNode, event.now]] : []))
    expect(roles.at(-1)).toEqual(['leader', true, 'n1', 70])
    expect(shard.filter(({ type }) => type !== 'raft.roleChanged').map(({ type }) => type)).toEqual(
      ['raft.committed', 'raft.proposed', 'raft.readReady', 'raft.committed'])
    expect(wal.map(({ type }) => type)).toEqual(['wal.append', 'wal.append', 'wal.append'])
    expect(member.role()).toBe('leader')
    expect(member.status()).toMatchObject({
      role: 'leader', term: 1, vote: idOf(1), leader: idOf(1), settled: true, commitIndex: 2, emittedIndex: 2, durableIndex: 2,
      lastIndex: 2, lastTerm: 1, baseIndex: 0, matchIndex: new Map([[idOf(1), 2]]),
    })
    expect(member.entryAt(2)?.payload).toEqual(new Uint8Array([1]))
  })

  test('says that it leads when a majority has answered a round begun since, and nothing of it to the shard', () => {
    const { member, shard, say, sync } = stage()
    const heard: boolean[] = []
    const at = { now: 2_000, wallMs: 0 }
    member.confirm(at, (leads) => heard.push(leads))
    expect(heard).toEqual([false])
    member.send({ type: 'tick', ticks: 40, ...at })
    say({ type: 'raft.preVoteGranted', term: 1 })
    sync()
    say({ type: 'raft.voteGranted', term: 1, wallMs: 0 })
    member.send({ type: 'raft.flush', now: 2_000 })
    sync()
    say({ type: 'raft.appendAccepted', term: 1, matchIndex: 1 })
    member.confirm(at, (leads) => heard.push(leads))
    say({ type: 'raft.heartbeatAcked', term: 1, round: 1, diskStalled: false })
    expect(heard).toEqual([false])
    member.send({ type: 'raft.flush', now: 2_000 })
    say({ type: 'raft.heartbeatAcked', term: 1, round: 2, diskStalled: false })
    expect(heard).toEqual([false, true])
    member.confirm(at, (leads) => heard.push(leads))
    say({ type: 'raft.heartbeat', term: 2, commitIndex: 0, round: 1 })
    expect(heard).toEqual([false, true, false])
    expect(shard.filter(({ type }) => type.startsWith('raft.read'))).toEqual([])
  })

  test('logs role changes at info with term, leader and reason', () => {
    const { lines, say } = stage()
    say({ type: 'raft.heartbeat', term: 3, commitIndex: 0, round: 1 })
    expect(lines.at(-1)).toBe('raft role changed {"role":"follower","term":3,"leader":"n2:1","settled":false,"reason":"a leader is heard"}')
  })

  test.each([[true, 1], [undefined, 0]])('writes a line per message only while tracing: %s', (isTracing, count) => {
    const { lines, say } = stage(isTracing === undefined ? {} : { isTracing })
    say({ type: 'raft.heartbeat', term: 3, commitIndex: 0, round: 1 })
    expect(lines.filter((line) => line.startsWith('raft.heartbeatAcked'))).toHaveLength(count)
  })

  test('traces entries and chunks by their size', () => {
    const { member, lines, say, sync, answer } = stage({ isTracing: true, snapshot: info(9), recovered: recoveredAt(9) })
    lead({ member, say, sync })
    answer('load', null)
    say({ type: 'raft.appendRejected', term: 1, rejectedIndex: 9, hintIndex: 0, hintTerm: 0 }, 3)
    member.send({ type: 'raft.flush', now: 1_500 })
    answer('readRange', null, new Uint8Array(8))
    expect(lines.find((line) => line.startsWith('raft.append '))).toContain('"entries":1')
    expect(lines.find((line) => line.startsWith('raft.snapshotChunk'))).toContain('"bytes":8')
  })

  test('ends the process when the core fails', () => {
    const { failures, say, sync } = stage()
    say(append(1, [0, 0], entriesOf(1, 1)))
    sync()
    say(append(1, [1, 1], []), 3)
    expect(failures).toHaveLength(1)
    expect(String(failures[0])).toContain('one leader')
  })
})

const recoveredAt = (index: number, ...terms: number[]) =>
  ({ group: GROUP, hardState: { term: 0, vote: '' as const }, snapshot: { index, term: 1 }, entries: entriesOf(index + 1, ...terms) })

/** Member 1 is elected by member 2. */
const lead = ({ member, say, sync }: Pick<Stage, 'member' | 'say' | 'sync'>): void => {
  member.send({ type: 'tick', ticks: 40, now: 1_000, wallMs: 0 })
  say({ type: 'raft.preVoteGranted', term: 1 })
  sync()
  say({ type: 'raft.voteGranted', term: 1, wallMs: 0 })
  member.send({ type: 'raft.flush', now: 1_000 })
  sync()
}

describe('starting from a snapshot', () => {
  test('loads the state first; committed entries follow', () => {
    const { calls, shard, answer, say, sync } = stage({ snapshot: info(9), recovered: recoveredAt(9, 1, 1) })
    expect([calls.map(({ name }) => name), shard[0]?.type]).toEqual([['load'], 'shard.restoring'])
    say(append(1, [11, 1], [], 10))
    sync()
    const onChunk = calls[0]?.args[1] as (bytes: Uint8Array) => void
    onChunk(new Uint8Array([1]))
    answer('load', null)
    expect(shard.filter(({ type }) => type !== 'raft.roleChanged').map(({ type }) => type)).toEqual(
      ['shard.restoring', 'shard.restoreChunk', 'shard.restored', 'raft.committed'])
  })

  test('ends the process when the snapshot can not be loaded', () => {
    const { failures, answer } = stage({ snapshot: info(9), recovered: recoveredAt(9) })
    answer('load', failure('EIO'))
    expect(failures).toHaveLength(1)
  })

  test.each(['EDAMAGED', 'ENOENT'])('is given up alone when the snapshot has gone bad meanwhile (%s) and others are a quorum', (code) => {
    const { failures, answer, wal, member } = stage({ snapshot: info(9), recovered: recoveredAt(9) })
    answer('load', failure(code))
    const reason = 'its snapshot at 9 went bad before it was loaded'
    expect([failures, member.status().quarantined, wal.at(-1)])
      .toEqual([[], reason, { type: 'wal.quarantine', group: GROUP, ticket: 1, reason }])
  })

  test('ends the process when the snapshot has gone bad meanwhile, and the others are no quorum: a start may find an older one', () => {
    const two = { ...configuration, voters: [idOf(1), idOf(2)] }
    const { failures, answer, member } = stage({
      configuration: two, snapshot: { ...info(9), configuration: two }, recovered: recoveredAt(9),
    })
    answer('load', failure('EDAMAGED'))
    expect([failures.length, member.status().quarantined]).toEqual([1, undefined])
  })

  test('refuses a snapshot that the log does not vouch for', () => {
    expect(() => stage({ snapshot: info(12), recovered: recoveredAt(9) })).toThrow(/vouches/)
  })

  test('a quarantined replica starts halted, says why, and loads nothing', () => {
    const recovered = { ...recoveredAt(9), quarantined: 'damage' }
    const { member, calls, wal, shard } = stage({ snapshot: info(9), recovered })
    expect(member.status()).toMatchObject({ role: 'halted', quarantined: 'damage', matchIndex: new Map() })
    expect(calls).toEqual([])
    expect(wal).toEqual([])
    expect(shard.map((event) => event.type === 'raft.roleChanged' && event.role)).toEqual(['halted'])
  })

  test('a replica that is told to halt marks it on disk', () => {
    const { member, wal } = stage()
    member.send({ type: 'raft.halt', reason: 'damage' })
    expect(wal).toEqual([{ type: 'wal.quarantine', group: GROUP, ticket: 1, reason: 'damage' }])
  })
})

describe('sending a snapshot', () => {
  const sending = (): Stage => {
    const here = stage({ snapshot: info(9), recovered: recoveredAt(9) })
    lead(here)
    here.answer('load', null)
    here.say({ type: 'raft.appendRejected', term: 1, rejectedIndex: 9, hintIndex: 0, hintTerm: 0 }, 3)
    here.mails.length = 0
    here.member.send({ type: 'raft.flush', now: 1_100 })
    return here
  }

  test('reads pieces of the file and sends them with their checksum', () => {
    const { calls, mails, answer } = sending()
    expect(calls.map(({ name, args }) => [name, ...args.slice(0, 5)])).toEqual([['readRange', GROUP, 9, 1, 0, 8]])
    answer('readRange', null, new Uint8Array(8))
    expect(mails).toEqual(['n3 raft.snapshotChunk term=1 snapshotTerm=1 snapshotIndex=9 offset=0 totalBytes=8 crc=* bytes=8B'])
  })

  test('a file that can not be read is said in the log, and the peer is probed again', () => {
    const { lines, mails, answer } = sending()
    answer('readRange', failure('ENOENT'))
    expect(lines.at(-1)).toContain('could not be read')
    expect(mails).toEqual([])
  })

  /**
   * Story: 1. The end of the file is gone. 2. What is read there is empty, and was sent as a piece of no bytes. 3. The peer said that it
   * has what it had, which counts as an answer: it was sent the same again, and nothing else was ever tried.
   */
  test('a file that has become shorter is as one that can not be read: its peer gets none of it, and the file is looked at', () => {
    for (const length of [0, 7]) {
      const { calls, lines, mails, answer } = sending()
      answer('readRange', null, new Uint8Array(length))
      expect(lines.at(-1)).toContain('could not be read')
      expect([mails, calls.map(({ name, args }) => [name, ...args.slice(0, 3)])]).toEqual([[], [['verify', GROUP, 9, 1]]])
    }
  })

  test.each([
    ['null, true', null, true, 'the damage is on the way', []],
    ['null, false', null, false, 'another one is written', [{ type: 'shard.snapshotLost' }]],
    ['an error', failure('EMFILE'), true, 'could not be found out', []],
  ] as const)('a peer that found it damaged has the own file looked at: %s', (_name, error, isGood, line, told) => {
    const { member, calls, lines, shard, say, answer } = sending()
    answer('readRange', null, new Uint8Array(8))
    say({ type: 'raft.snapshotRefused', term: 1, snapshotIndex: 9, reason: 'damaged' }, 3)
    expect(calls.map(({ name, args }) => [name, ...args.slice(0, 3)])).toEqual([['verify', GROUP, 9, 1]])
    answer('verify', error, isGood)
    expect(lines.at(-1)).toContain(line)
    expect(shard.filter(({ type }) => type === 'shard.snapshotLost')).toEqual(told)
    expect(member.isSnapshotLost()).toBe(!isGood)
  })

  test('compaction names the snapshot before this one', () => {
    const { member, wal, say, sync } = sending()
    say({ type: 'raft.appendAccepted', term: 1, matchIndex: 10 })
    sync()
    member.send({ type: 'raft.snapshotStored', index: 10, term: 1, totalBytes: 9 })
    expect(wal.at(-1)).toEqual({ type: 'wal.compact', group: GROUP, mark: { index: 9, term: 1 } })
  })
})

describe('receiving a snapshot', () => {
  const received = (): Stage => {
    const here = stage()
    here.say(chunkOf(0, 'abcd'))
    here.say(chunkOf(4, 'efgh'))
    here.sync()
    here.mails.length = 0
    return here
  }
  const written = (): Stage => {
    const here = received()
    here.answer('receive', null, 4)
    here.answer('receive', null, 8)
    return here
  }

  test('writes one piece at a time, in order', () => {
    const { calls, mails, answer } = received()
    expect(calls.map(({ args }) => args[3])).toEqual([0])
    answer('receive', null, 4)
    expect(mails).toEqual(['n2 raft.snapshotAccepted term=1 snapshotIndex=9 nextOffset=4'])
    expect(calls.map(({ args }) => args[3])).toEqual([4])
  })

  test('verifies the file, then records it in the log, then puts it in force, then loads it', () => {
    const { member, calls, wal, mails, shard, answer } = written()
    expect(calls.map(({ name }) => name)).toEqual(['finishReceive'])
    answer('finishReceive', null, info(9))
    expect(wal.at(-1)).toEqual({ type: 'wal.installSnapshot', group: GROUP, ticket: 1, mark: { index: 9, term: 1 } })
    mails.length = 0
    const marked = { type: 'wal.snapshotMarked', group: GROUP, ticket: 1, mark: { index: 9, term: 1 } } as const
    member.walNotice({ ...marked, group: GROUP + 1 })
    member.walNotice({ type: 'wal.quarantined', group: GROUP, ticket: 1 })
    member.walNotice({ ...marked, mark: { index: 8, term: 1 } })
    expect(mails).toEqual([])
    member.walNotice(marked)
    expect(mails).toEqual(['n2 raft.snapshotAccepted term=1 snapshotIndex=9 nextOffset=8'])
    // Told before another event may reach it, though loading waits for its turn.
    expect([calls.map(({ name }) => name), shard.at(-1)]).toEqual([['load', 'prune'], { type: 'shard.restoring' }])
    answer('load', null)
    expect(shard.at(-1)).toEqual({ type: 'shard.restored', index: 9, term: 1 })
    expect(member.status()).toMatchObject({ commitIndex: 9, lastIndex: 9, baseIndex: 9 })
  })

  test('old snapshots that can not be removed are said in the log', () => {
    const { member, lines, answer } = written()
    answer('finishReceive', null, info(9))
    member.walNotice({ type: 'wal.snapshotMarked', group: GROUP, ticket: 1, mark: { index: 9, term: 1 } })
    answer('prune', failure('EIO'))
    expect(lines.at(-1)).toContain('could not be removed')
    answer('load', null)
  })

  test.each([
    ['finishReceive', 'EDAMAGED', 'damaged'], ['finishReceive', 'ENOSPC', 'noSpace'],
  ] as const)('%s that fails with %s refuses the snapshot as %s', (name, code, reason) => {
    const { mails, failures, answer } = written()
    mails.length = 0
    answer(name, failure(code))
    expect(mails).toEqual([`n2 raft.snapshotRefused term=1 snapshotIndex=9 reason=${reason}`])
    expect(failures).toEqual([])
  })

  test('a full disk while writing refuses the snapshot, and later pieces are written off', () => {
    const { mails, calls, answer } = received()
    answer('receive', failure('ENOSPC'))
    expect(mails).toEqual(['n2 raft.snapshotRefused term=1 snapshotIndex=9 reason=noSpace'])
    answer('receive', failure('ENOSPC'))
    expect(calls).toEqual([])
    expect(mails).toHaveLength(1)
  })

  test('no quota or no descriptor left is as a full disk: it is sent again, later', () => {
    for (const code of ['EDQUOT', 'EMFILE', 'ENFILE']) {
      const { mails, failures, answer } = received()
      answer('receive', failure(code))
      expect([mails, failures]).toEqual([['n2 raft.snapshotRefused term=1 snapshotIndex=9 reason=noSpace'], []])
    }
  })

  test('any other error ends the process', () => {
    const { failures, answer } = received()
    answer('receive', failure('EIO'))
    expect(failures).toHaveLength(1)
  })

  test('after stop nothing happens any more', () => {
    const { member, wal, failures, answer, mails } = written()
    member.stop()
    const before = wal.length
    mails.length = 0
    answer('finishReceive', null, info(9))
    member.walNotice({ type: 'wal.snapshotMarked', group: GROUP, ticket: 1, mark: { index: 9, term: 1 } })
    expect([wal.length, mails, failures]).toEqual([before, [], []])
  })

  test('after stop no further piece is written: its files are about to go', () => {
    const { member, calls, answer } = received()
    member.stop()
    answer('receive', null, 4)
    expect(calls).toEqual([])
  })

  test('an error after stop is nobody\'s any more', () => {
    const { member, failures, answer } = received()
    member.stop()
    answer('receive', failure('EIO'))
    expect(failures).toEqual([])
  })

  test('a snapshot that is loaded when the member has stopped goes nowhere', () => {
    const { member, calls, shard, answer } = stage({ snapshot: info(9), recovered: recoveredAt(9) })
    member.stop()
    const before = shard.length
    const onChunk = calls[0]?.args[1] as (bytes: Uint8Array) => void
    onChunk(new Uint8Array([1]))
    answer('load', null)
    expect(shard).toHaveLength(before)
  })
})
