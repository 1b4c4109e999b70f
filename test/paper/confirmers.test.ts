/** Whom a round for reads asks: as many peers as make a quorum, while they answer (actors/raft/readIndex.ts). */

import { describe, expect, test } from '@jest/globals'
import { createHarness, idOf } from '../support/raftHarness.ts'
import { takeSent } from '../support/raftScript.ts'
import type { Harness } from '../support/raftHarness.ts'
import type { ReplicaId } from '../../topology/ids.ts'

const ready = (h: Harness, read: number): number | undefined => h.member(1).readyReads.get(read)

/** Member 1 leads and all have answered its heartbeats. */
const leading = (size = 3): Harness => {
  const h = createHarness({ size })
  h.campaign(1)
  h.tick(5)
  takeSent(h)
  return h
}

/** A read, and the peers that its round went to. */
const readAndSee = (h: Harness): { readonly read: number; readonly asked: readonly string[] } => {
  const read = h.read(1)
  h.flush(1)
  return { read, asked: h.network.filter(({ message }) => message.type === 'raft.heartbeat').map(({ to }) => to) }
}

const silence = (h: Harness, number: number): void => h.setRoute(({ from, to }) => from !== idOf(number) && to !== idOf(number))

describe('a round for reads', () => {
  test('asks as many peers as make a quorum with the leader, the nodes after its own first', () => {
    const h = leading()
    const { read, asked } = readAndSee(h)
    expect(asked).toEqual([idOf(2)])
    h.stabilize()
    expect(ready(h, read)).toBe(h.member(1).core.commitIndex)
    expect(readAndSee(leading(5)).asked).toEqual([idOf(2), idOf(3)])
  })

  test('asks everybody while nobody has answered a heartbeat yet', () => {
    const h = createHarness()
    h.campaign(1)
    takeSent(h)
    expect(readAndSee(h).asked).toEqual([idOf(2), idOf(3)])
  })

  test('keeps nobody else from the leader\'s heartbeats, however many reads there are', () => {
    const h = leading()
    for (let turn = 0; turn < 60; turn += 1) {
      expect(readAndSee(h).asked).toEqual([idOf(2)])
      h.stabilize()
      h.tick()
      expect(h.member(3).core.ticksSinceLeader).toBeLessThanOrEqual(h.member(1).core.timing.heartbeatTicks)
    }
    expect(h.member(1).core).toMatchObject({ role: 'leader', term: 1 })
  })

  test('that is not answered within half a tick is followed by one that asks everybody', () => {
    const h = leading()
    silence(h, 2)
    const { read } = readAndSee(h)
    h.stabilize()
    expect(ready(h, read)).toBeUndefined()
    h.advance(24)
    expect(readAndSee(h).asked).toEqual([idOf(2)])
    h.stabilize()
    h.advance(1)
    expect(readAndSee(h).asked).toEqual([idOf(2), idOf(3)])
    h.stabilize()
    expect(ready(h, read)).toBe(h.member(1).core.commitIndex)
  })

  test('that is not answered is followed by the next tick, where no other read comes', () => {
    const h = leading()
    silence(h, 2)
    // So that the next tick is no heartbeat's.
    while (h.member(1).core.leading.heartbeatTicks > 0) h.tick()
    const { read } = readAndSee(h)
    h.stabilize()
    h.tick()
    expect(h.member(1).core.leading.heartbeatTicks).toBe(1)
    expect(ready(h, read)).toBe(h.member(1).core.commitIndex)
  })

  test('asks no peer that did not answer, until it answers heartbeats again', () => {
    const h = leading()
    silence(h, 2)
    readAndSee(h)
    h.stabilize()
    h.tick(6)
    expect(readAndSee(h).asked).toEqual([idOf(3)])
    h.setRoute(() => true)
    h.stabilize()
    h.tick(6)
    expect(readAndSee(h).asked).toEqual([idOf(2)])
  })

  test('asks everybody while the configuration is joint', () => {
    const [one, two, three, four] = [1, 2, 3, 4].map(idOf) as [ReplicaId, ReplicaId, ReplicaId, ReplicaId]
    const h = createHarness({ size: 4, configuration: { epoch: 0, voters: [one, two, three], outgoing: [], learners: [four] } })
    h.campaign(1)
    h.tick(5)
    expect(readAndSee(h).asked).toEqual([two])
    h.stabilize()
    h.setRoute(({ message }) => message.type !== 'raft.appendAccepted')
    expect(h.order(1, { epoch: 1, voters: [one, two, four], learners: [] })).toBe('pending')
    h.stabilize()
    expect(readAndSee(h).asked.toSorted()).toEqual([two, three, four])
  })
})
