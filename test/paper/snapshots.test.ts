/** Log compaction and snapshot transfer (section 7; thesis 5.1). */

import { describe, expect, test } from '@jest/globals'
import { crc32 } from '../../storage/crc.ts'
import { createHarness, idOf, numberOf } from '../support/raftHarness.ts'
import { heldBy } from '../support/raftSafety.ts'
import { append, createFollower, entriesOf, say, sentOf, settleDisk, takeSent } from '../support/raftScript.ts'
import type { Harness, HarnessOptions } from '../support/raftHarness.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'

const small: HarnessOptions = { limits: { tailEntriesMax: 0, chunkBytesMax: 40, chunksInFlightMax: 2 } }
const isFor = (number: number) => ({ from, to }: { from: string, to: string }): boolean => from === idOf(number) || to === idOf(number)

/** Members 1 and 2 have moved on without 3, and forgotten the entries it needs. */
const behind = (options: HarnessOptions = small): Harness => {
  const h = createHarness(options)
  h.campaign(1)
  h.setRoute((mail) => !isFor(3)(mail))
  for (let i = 0; i < 10; i += 1) h.propose(1, `value ${i}`)
  h.stabilize()
  h.snapshot(1)
  h.propose(1, 'after')
  h.stabilize()
  return h
}

type Chunk = Extract<RaftMessage, { type: 'raft.snapshotChunk' }>

const chunk = (snapshot: readonly [number, number], offset: number, text: string, more: Partial<Chunk> = {}): Chunk => {
  const bytes = new TextEncoder().encode(text)
  return {
    type: 'raft.snapshotChunk', term: 2, snapshotIndex: snapshot[0], snapshotTerm: snapshot[1], offset, totalBytes: 100,
    crc: crc32(bytes), bytes, ...more,
  }
}

describe('section 7', () => {
  test('The leader must send snapshots to followers that lag behind, when it has discarded the next log entry it needs to send', () => {
    const h = behind()
    h.setRoute(() => true)
    h.tick(10)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
    expect(h.member(3).core.snapshot?.index).toBe(11)
    expect(h.member(1).core.leading.progress.get(idOf(3))).toMatchObject({ state: 'replicate', matchIndex: 12 })
  })

  test('Chunks are acknowledged, and only a few are on their way', () => {
    const h = behind()
    let inFlight = 0
    let most = 0
    h.setRoute(({ message }) => {
      if (message.type === 'raft.snapshotChunk') inFlight += 1
      if (message.type === 'raft.snapshotAccepted') inFlight -= 1
      most = Math.max(most, inFlight)
      return true
    })
    h.tick(10)
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(2)
  })

  test('A transfer survives lost chunks and lost acknowledgements', () => {
    const h = behind()
    let n = 0
    h.setRoute(({ message }) => {
      if (message.type !== 'raft.snapshotChunk' && message.type !== 'raft.snapshotAccepted') return true
      n += 1
      return n % 3 !== 0
    })
    h.tick(200)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })

  test('A leader whose quorum waits for a long transfer stays leader while the transfer advances, and commits when it is done', () => {
    const h = behind({ limits: { tailEntriesMax: 0, chunkBytesMax: 20, chunksInFlightMax: 1 } })
    let isChunkAllowed = false
    // Member 2 is dead; every other chunk is lost and sent again after a while.
    h.setRoute((mail) => {
      if (isFor(2)(mail)) return false
      if (mail.message.type !== 'raft.snapshotChunk') return true
      const isAllowed = isChunkAllowed
      isChunkAllowed = false
      return isAllowed
    })
    h.propose(1, 'waits for the transfer')
    const { term } = h.member(1).core
    let ticks = 0
    while (h.member(3).core.snapshot === null && ticks < 2_000) {
      if (ticks % 3 === 0) isChunkAllowed = true
      h.tick(1)
      ticks += 1
    }
    const { commitStallElections, electionTicksMax } = h.member(1).core.timing
    expect(ticks).toBeGreaterThan(2 * commitStallElections * electionTicksMax)
    h.tick(20)
    expect(h.member(1).core).toMatchObject({ role: 'leader', term })
    expect(h.member(1).applied.at(-1)).toBe('waits for the transfer')
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })

  test('A leader whose disk hangs steps down, although the transfer to a learner advances', () => {
    const voters = [1, 2, 3].map(idOf)
    const h = createHarness({
      size: 4, configuration: { epoch: 0, voters, outgoing: [], learners: [] },
      limits: { tailEntriesMax: 0, chunkBytesMax: 64, chunksInFlightMax: 1, moveBytesPerSecond: 5_120 },
    })
    h.campaign(1)
    for (let i = 0; i < 200; i += 1) h.propose(1, `${i}`.padEnd(200, '.'))
    h.stabilize()
    h.snapshot(1)
    h.order(1, { epoch: 2, voters, learners: [idOf(4)] })
    h.tick()
    h.frozenDisks.add(1)
    h.propose(1, 'never durable here')
    const { core, disk } = h.member(1)
    const { commitStallElections, electionTicksMax } = core.timing
    const acknowledged = (): number => core.leading.progress.get(idOf(4))?.transfer?.acknowledgedBytes ?? 0
    let advances = 0
    for (let ticks = 0; ticks <= commitStallElections * electionTicksMax + 2; ticks += 1) {
      const before = acknowledged()
      h.tick()
      // Its files can be read.
      disk.writes.splice(0).forEach((write) => (write.ticket === 0 ? write.done() : disk.writes.push(write)))
      h.stabilize()
      if (acknowledged() > before) advances += 1
    }
    expect(advances).toBeGreaterThan(10)
    expect(core.role).not.toBe('leader')
  })

  test('A replica whose transfer stalls is retried, in the end from the beginning with the newest snapshot', () => {
    const h = behind()
    h.setRoute(({ message }) => message.type !== 'raft.snapshotChunk')
    h.tick(30)
    h.propose(1, 'more')
    h.tick(4)
    h.snapshot(1)
    h.tick(60)
    expect(h.member(1).core.leading.progress.get(idOf(3))?.transfer?.index).toBe(13)
    h.setRoute(() => true)
    h.tick(60)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })

  test('A received snapshot that does not verify is refused and sent again', () => {
    const h = behind()
    h.member(3).isSnapshotDamaged = true
    const refusals: string[] = []
    h.setRoute(({ message }) => {
      if (message.type === 'raft.snapshotRefused') refusals.push(message.reason)
      return true
    })
    h.tick(10)
    expect(refusals).toEqual(['damaged'])
    h.tick(30)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })

  test('When the file is gone the peer is probed again, and gets the one that is written in its place', () => {
    const h = behind()
    h.member(1).disk.snapshots.length = 0
    h.setRoute(() => true)
    h.tick(8)
    expect(h.member(3).core.commitIndex).toBeLessThan(11)
    expect(h.member(1).snapshotsLost).toBeGreaterThan(0)
    h.snapshot(1)
    h.tick(20)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })

  test('A receiver that starts anew in the middle gets the snapshot from the beginning', () => {
    const h = behind()
    let n = 0
    h.setRoute(({ message }) => message.type !== 'raft.snapshotChunk' || (n += 1) < 3)
    h.tick(6)
    h.crash(3)
    h.restart(3)
    h.setRoute(() => true)
    h.tick(60)
    expect(h.member(3).applied).toEqual(h.member(1).applied)
  })

  test('A new leader begins its own transfer', () => {
    const h = behind()
    h.snapshot(2)
    let n = 0
    h.setRoute((mail) => mail.message.type !== 'raft.snapshotChunk' || (n += 1) < 3)
    h.tick(6)
    h.setRoute((mail) => !isFor(1)(mail))
    h.tick(60)
    expect(h.leader().number).toBe(2)
    expect(h.member(3).applied).toEqual(h.member(2).applied)
  })

  test('A log that already matches is fast-forwarded: entries following a snapshot of its prefix are still retained', () => {
    const h = createFollower(2, [1, 1, 2, 2])
    say(h, 2, chunk([3, 2], 0, 'x'))
    settleDisk(h)
    expect(h.member(1).core).toMatchObject({ commitIndex: 3, emittedIndex: 3, isRestoring: false })
    expect(heldBy(h.member(1))).toHaveLength(4)
    // It only moves the commit index, and says again what matches.
    expect(takeSent(h).map(({ message }) => message)).toEqual([{ type: 'raft.appendAccepted', term: 2, matchIndex: 4 }])
  })

  test('A snapshot older than commit is never installed', () => {
    const h = createFollower(2, [1, 2, 2])
    say(h, 2, append(2, [3, 2], [], 3))
    takeSent(h)
    say(h, 2, chunk([2, 1], 0, 'x'))
    expect(sentOf(takeSent(h), 'raft.snapshotRefused').map(({ reason }) => reason)).toEqual(['older'])
    expect(h.member(1).disk.writes).toHaveLength(0)
  })

  test('The leader of a peer that refused as older goes on behind the snapshot', () => {
    const h = behind()
    h.setRoute((mail) => !(mail.message.type === 'raft.snapshotChunk'))
    h.tick(6)
    const progress = h.member(1).core.leading.progress.get(idOf(3))
    expect(progress?.state).toBe('snapshot')
    h.send(1, { type: 'raft.snapshotRefused', from: idOf(3), term: 1, snapshotIndex: 11, reason: 'older' })
    expect(progress).toMatchObject({ state: 'probe', nextIndex: 12 })
  })

  test('Chunks of another snapshot are never mixed in', () => {
    const h = createFollower(2)
    say(h, 2, chunk([9, 2], 0, 'aaaa'))
    // The same index from a leader of another term: another file, byte for byte.
    say(h, 3, chunk([9, 2], 4, 'bbbb', { term: 3 }))
    expect(h.member(1).disk.writes.length - 1).toBe(1)
    // It may begin only when no write of the old one is under way.
    say(h, 3, chunk([9, 2], 0, 'cccc', { term: 3 }))
    expect(h.member(1).core.following.incoming).toBeNull()
    settleDisk(h)
    say(h, 3, chunk([9, 2], 0, 'cccc', { term: 3 }))
    settleDisk(h)
    expect(new TextDecoder().decode(h.member(1).received)).toBe('cccc')
    // Another size is another file, too.
    say(h, 3, chunk([9, 2], 4, 'dddd', { term: 3, totalBytes: 50 }))
    expect(h.member(1).core.following.incoming).toMatchObject({ requestedBytes: 4, totalBytes: 100 })
  })

  test('A chunk with a bad checksum is not written', () => {
    const h = createFollower(2)
    say(h, 2, chunk([9, 2], 0, 'aaaa', { crc: 1 }))
    expect(h.member(1).core.following.incoming).toBeNull()
  })

  test('A gap is answered with what is there', () => {
    const h = createFollower(2)
    say(h, 2, chunk([9, 2], 0, 'aaaa'))
    settleDisk(h)
    takeSent(h)
    say(h, 2, chunk([9, 2], 8, 'cccc'))
    expect(takeSent(h).map(({ message }) => message)).toEqual([{ type: 'raft.snapshotAccepted', term: 2, snapshotIndex: 9, nextOffset: 4 }])
  })

  test('A full disk refuses, and the leader hears why', () => {
    const h = createFollower(2)
    say(h, 2, chunk([9, 2], 0, 'aaaa'))
    h.member(1).disk.writes.splice(0)
    h.send(1, { type: 'raft.snapshotDamaged', snapshotIndex: 9, reason: 'noSpace' })
    expect(sentOf(takeSent(h), 'raft.snapshotRefused').map(({ reason }) => reason)).toEqual(['noSpace'])
    expect(h.member(1).core.following).toMatchObject({ incoming: null, chunkWrites: 0 })
  })
})

describe('while a snapshot takes force', () => {
  /** Member 3 has every byte, and its disk has not recorded the snapshot yet. */
  const installing = (): Harness => {
    const h = behind()
    h.setRoute(() => true)
    for (let i = 0; i < 400 && !h.member(3).core.following.isInstalling; i += 1) {
      if (i % 40 === 0) h.tickOnly(1, 1)
      h.deliverOne()
      for (const { number, core } of h.members) {
        h.flush(number)
        if (!core.following.isInstalling) h.writeOne(number)
      }
    }
    expect(h.member(3).core.following.isInstalling).toBe(true)
    takeSent(h)
    return h
  }

  test('appends are not looked at, heartbeats are answered', () => {
    const h = installing()
    say(h, 1, append(1, [0, 0], entriesOf(1, 1)), 3)
    say(h, 1, { type: 'raft.heartbeat', term: 1, commitIndex: 0, round: 99 }, 3)
    expect(takeSent(h).map(({ message }) => message.type)).toEqual(['raft.heartbeatAcked'])
  })

  test('no election is begun', () => {
    const h = installing()
    h.tickOnly(3, 100)
    expect(h.member(3).core.role).toBe('follower')
  })

  test('A snapshot whose last byte is written only when its receiver campaigns is dropped', () => {
    const h = createFollower(2)
    say(h, 2, chunk([9, 2], 0, 'x', { totalBytes: 1 }))
    h.tickOnly(1, 21)
    h.writeOne(1)
    expect(h.member(1).core).toMatchObject({ role: 'preCandidate', following: { isInstalling: false, incoming: null, chunkWrites: 0 } })
  })

  test('further chunks are not looked at', () => {
    const h = installing()
    say(h, 1, chunk([50, 1], 0, 'x', { term: 1 }), 3)
    expect(takeSent(h)).toEqual([])
  })

  test('It takes force also in a later term, but only the leader that sent it is answered', () => {
    const h = installing()
    say(h, 2, { type: 'raft.heartbeat', term: 4, commitIndex: 0, round: 1 }, 3)
    takeSent(h)
    settleDisk(h, 3)
    expect(h.member(3).core).toMatchObject({ term: 4, commitIndex: 11, emittedIndex: 11 })
    expect(sentOf(takeSent(h), 'raft.snapshotAccepted')).toEqual([])
  })

  test('Its total is acknowledged when it is durable, and counts as a match', () => {
    const h = installing()
    settleDisk(h, 3)
    const [answer] = sentOf(takeSent(h), 'raft.snapshotAccepted')
    expect(answer?.nextOffset).toBe(h.member(1).core.snapshot?.totalBytes)
    expect(h.member(3).disk.durable.mark.index).toBe(11)
  })

  test('A log that has come to contain it meanwhile is kept', () => {
    const h = createFollower(2)
    say(h, 2, chunk([2, 1], 0, 'x', { totalBytes: 1 }))
    say(h, 2, append(2, [0, 0], entriesOf(1, 1, 1, 2)))
    const configuration = { epoch: 0, voters: [1, 2, 3].map(idOf), outgoing: [], learners: [] }
    h.writeOne(1)
    h.writeOne(1)
    expect(h.member(1).core.following.isInstalling).toBe(true)
    h.send(1, { type: 'raft.snapshotInstalled', index: 2, term: 1, totalBytes: 1, configuration })
    expect(h.member(1).core).toMatchObject({ commitIndex: 2, emittedIndex: 2, isRestoring: false, snapshot: { index: 2, term: 1 } })
    expect(heldBy(h.member(1))).toHaveLength(3)
  })

  test('A snapshot that has become older than commit while its last chunk was written is not installed', () => {
    const h = createFollower(2, [], { limits: { tailEntriesMax: 0 } })
    say(h, 2, chunk([2, 1], 0, 'x', { totalBytes: 1 }))
    const write = h.member(1).disk.writes.shift()
    // A late append brings more than the snapshot holds; it commits, and two snapshots of its own move the log's mark.
    for (const [entries, commitIndex] of [[entriesOf(1, 1, 1, 2), 3], [entriesOf(4, 2, 2), 5]] as const) {
      say(h, 2, append(2, commitIndex === 3 ? [0, 0] : [3, 2], entries, commitIndex))
      settleDisk(h)
      h.snapshot(1)
    }
    takeSent(h)
    write?.done()
    expect(h.member(1).core.following).toMatchObject({ isInstalling: false, incoming: null, chunkWrites: 0 })
    expect(sentOf(takeSent(h), 'raft.snapshotRefused').map(({ reason }) => reason)).toEqual(['older'])
    settleDisk(h)
    expect(h.member(1).disk.durable.mark.index).toBe(3)
  })

  test('The log is not compacted past a snapshot that is being verified', () => {
    const h = createFollower(2, [], { limits: { tailEntriesMax: 0 } })
    say(h, 2, append(2, [0, 0], entriesOf(1, 1, 1, 2, 2, 2)))
    settleDisk(h)
    say(h, 2, chunk([7, 2], 0, 'x', { totalBytes: 1 }))
    say(h, 2, append(2, [5, 2], entriesOf(6, 2, 2, 2, 2)))
    while (!h.member(1).core.following.isInstalling) h.writeOne(1)
    const install = h.member(1).disk.writes.pop()
    settleDisk(h)
    for (const commitIndex of [8, 9]) {
      say(h, 2, { type: 'raft.heartbeat', term: 2, commitIndex, round: 1 })
      h.snapshot(1)
    }
    expect(install).toBeDefined()
    expect(h.member(1).disk.durable.mark.index).toBeLessThanOrEqual(7)
  })

  test('A snapshot that has become older than commit while it was verified takes no force', () => {
    const h = createFollower(2)
    say(h, 2, append(2, [0, 0], entriesOf(1, 1, 1, 2)))
    say(h, 2, chunk([4, 2], 0, 'x', { totalBytes: 1 }))
    while (!h.member(1).core.following.isInstalling) h.writeOne(1)
    say(h, 2, { type: 'raft.heartbeat', term: 2, commitIndex: 3, round: 1 })
    const applied = [...h.member(1).applied]
    expect(applied).toHaveLength(3)
    // Its configuration would be another one, its state an earlier one: neither may be taken back.
    const configuration = { epoch: 0, voters: [1, 2].map(idOf), outgoing: [], learners: [] }
    h.send(1, { type: 'raft.snapshotInstalled', index: 2, term: 1, totalBytes: 1, configuration })
    expect(h.member(1).core).toMatchObject({ commitIndex: 3, emittedIndex: 3, isRestoring: false, snapshot: null })
    expect(h.member(1).core.membership.configuration.voters).toHaveLength(3)
    expect(h.member(1).applied).toEqual(applied)
  })

  test('Fail-stop: an installation that nobody asked for ends the process', () => {
    const h = createFollower(2)
    const configuration = { epoch: 0, voters: [idOf(1)], outgoing: [], learners: [] }
    expect(() => h.send(1, { type: 'raft.snapshotInstalled', index: 9, term: 2, totalBytes: 1, configuration })).toThrow(/asked for/)
  })
})

describe('compaction', () => {
  const filled = (limits: HarnessOptions['limits']): Harness => {
    const h = createHarness({ size: 1, ...(limits === undefined ? {} : { limits }) })
    h.tick(21)
    for (let i = 0; i < 9; i += 1) h.propose(1, `value ${i}`)
    h.stabilize()
    return h
  }

  test('The log on disk is kept back to the snapshot before the newest', () => {
    const h = filled({})
    h.snapshot(1)
    expect(h.member(1).disk.durable.mark.index).toBe(0)
    h.propose(1, 'more')
    h.stabilize()
    h.snapshot(1)
    expect(h.member(1).disk.durable.mark).toEqual({ index: 10, term: 1 })
  })

  test('In memory a tail bounded by entries stays for slow followers', () => {
    const h = filled({ tailEntriesMax: 3 })
    h.snapshot(1)
    expect(h.member(1).core.log.base.index).toBe(7)
  })

  test('and bounded by bytes', () => {
    const h = filled({ tailBytesMax: 100 })
    h.snapshot(1)
    expect(h.member(1).core.log.base.index).toBe(8)
  })

  test('A snapshot that is not newer says nothing', () => {
    const h = filled({})
    h.snapshot(1)
    const { base } = h.member(1).core.log
    h.send(1, { type: 'raft.snapshotStored', index: 4, term: 1, totalBytes: 1 })
    expect(h.member(1).core).toMatchObject({ snapshot: { index: 10 }, log: { base } })
  })

  test('A member starts from its snapshot, loads it first, then applies what follows', () => {
    const lines: string[] = []
    const h = createHarness({ size: 1, onLine: (line) => lines.push(line) })
    h.tick(21)
    for (let i = 0; i < 3; i += 1) h.propose(1, `value ${i}`)
    h.stabilize()
    h.snapshot(1)
    h.propose(1, 'after')
    h.stabilize()
    h.crash(1)
    lines.length = 0
    h.restart(1)
    h.tick(10)
    expect(lines.filter((line) => /restores|applies/.test(line))).toEqual(['1 restores 4/1', '1 applies 5/1 after', '1 applies 6/2'])
    expect(numberOf(h.leader().id)).toBe(1)
  })
})
