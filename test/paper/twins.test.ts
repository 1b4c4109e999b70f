/** Two processes under one name, the second on a copy of the first one's directory (docs/adr/0005-presentation.md; beyond the paper). */

import { describe, expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { createServing, say, sentOf, settleDisk, takeSent } from '../support/raftScript.ts'
import { answers, ownIncarnation, present, show } from '../support/presentations.ts'
import { lastIndexOf } from '../../actors/raft/log.ts'
import { bootId } from '../../topology/ids.ts'
import type { RaftMessage } from '../../actors/raft/protocol.ts'
import type { Harness } from '../support/raftHarness.ts'

describe('a twin on an old copy of the directory, beside the living member', () => {
  /** Member 1 leads, member 2 has accepted two entries; then somebody who lives presents as member 2 without the second. */
  const withTwinRefused = (): Harness => {
    const h = createHarness()
    h.campaign(1)
    h.propose(1, 'in the copy')
    h.propose(1, 'and not in it')
    h.tick(4)
    say(h, 2, present({ incarnation: 99, term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 2 }))
    const [asked] = sentOf(takeSent(h), 'raft.presentChallenged')
    say(h, 2, { type: 'raft.presentConfirmed', incarnation: 99, challenge: asked?.challenge ?? 0 })
    expect(h.member(1).core.promises.get(idOf(2))?.refused).toBe(99)
    return h
  }

  test('is refused, and the living member, which is told, is counted on again', () => {
    const h = withTwinRefused()
    h.tick(60)
    expect(h.member(1).core.promises.get(idOf(2))?.refused).toBeUndefined()
    h.crash(3)
    const proposal = h.propose(h.leader().number, 'by two')
    h.tick(4)
    expect(h.leader().core.commitIndex).toBe(h.leader().proposed.get(proposal)?.index)
  })

  test('is refused, and the other two elect a leader when one of them is lost', () => {
    const h = withTwinRefused()
    h.crash(3)
    h.tick(120)
    expect(h.leader().core.leading.noopIndex).toBeLessThanOrEqual(h.leader().core.commitIndex)
    expect(h.members.map(({ core }) => core.quarantined)).toEqual([undefined, undefined, undefined])
  })

  test('of which the living member hears twice in a tick renews once, and not before its term is durable', () => {
    const h = createServing()
    const renewed = () => h.member(1).core.presenting.renewed.get(idOf(2))
    const refusal = { type: 'raft.presentRefused', incarnation: 99, term: 1, index: 2 } as const
    h.member(1).core.durability.isHardStateDurable = false
    say(h, 2, refusal)
    expect(renewed()).toBeUndefined()
    h.member(1).core.durability.isHardStateDurable = true
    say(h, 2, refusal)
    say(h, 2, refusal)
    expect(answers(h)).toEqual([`${idOf(2)} raft.present`])
    expect(renewed()).toMatchObject({ term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 1 })
    expect(renewed()?.incarnation).not.toBe(ownIncarnation(h))
  })

  test('of which it hears late, does it no harm: until it is accepted it does not promise what was on its way to the disk', () => {
    const h = createHarness()
    h.campaign(1)
    h.propose(1, 'durable')
    h.tick(4)
    h.frozenDisks.add(2)
    h.propose(1, 'on its way')
    h.stabilize()
    say(h, 1, { type: 'raft.presentRefused', incarnation: 99, term: 1, index: 2 }, 2)
    h.frozenDisks.delete(2)
    settleDisk(h, 2)
    h.tick(4)
    expect(h.member(2).core.quarantined).toBeUndefined()
    expect(h.member(1).core.leading.progress.get(idOf(2))?.matchIndex).toBe(3)
  })

  test('is told to the living member as often as the leader would have asked it', () => {
    const h = createServing()
    show(h, 2, present({ incarnation: 99, term: 0 }))
    takeSent(h)
    h.tickOnly(1, 2)
    expect(answers(h)).toContain(`${idOf(2)} raft.presentRefused`)
  })
})

describe('a twin on a current copy of the directory, which is accepted and ends', () => {
  const boot = bootId('00000000000000ff')
  const twinSays = (h: Harness, message: RaftMessage): void => h.send(1, { ...message, from: idOf(2), boot })
  const isSilent = (h: Harness, number: number): void =>
    h.setRoute(({ from, to }) => from !== idOf(number) && to !== idOf(number))

  /** Member 1 leads and has accepted the twin; member 2 itself is not heard meanwhile. */
  const withTwinAccepted = (): Harness => {
    const h = createHarness()
    h.campaign(1)
    h.propose(1, 'in the copy')
    h.tick(4)
    isSilent(h, 2)
    twinSays(h, present({ incarnation: 99, term: 1, vote: idOf(1), lastTerm: 1, lastIndex: 2 }))
    const [asked] = sentOf(takeSent(h), 'raft.presentChallenged')
    twinSays(h, { type: 'raft.presentConfirmed', incarnation: 99, challenge: asked?.challenge ?? 0 })
    expect(sentOf(takeSent(h), 'raft.presentAccepted')).toHaveLength(1)
    return h
  }

  test('after it acknowledged an entry: the living member, which lacks it, is judged again and halts', () => {
    const h = withTwinAccepted()
    h.propose(1, 'acknowledged by the twin')
    h.stabilize()
    twinSays(h, { type: 'raft.appendAccepted', term: 1, matchIndex: 3 })
    h.setRoute(() => true)
    h.tick(20)
    expect(h.member(2).core.quarantined).toMatch(/forgot what it promised/)
    expect(lastIndexOf(h.member(2).core.log)).toBe(2)
  })

  test('before it acknowledged anything: the living member lacks nothing, and is counted on again', () => {
    const h = withTwinAccepted()
    h.setRoute(() => true)
    h.tick(20)
    h.crash(3)
    const proposal = h.propose(1, 'by two')
    h.tick(4)
    expect(h.member(1).core.commitIndex).toBe(h.member(1).proposed.get(proposal)?.index)
    expect(h.members.map(({ core }) => core.quarantined)).toEqual([undefined, undefined, undefined])
  })

  test('what the other process says meanwhile counts for nothing, and each that lives is asked, once a tick, to present itself', () => {
    const h = withTwinAccepted()
    h.crash(3)
    const proposal = h.propose(1, 'nobody has it')
    h.stabilize()
    takeSent(h)
    const other = { from: idOf(2), boot: bootId('0000000000000001') }
    h.send(1, { type: 'raft.appendAccepted', term: 1, matchIndex: 3, ...other })
    h.send(1, { type: 'raft.heartbeatAcked', term: 1, round: h.member(1).core.leading.round, diskStalled: false, ...other })
    expect(h.member(1).proposed.get(proposal)?.index).toBe(3)
    expect(h.member(1).core.commitIndex).toBe(2)
    expect(h.member(1).core.promises.get(idOf(2))?.matchIndex).toBe(2)
    const refusals = sentOf(takeSent(h), 'raft.presentRefused')
    expect(refusals).toHaveLength(1)
    expect(refusals[0]?.incarnation).not.toBe(99)
  })

  test('a vote of the other process is no vote', () => {
    const h = withTwinAccepted()
    h.crash(3)
    h.tick(120)
    const { core } = h.member(1)
    expect(core.role).not.toBe('leader')
    takeSent(h)
    for (const type of ['raft.preVoteGranted', 'raft.voteGranted'] as const) {
      h.send(1, { type, term: core.term + 1, wallMs: 0, from: idOf(2), boot: bootId('0000000000000001') })
    }
    expect(core.role).toBe('preCandidate')
    twinSays(h, { type: 'raft.preVoteGranted', term: core.term + 1 })
    expect(core.role).toBe('candidate')
  })
})

test('a learner whose renewed presentation was lost presents it again when it is told so', () => {
  const configuration = { epoch: 0, voters: [idOf(1), idOf(3)], outgoing: [], learners: [idOf(2)] }
  const h = createHarness({ configuration })
  h.campaign(1)
  h.propose(1, 'before')
  h.tick(4)
  show(h, 2, present({ incarnation: 99, term: 0 }))
  h.setRoute(({ from, to }) => !(from === idOf(2) && to === idOf(1)))
  h.tick(60)
  expect(h.member(1).core.promises.get(idOf(2))?.refused).toBe(99)
  h.setRoute(() => true)
  h.propose(1, 'after')
  h.tick(60)
  expect(h.member(1).core.promises.get(idOf(2))?.refused).toBeUndefined()
  expect(lastIndexOf(h.member(2).core.log)).toBe(lastIndexOf(h.member(1).core.log))
})
