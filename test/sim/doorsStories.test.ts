/** The front doors have a connection of their own: what stands in front of them costs clients time, and leaders nothing. */

import { expect, test } from '@jest/globals'
import { doorsOf } from '../../sim/network.ts'
import { tellStory } from './story.ts'
import type { Machine } from '../../sim/cluster.ts'

/** In that time leadership has moved to where it is going to stay. */
const BALANCED_MS = 20_000

const termOf = ({ node }: Machine): number => node?.parts()?.host.all()[0]?.raft.status().term ?? 0

test('a leader whose front doors are clogged for five seconds keeps its term, and serves again at their end', () => {
  const story = tellStory(11)
  story.insist('put', 'k', 'before')
  story.run(BALANCED_MS)
  const leader = story.leader()
  const term = termOf(leader)
  const { network, timeline } = story.simulation
  network.clog((_from, to) => to === doorsOf(leader.id), timeline.now() + 5_000)
  const stuck = story.send('get', 'k')
  story.run(4_000)
  expect(stuck.answer()?.status).toBe('timeout')
  expect([story.leader().id, termOf(leader)]).toEqual([leader.id, term])
  story.run(1_100)
  expect(story.request('get', 'k').value).toBe('before')
  expect(termOf(leader)).toBe(term)
  story.end()
})

test('a leader whose front doors are cut off leads on: nobody receives what is for its slots, and the rest goes on', () => {
  const story = tellStory(12, { isMapped: true })
  story.insist('put', 'k', 'before')
  story.run(BALANCED_MS)
  const leader = story.leader()
  const term = termOf(leader)
  const { broker } = story.simulation.cluster
  broker.disconnect(doorsOf(leader.id))
  expect(story.request('put', 'k', 'lost')).toMatchObject({ status: 'noResponders', definite: true })
  story.run(5_000)
  expect(termOf(leader)).toBe(term)
  expect(leader.node?.readiness()).toMatchObject({ ready: false })
  broker.reconnect(doorsOf(leader.id))
  expect(story.insist('get', 'k').value).toBe('before')
  story.end()
})

test('without the mapping the other nodes forward to a leader whose own front doors are cut off', () => {
  const story = tellStory(13, { isMapped: false })
  const leader = story.leader()
  story.simulation.cluster.broker.disconnect(doorsOf(leader.id))
  expect(story.insist('put', 'k', 'there').status).toBe('OK')
  expect(story.insist('get', 'k').value).toBe('there')
  story.end()
})
