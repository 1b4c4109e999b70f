/**
 * What nodes believe of each other, as stories on whole simulated nodes: their reports tell, and nothing else changes by it. Sources:
 * docs/SCALE.md; memberlist's tests of refutation and leave. Words and code are ours.
 */

import { expect, test } from '@jest/globals'
import { tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const sees = (observer: Machine, of: Machine): string | undefined =>
  observer.node?.report().gossip?.peers.find(({ node }) => node === of.id)?.state

const others = (story: Story, machine: Machine): Machine[] => story.nodes.filter((other) => other !== machine)

const untilAllSee = (story: Story, machine: Machine, state: string): void =>
  story.until(`all see ${machine.id} ${state}`, () => others(story, machine).every((other) => sees(other, machine) === state))

const deaths = (story: Story): readonly string[] => story.simulation.trace.lines().filter((line) => line.includes('held for dead'))

test('a node that is killed is dead in the reports of the others, and alive again after it was started', () => {
  const story = tellStory(950)
  story.put('k', 'v')
  story.run(3_000)
  const [victim] = story.followers() as [Machine]
  untilAllSee(story, victim, 'alive')
  story.kill(victim)
  untilAllSee(story, victim, 'dead')
  story.start(victim)
  untilAllSee(story, victim, 'alive')
  story.until('it sees the others', () => others(story, victim).every((other) => sees(victim, other) === 'alive'))
  expect(victim.node?.report().gossip?.incarnation).toBeGreaterThan(1)
  story.end()
})

test('a node that drains has left for the others, is held for dead by nobody, and comes back', () => {
  const story = tellStory(951)
  story.run(3_000)
  const [leaver] = story.followers() as [Machine]
  leaver.mayExit = 'drains'
  leaver.node?.drain()
  untilAllSee(story, leaver, 'left')
  // Its machine starts it again.
  untilAllSee(story, leaver, 'alive')
  expect(deaths(story)).toEqual([])
  story.end()
})

test('a node that was stopped for two seconds accuses nobody when it wakes, and is accused to its face', () => {
  const story = tellStory(952)
  story.run(5_000)
  const [sleeper] = story.followers() as [Machine]
  story.pause(sleeper)
  story.run(2_000)
  story.resume(sleeper)
  story.run(8_000)
  for (const other of others(story, sleeper)) {
    expect(sees(other, sleeper)).toBe('alive')
    expect(sees(sleeper, other)).toBe('alive')
  }
  expect(deaths(story)).toEqual([])
  story.end()
})

test('a leader that everybody holds for dead leads on, and its configuration stays as it is', () => {
  const story = tellStory(953)
  story.put('k', 'v')
  const leader = story.settledLeader()
  const before = story.report(leader)
  // Gossip alone is cut: data paths are others' connections.
  story.simulation.network.cut((from, to) => from === `${leader.id}/control` || to === `${leader.id}/control`)
  untilAllSee(story, leader, 'dead')
  story.run(20_000)
  story.put('k', 'w')
  const after = story.report(leader)
  expect([after.role, after.term]).toEqual(['leader', before.term])
  expect(Object.keys(after.matchIndex ?? {})).toEqual(Object.keys(before.matchIndex ?? {}))
  story.heal()
  untilAllSee(story, leader, 'alive')
  story.end()
})
