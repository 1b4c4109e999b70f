/** What is seldom and severe: that it happens as it is named, what it may not do, and that it is drawn beside the rest. */

import { describe, expect, test } from '@jest/globals'
import { createRandom } from '../../actors/kernel/random.ts'
import { must } from '../../actors/kernel/assert.ts'
import { hostedOn, nodeIn } from '../../actors/topology/clusterState.ts'
import { bitFlip } from '../../sim/diskFaults.ts'
import { calamities } from '../../sim/calamities.ts'
import { calamityKinds } from '../../sim/drawnApart.ts'
import { newestState } from '../../sim/mapFaults.ts'
import { calmDisk, drawOptions } from '../../sim/options.ts'
import { runSeed } from '../../sim/run.ts'
import { tellStory } from './story.ts'
import type { Machine } from '../../sim/cluster.ts'
import type { FaultAction } from '../../sim/faultContext.ts'
import type { SimOptions } from '../../sim/options.ts'
import type { Story } from './story.ts'

const LOST_AFTER_MS = 3_000
/** Somebody who has no replica of the shard can take the place of one who is lost. */
const withRoom = { nodes: 4, lostAfterMs: LOST_AFTER_MS }

const strikeIn = (story: Story, action: FaultAction, machine: Machine): void => {
  const { cluster, network, timeline, trace, watch, options: { lostAfterMs } } = story.simulation
  action({
    cluster, network, timeline, trace, random: createRandom(7), leaders: () => [], newestMap: watch.newestMap, isActive: () => true,
    lostAfterMs, restart: (ended, ms = 100) => { timeline.schedule(ms, () => cluster.start(ended)) },
  }, machine)
}
const marksOf = ({ simulation }: Story): Readonly<Record<string, number>> => simulation.marks.end()
const follower = (story: Story): Machine => must(story.followers()[0], 'there is a follower')
const carries = (story: Story, { id }: Machine): number => {
  const state = must(newestState(story.simulation.cluster), 'somebody runs')
  return hostedOn(state, id).length
}

test('power goes once much is written and not synced, and what is torn is cut off', () => {
  const story = tellStory(701, { disk: { ...calmDisk, syncMsMean: 5 } })
  for (let i = 0; i < 8; i += 1) {
    story.put('k', `v${i}`)
    const victim = follower(story)
    strikeIn(story, calamities.tornPowerLoss, victim)
    const { lives } = victim
    for (let j = 0; j < 10; j += 1) story.send('put', `junk${j}`, 'x'.repeat(800))
    story.until('it has lost power and is back', () => victim.lives > lives && (victim.node?.parts() ?? null) !== null)
  }
  expect(story.get('k')).toBe('v7')
  story.end()
  expect(marksOf(story)['a torn tail was cut']).toBeGreaterThan(0)
})

test('a node that stands still for more than ten seconds wakes to a cluster that went on', () => {
  const story = tellStory(702)
  const leader = story.settledLeader()
  strikeIn(story, calamities.longPause, leader)
  expect(story.insist('put', 'k', 'v').status).toBe('OK')
  story.until('it runs again', () => leader.process.state === 'running')
  expect(story.simulation.timeline.now()).toBeGreaterThan(10_000)
  expect(story.get('k')).toBe('v')
  story.end()
})

test('a machine that is away for too long finds its replicas replaced, and has none when it is back', () => {
  const story = tellStory(703, withRoom)
  story.putMany('k', 10)
  const victim = follower(story)
  const { lives } = victim
  strikeIn(story, calamities.longCrash, victim)
  story.until('its replicas are elsewhere', () => carries(story, victim) === 0, 60_000)
  expect(victim.lives).toBe(lives)
  story.until('it is back', () => victim.lives > lives, 60_000)
  for (let i = 0; i < 10; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
  story.end()
  expect(marksOf(story)['a node came back after all its replicas had been replaced']).toBe(1)
})

describe('a disk that is lost with everything on it', () => {
  test('is replaced, and its node joins again under its name once that has been removed', () => {
    const story = tellStory(704, withRoom)
    story.putMany('k', 10)
    const victim = follower(story)
    const { lives } = victim
    strikeIn(story, calamities.wipe, victim)
    expect([victim.isLost, victim.isInUse, victim.disk.copy().files.size]).toEqual([true, false, 0])
    story.until('its replicas are elsewhere', () => carries(story, victim) === 0, 60_000)
    story.until('it is back', () => victim.lives > lives, 60_000)
    expect(victim.isLost).toBe(false)
    story.until('it is a member', () => nodeIn(must(newestState(story.simulation.cluster), 'a map'), victim.id)?.state === 'active', 60_000)
    for (let i = 0; i < 10; i += 1) expect(story.get(`k${i}`)).toBe(String(i))
    story.end()
    expect(marksOf(story)).toMatchObject({
      'a disk was lost with everything on it': 1, 'a node whose disk had been lost joined again under its name': 1,
    })
  })

  test('excuses no end of its node as it joins again, though the map says that it has left', () => {
    const story = tellStory(708, withRoom)
    story.putMany('k', 10)
    const victim = follower(story)
    strikeIn(story, calamities.wipe, victim)
    const { createNode } = victim
    victim.createNode = (options) => {
      options.onExit(1, 'it breaks down')
      return createNode(options)
    }
    expect(() => story.until('it has ended unseen', () => false, 60_000))
      .toThrow(`nodes end only when they must: ${victim.id} ended with code 1: it breaks down`)
  })

  test('stays away while its name is a member\'s', () => {
    const story = tellStory(705)
    story.put('k', 'v')
    const victim = follower(story)
    strikeIn(story, calamities.wipe, victim)
    story.run(20_000)
    expect([victim.node, victim.isLost, story.get('k')]).toEqual([null, true, 'v'])
  })

  test('is not one that a majority needs', () => {
    const story = tellStory(706)
    story.put('k', 'v')
    const [first, second] = story.nodes
    strikeIn(story, calamities.wipe, must(first, 'a machine'))
    strikeIn(story, calamities.wipe, must(second, 'a machine'))
    strikeIn(story, bitFlip, must(second, 'a machine'))
    expect(story.nodes.map(({ node }) => node !== null)).toEqual([false, true, true])
    expect(story.get('k')).toBe('v')
  })
})

test('a log and a snapshot that end in zeros are damage, and are replaced', () => {
  const story = tellStory(707, { segmentBytes: 12 * 1_024, snapshotLogBytes: 8 * 1_024, lostAfterMs: LOST_AFTER_MS })
  for (let i = 0; i < 6; i += 1) {
    story.putMany('k', 40, 200)
    strikeIn(story, calamities.zeroTail, follower(story))
    story.run(500)
  }
  for (let i = 0; i < 40; i += 1) expect(Number.parseFloat(story.get(`k${i}`))).toBe(i)
  story.end()
  const struck = story.simulation.trace.lines().filter((line) => / fault +zeroTail /.test(line))
  expect(struck.length).toBeGreaterThan(0)
})

describe('what is drawn apart', () => {
  const seeds = Array.from({ length: 400 }, (_, i) => drawOptions(i + 1))
  const share = (is: (options: SimOptions) => boolean): number => seeds.filter(is).length / seeds.length

  test('is met by a fair share of the seeds', () => {
    const shares = {
      tears: share(({ disk }) => disk.torn > 0), pages: share(({ disk }) => disk.sectorBytes === 4_096),
      six: share(({ nodes }) => nodes === 6), single: share(({ replicationFactor }) => replicationFactor === 1),
      one: share(({ workload }) => workload.clients === 1), crowd: share(({ workload }) => workload.clients >= 16),
      queues: share(({ shardLimits }) => shardLimits.pendingOperationsMax !== undefined),
      ...Object.fromEntries(calamityKinds.map((kind) => [kind, share(({ calamities: kinds }) => kinds.includes(kind))])),
    }
    for (const [name, part] of Object.entries(shares)) expect([name, part > 0.02, part < 0.7]).toEqual([name, true, true])
  })

  test('whoever can be lost for good is waited for a short time only', () => {
    const lost = seeds.filter(({ calamities: kinds }) => kinds.includes('wipe') || kinds.includes('longCrash'))
    expect(lost.filter(({ lostAfterMs }) => lostAfterMs > 8_000)).toEqual([])
  })

  test('leaves alone what else is drawn, and is not there where the faults are given', () => {
    const { calamities: none, mapChanges } = drawOptions(3, { faults: ['crash'] })
    expect([none, mapChanges]).toEqual([[], []])
    expect(seeds.filter(({ calamities: kinds }) => kinds.length > 0).length).toBeGreaterThan(50)
  })

  test('keeps to the byte what came before a calamity that is left out', () => {
    const calm = {
      ...drawOptions(3), faults: [], mapChanges: [], fileFaults: [], calamities: ['tornPowerLoss'] as const, calamityEveryMs: 900,
      safetyMs: 6_000,
    }
    const whole = runSeed(calm)
    const last = whole.figures.faultsDrawn - 1
    const less = runSeed({ ...calm, skippedFaults: [last] })
    const until = whole.trace.findLastIndex((line) => / fault +tornPowerLoss /.test(line))
    expect(last).toBeGreaterThan(0)
    expect(less.trace.slice(1, until)).toEqual(whole.trace.slice(1, until))
    expect(less.figures.faults).toBe(whole.figures.faults - 1)
    expect([whole.violation, less.violation]).toEqual([null, null])
  })
})
