/** Changing the members of a group, at the order of the meta group (section 6; thesis chapter 4). */

import { describe, expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { heldBy } from '../support/raftSafety.ts'
import type { Harness } from '../support/raftHarness.ts'
import type { ConfigurationOrder } from '../../actors/raft/protocol.ts'

const order = (epoch: number, voters: readonly number[], learners: readonly number[] = []): ConfigurationOrder =>
  ({ epoch, voters: voters.map(idOf), learners: learners.map(idOf) })
const group = (voters: readonly number[]): { epoch: number, voters: ReturnType<typeof idOf>[], outgoing: never[], learners: never[] } =>
  ({ epoch: 0, voters: voters.map(idOf), outgoing: [], learners: [] })

/** Members 1 to `size`, of which `voters` are in the group; member 1 leads and has committed its first entry. */
const led = (size: number, voters: readonly number[]): Harness => {
  const h = createHarness({ size, configuration: group(voters) })
  h.campaign(1)
  h.tick(2)
  return h
}

const configurationOf = (h: Harness, number: number): { voters: string[], outgoing: string[], learners: string[] } => {
  const { voters, outgoing, learners } = h.member(number).core.membership.configuration
  return { voters: [...voters], outgoing: [...outgoing], learners: [...learners] }
}

const ids = (...numbers: number[]): string[] => numbers.map(idOf)

describe('an order', () => {
  test('adds a learner with one entry, which receives the log and is not counted', () => {
    const h = led(4, [1, 2, 3])
    h.propose(1, 'before')
    expect(h.order(1, order(2, [1, 2, 3], [4]))).toBe('pending')
    h.tick(3)
    expect(h.order(1, order(2, [1, 2, 3], [4]))).toBe('done')
    expect(configurationOf(h, 4)).toEqual({ voters: ids(1, 2, 3), outgoing: [], learners: ids(4) })
    expect(h.member(4)).toMatchObject({ core: { role: 'learner' }, applied: h.member(1).applied })
  })

  test('replaces a voter through a joint phase that the leader leaves by itself', () => {
    const h = led(4, [1, 2, 3])
    h.order(1, order(2, [1, 2, 3], [4]))
    h.tick(3)
    h.setRoute(({ message }) => message.type !== 'raft.appendAccepted')
    expect(h.order(1, order(3, [1, 2, 4]))).toBe('pending')
    h.stabilize()
    expect(configurationOf(h, 1)).toEqual({ voters: ids(1, 2, 4), outgoing: ids(1, 2, 3), learners: [] })
    h.setRoute(() => true)
    h.tick(5)
    expect(configurationOf(h, 4)).toEqual({ voters: ids(1, 2, 4), outgoing: [], learners: [] })
    expect(h.order(1, order(3, [1, 2, 4]))).toBe('done')
  })

  test('needs both halves while it is joint: the new one alone commits nothing', () => {
    const h = led(5, [1, 2, 3])
    h.order(1, order(2, [1, 2, 3], [4, 5]))
    h.tick(3)
    h.setRoute(({ from, to }) => ![idOf(2), idOf(3)].includes(from) && ![idOf(2), idOf(3)].includes(to))
    const before = h.member(1).core.commitIndex
    h.order(1, order(3, [1, 4, 5]))
    h.tick(3)
    expect(h.member(1).core).toMatchObject({ role: 'leader', commitIndex: before })
  })

  test('is carried on by the next leader when the one that began it dies in the joint phase', () => {
    const h = led(4, [1, 2, 3])
    h.order(1, order(2, [1, 2, 3], [4]))
    h.tick(3)
    h.order(1, order(3, [1, 2, 4]))
    h.setRoute(({ message }) => message.type === 'raft.append')
    h.stabilize()
    h.crash(1)
    h.setRoute(() => true)
    h.campaign(2)
    h.tick(5)
    expect(configurationOf(h, 2)).toEqual({ voters: ids(1, 2, 4), outgoing: [], learners: [] })
    expect(h.order(2, order(3, [1, 2, 4]))).toBe('done')
  })

  test('waits in its joint phase while leadership is handed over, and goes on when that was given up', () => {
    const h = led(4, [1, 2, 3])
    h.order(1, order(2, [1, 2, 3], [4]))
    h.tick(3)
    h.setRoute(({ message }) => message.type !== 'raft.appendAccepted')
    h.order(1, order(3, [1, 2, 4]))
    h.send(1, { type: 'raft.transferLeadership', to: idOf(2) })
    h.setRoute(({ message }) => message.type !== 'raft.timeoutNow')
    h.tick(5)
    expect(h.member(1).core.commitIndex).toBe(h.member(1).core.membership.history.at(-1)?.index)
    expect(configurationOf(h, 1)).toEqual({ voters: ids(1, 2, 4), outgoing: ids(1, 2, 3), learners: [] })
    h.tick(30)
    expect(configurationOf(h, 1)).toEqual({ voters: ids(1, 2, 4), outgoing: [], learners: [] })
  })

  test('makes a group of one a group of three, and a group of three one of one', () => {
    const h = led(3, [1])
    h.order(1, order(2, [1], [2, 3]))
    h.tick(3)
    h.order(1, order(3, [1, 2, 3]))
    h.tick(3)
    expect(configurationOf(h, 3)).toEqual({ voters: ids(1, 2, 3), outgoing: [], learners: [] })
    h.order(1, order(4, [1]))
    h.tick(3)
    h.crash(2)
    h.crash(3)
    h.propose(1, 'alone')
    h.tick(30)
    expect(h.member(1)).toMatchObject({ core: { role: 'leader' } })
    expect(h.member(1).applied.at(-1)).toBe('alone')
  })
})

/**
 * Story: 1. n1 is to be left alone by n2, which is elected in the joint phase. 2. It appends the configuration in which n1 is alone, and n1
 * writes it; n2 does not hear that. n2 leads on, by a lease that n1 has just confirmed. 3. n1 starts anew. Alone by what its log says last,
 * it would lead at once and commit by itself, while n2 answers reads without asking anybody.
 */
test('a member that is left alone by its newest configuration waits as any other', () => {
  const h = led(2, [1])
  h.order(1, order(2, [1], [2]))
  h.tick(3)
  h.order(1, order(3, [1, 2]))
  h.tick(3)
  h.setRoute(({ message }) => message.type === 'raft.append')
  h.order(1, order(4, [1]))
  h.stabilize()
  const joint = heldBy(h.member(2)).length
  h.crash(1)
  h.restart(1)
  h.setRoute(({ from, message }) => from !== idOf(1)
    || (message.type !== 'raft.requestPreVote' && (message.type !== 'raft.appendAccepted' || message.matchIndex <= joint + 1)))
  for (let ticks = 0; h.member(2).core.role !== 'leader' && ticks < 100; ticks += 1) h.tick()
  h.tick(5)
  expect([configurationOf(h, 1), h.member(2).core.role]).toEqual([{ voters: ids(1), outgoing: [], learners: [] }, 'leader'])
  h.setRoute(() => false)
  h.crash(1)
  h.restart(1)
  h.tick(3)
  expect(h.member(2).readyReads.has(h.read(2, true))).toBe(true)
  expect(h.member(1).core.role).toBe('follower')
  // Longer than one that never had another voter.
  h.tick(12)
  expect(h.member(1).core.role).toBe('follower')
  h.tick(60)
  expect([h.member(1).core.role, h.member(2).core.role]).toEqual(['leader', 'learner'])
})

describe('an order that comes twice, late or too early', () => {
  test('is reported on when it is the one in force', () => {
    const h = led(4, [1, 2, 3])
    h.order(1, order(2, [1, 2, 3], [4]))
    h.tick(3)
    const last = heldBy(h.member(1)).length
    expect(h.order(1, order(2, [1, 2, 3], [4]))).toBe('done')
    expect(heldBy(h.member(1))).toHaveLength(last)
  })

  test('is refused when a newer one was taken, though the members are what it expected', () => {
    const h = led(4, [1, 2, 3])
    // The move that epoch 2 ordered was cancelled before its order arrived; epoch 3 restores what was, and changes nobody.
    expect(h.order(1, order(3, [1, 2, 3]))).toBe('pending')
    h.tick(2)
    expect(h.order(1, order(3, [1, 2, 3]))).toBe('done')
    expect(h.order(1, order(2, [1, 2, 3], [4]))).toBe('stale')
    expect(configurationOf(h, 1).learners).toEqual([])
  })

  test('is remembered by the next leader', () => {
    const h = led(4, [1, 2, 3])
    h.order(1, order(3, [1, 2, 3]))
    h.tick(2)
    h.campaign(2)
    h.tick(2)
    expect(h.order(2, order(2, [1, 2, 3], [4]))).toBe('stale')
  })

  test('waits until the change before it has committed', () => {
    const h = led(4, [1, 2, 3])
    h.setRoute(() => false)
    h.order(1, order(2, [1, 2, 3], [4]))
    expect(h.order(1, order(3, [1, 2, 3]))).toBe('busy')
  })

  test('waits until an entry of the term has committed', () => {
    const h = createHarness({ size: 4, configuration: group([1, 2, 3]) })
    h.setRoute(({ message }) => message.type !== 'raft.appendAccepted')
    h.campaign(1)
    expect(h.member(1).core.role).toBe('leader')
    expect(h.order(1, order(2, [1, 2, 3], [4]))).toBe('busy')
  })

  test('waits while leadership is handed over', () => {
    const h = led(4, [1, 2, 3])
    h.setRoute(() => false)
    h.send(1, { type: 'raft.transferLeadership', to: idOf(2) })
    expect(h.order(1, order(2, [1, 2, 3], [4]))).toBe('busy')
  })
})

describe('an order is refused, and changes nothing,', () => {
  test('by a replica that does not lead', () => {
    const h = led(4, [1, 2, 3])
    expect(h.order(2, order(2, [1, 2, 3], [4]))).toBe('notLeader')
    h.send(3, { type: 'raft.halt', reason: 'for the test' })
    expect(h.order(3, order(2, [1, 2, 3], [4]))).toBe('notLeader')
  })

  test('when a new voter was no learner, or lacks too much', () => {
    const h = createHarness({ size: 4, configuration: group([1, 2, 3]), limits: { promotionLagMax: 3 } })
    h.campaign(1)
    h.tick(2)
    expect(h.order(1, order(2, [1, 2, 4]))).toBe('behind')
    h.order(1, order(2, [1, 2, 3], [4]))
    h.tick(3)
    h.setRoute(({ to }) => to !== idOf(4))
    for (let i = 0; i < 5; i += 1) h.propose(1, `v${i}`)
    h.stabilize()
    expect(h.order(1, order(3, [1, 2, 4]))).toBe('behind')
    h.setRoute(() => true)
    h.tick(5)
    expect(h.order(1, order(3, [1, 2, 4]))).toBe('pending')
  })

  // `electionTicksMax` is 20: by then a leader that hears nobody has given up.
  test.each<[string, (h: Harness) => void]>([
    ['is silent', (h) => h.setRoute(({ from, to }) => from !== idOf(2) && to !== idOf(2))],
    ['is quarantined', (h) => h.send(2, { type: 'raft.halt', reason: 'for the test' })],
    ['has a disk that stands still', (h) => h.send(2, { type: 'wal.stalled', stalled: true })],
    ['answers, and takes no entries', (h) => {
      h.setRoute(({ to, message }) => to !== idOf(2) || message.type !== 'raft.append')
      h.propose(1, 'lost on its way')
    }],
  ])('when it would rest a group of two on a voter that %s: the others go on, and may remove that one', (_what, harm) => {
    const h = led(3, [1, 2, 3])
    harm(h)
    h.tick(25)
    expect(h.order(1, order(2, [1, 2]))).toBe('behind')
    expect(configurationOf(h, 1)).toEqual({ voters: ids(1, 2, 3), outgoing: [], learners: [] })
    h.propose(1, 'all is well')
    h.tick(2)
    expect(h.member(1).applied.at(-1)).toBe('all is well')
    expect(h.order(1, order(3, [1, 3]))).toBe('pending')
    h.tick(5)
    expect(h.order(1, order(3, [1, 3]))).toBe('done')
  })

  test('when a new voter has died since it caught up', () => {
    const h = led(4, [1, 2, 3])
    h.order(1, order(2, [1, 2, 3], [4]))
    h.tick(3)
    h.crash(4)
    h.tick(25)
    expect(h.order(1, order(3, [1, 2, 4]))).toBe('behind')
    h.restart(4)
    h.tick(25)
    expect(h.order(1, order(3, [1, 2, 4]))).toBe('pending')
  })

  test('when of the old voters no majority could take it, though of the new ones one could', () => {
    const h = led(5, [1, 2, 3])
    h.order(1, order(2, [1, 2, 3], [4, 5]))
    h.tick(3)
    const stall = (stalled: boolean): void => {
      for (const number of [2, 3]) h.send(number, { type: 'wal.stalled', stalled })
      h.tick(5)
    }
    stall(true)
    expect(h.order(1, order(3, [1, 4, 5]))).toBe('behind')
    stall(false)
    expect(h.order(1, order(3, [1, 4, 5]))).toBe('pending')
  })

  test('when the leader itself would go: it hands over first', () => {
    const h = led(4, [1, 2, 3])
    expect(h.order(1, order(2, [2, 3]))).toBe('leaves')
    h.campaign(2)
    h.tick(2)
    expect(h.order(2, order(2, [2, 3]))).toBe('pending')
  })

  test.each([
    ['no voters', order(2, [])],
    ['one replica twice', order(2, [1, 2, 2])],
    ['a voter as learner', order(2, [1, 2], [3])],
  ])('when it names %s', (_what, wrong) => {
    const h = led(4, [1, 2, 3])
    expect(h.order(1, wrong)).toBe('invalid')
    expect(configurationOf(h, 1)).toEqual({ voters: ids(1, 2, 3), outgoing: [], learners: [] })
  })
})
