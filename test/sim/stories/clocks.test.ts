/**
 * Keys expire by log time, and log time begins with the clocks of the voters (actors/raft/wallClocks.ts): what becomes of them where a
 * clock is late, or where all machines have slept. Clocks that are ahead, and sessions: sessions.test.ts.
 */

import { expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Story } from '../story.ts'

const HOUR_MS = 3_600_000
/** Longer than a tick: the window in which a leader that woke has not looked at its clocks yet (docs/GUARANTEES.md). */
const TICKS_MS = 200

/** In which their monotonic clocks, and with them all that ticks, stand still. */
const sleepAll = (story: Story): void => {
  for (const machine of story.nodes) machine.wallOffsetMs += HOUR_MS
  story.run(TICKS_MS)
}

/** The leader dies, and whoever follows has committed an entry of its own log time. */
const changeLeader = (story: Story, old: Machine): void => {
  story.losePower(old)
  if (story.nodes.length === 1) story.start(old)
  else story.leaderBut(old)
  story.put('another', 'entry')
}

const minutes = (count: number) => ({ 'Kv-Ttl-Ms': String(count * 60_000) })

test('what is put after all machines have slept lives as long as it was given, whoever leads next', () => {
  const story = tellStory(711)
  story.put('before', 'v')
  story.settledLeader()
  sleepAll(story)
  story.insist('put', 'k', 'ten minutes', minutes(10))
  changeLeader(story, story.leader())
  expect(story.request('get', 'k')).toMatchObject({ status: 'OK', value: 'ten minutes' })
  story.end()
})

test('what is put after the machine of the only replica has slept lives as long as it was given', () => {
  const story = tellStory(712, { nodes: 1, replicationFactor: 1 })
  const alone = must(story.nodes[0], 'there is a node')
  story.put('before', 'v')
  sleepAll(story)
  story.until('it leads again', () => story.report(alone).state === 'leading.serving', 2_000)
  story.insist('put', 'k', 'ten minutes', minutes(10))
  changeLeader(story, alone)
  expect(story.request('get', 'k')).toMatchObject({ status: 'OK', value: 'ten minutes' })
  story.end()
})

test('a clock that is an hour late makes nothing expire early, also where its node is the first to lead', () => {
  const story = tellStory(713)
  const first = story.settledLeader()
  const late = must(story.followers()[0], 'there is a follower')
  late.wallOffsetMs = -HOUR_MS
  story.run(TICKS_MS)
  story.handOver(first, late)
  story.until('it leads', () => story.report(late).state === 'leading.serving')
  story.insist('put', 'k', 'half an hour', minutes(30))
  changeLeader(story, late)
  expect(story.request('get', 'k')).toMatchObject({ status: 'OK', value: 'half an hour' })
  story.end()
})
