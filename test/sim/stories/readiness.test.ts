/** When a node may be called ready: whoever restarts nodes one by one goes by it. topology/readiness.ts. */

import { expect, test } from '@jest/globals'
import { calmDisk } from '../../../sim/options.ts'
import { tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'

const isReady = ({ node }: Machine): boolean => node?.readiness().ready === true
const waitsFor = ({ node }: Machine): string => node?.readiness().waitingFor.join('; ') ?? ''

/** One entry of a kilobyte at a time, and slowly. */
const slowCopies = {
  disk: { ...calmDisk, syncMsMean: 5 },
  network: { loss: 0, duplication: 0, delayMsMean: 10, reorderMsMax: 0 },
  raftLimits: { appendBytesMax: 1_100, appendsInFlightMax: 1 },
  segmentBytes: 1_048_576, snapshotLogBytes: 64 * 1_048_576,
}

test('a node that was away is not ready before it has applied what was committed meanwhile', () => {
  const story = tellStory(941, slowCopies)
  const leader = story.settledLeader()
  const [victim, other] = story.followers() as [Machine, Machine]
  story.kill(victim)
  story.putMany('k', 120, 1_000)
  const { commitIndex } = story.report(leader)
  story.start(victim)
  let hasWaited = false
  story.until('it is ready', () => {
    hasWaited ||= waitsFor(victim) === 'the replicas here of shards 0 to catch up'
    return isReady(victim)
  })
  expect(story.report(victim).appliedIndex).toBeGreaterThanOrEqual(commitIndex)
  expect(hasWaited).toBe(true)
  // The next may go: a majority of those that are left has everything, and acknowledges without copying anything first.
  story.losePower(other)
  const pending = story.send('put', 'k', 'after')
  story.until('it is acknowledged', () => pending.answer()?.status === 'OK', 500)
  story.end()
})

test('a cluster that was without power is ready again, all of it', () => {
  const story = tellStory(943)
  story.putMany('k', 50)
  story.losePower(...story.nodes)
  story.run(1_000)
  story.start(...story.nodes)
  story.until('all are ready', () => story.nodes.every(isReady), 15_000)
  expect(story.get('k49')).toBe('49')
  story.end()
})

test('an election leaves the others ready; a shard that has lost its majority does not', () => {
  const story = tellStory(944)
  story.put('k', 'v')
  story.until('all are ready', () => story.nodes.every(isReady))
  const leader = story.settledLeader()
  const rest = story.nodes.filter((machine) => machine !== leader) as [Machine, Machine]
  story.losePower(leader)
  for (let waited = 0; waited < 8_000; waited += 100) {
    story.run(100)
    expect(rest.map(waitsFor)).toEqual(['', ''])
  }
  expect(rest).toContain(story.leader())
  const [first, second] = rest
  story.losePower(second)
  story.run(5_000)
  expect(isReady(first)).toBe(true)
  story.until('it is not ready any more', () => waitsFor(first) === 'a leader of shards 0', 15_000)
  story.start(second)
  story.until('both are ready', () => rest.every(isReady))
  story.end()
})
