/**
 * Replicas whose state takes long to load from a snapshot, as hundreds of megabytes do: others lead meanwhile, by plan and by election, and
 * clients notice nothing.
 */

import { describe, expect, test } from '@jest/globals'
import { must } from '../../../actors/kernel/assert.ts'
import { harm } from '../../../sim/atlas.ts'
import { nodeOf, shardId } from '../../../topology/ids.ts'
import { decide, isAtRest, stateOf } from '../orders.ts'
import { memberOf, tellStory } from '../story.ts'
import type { Machine } from '../../../sim/cluster.ts'
import type { Pending, Story } from '../story.ts'

const EVERY_MS = 5
/** An election, which takes a leader that was killed; a planned move takes less. */
const GAP_MS_MAX = 2_000
/** Longer than anybody would wait for it. */
const LOADING_MS = 8_000

/** The log is kept only as far as the newest snapshot. */
const small = { snapshotLogBytes: 4_096, raftLimits: { tailEntriesMax: 0, tailBytesMax: 0 } }

/**
 * From its next start on the machine loads no snapshot of the shard, until it is let go. Those that it starts with are looked at once
 * before they are loaded, when the newest that is good is chosen.
 */
const holdLoads = ({ disk }: Machine, looks: 0 | 1): (() => void) => {
  const { mount } = disk
  let waiting: (() => void)[] | null = []
  Object.assign(disk, {
    mount: (...given: Parameters<typeof mount>): ReturnType<typeof mount> => {
      const files = mount(...given)
      const looked = new Map<string, number>()
      const isLoad = (path: string): boolean => {
        looked.set(path, (looked.get(path) ?? 0) + 1)
        return (looked.get(path) ?? 0) > looks
      }
      return {
        ...files,
        open: (path, mode, done) => {
          const go = (): void => files.open(path, mode, done)
          if (waiting !== null && mode === 'read' && /^snapshots\/0\/.*\.snap$/.test(path) && isLoad(path)) waiting.push(go)
          else go()
        },
      }
    },
  })
  return () => {
    const due = waiting ?? []
    waiting = null
    for (const go of due) go()
  }
}

/** Somebody reads without a pause. `gapMs`: the longest time between two answers. */
const startReader = (story: Story) => {
  const { timeline } = story.simulation
  let open: Pending[] = []
  let answeredAt = timeline.now()
  let gapMs = 0
  const step = (): void => {
    open.push(story.send('get', 'k0'))
    story.run(EVERY_MS)
    gapMs = Math.max(gapMs, timeline.now() - answeredAt)
    if (open.some((pending) => pending.answer()?.status === 'OK')) answeredAt = timeline.now()
    open = open.filter((pending) => pending.answer() === null)
  }
  const runUntil = (what: string, isTrue: () => boolean, withinMs = 60_000): void => {
    const deadline = timeline.now() + withinMs
    while (!isTrue()) {
      if (timeline.now() > deadline) throw new Error(`${what}: not within ${withinMs} virtual milliseconds`)
      step()
    }
  }
  return {
    runUntil,
    run: (ms: number): void => {
      const until = timeline.now() + ms
      runUntil('time passes', () => timeline.now() >= until, ms + EVERY_MS)
    },
    gapMs: () => gapMs,
  }
}

const isLoading = (machine: Machine): boolean => memberOf(machine).raft.isLoading()
const isServing = ({ node }: Machine): boolean => node?.parts()?.host.of(shardId(0))?.actor.state() === 'leading.serving'
const preferredOf = (story: Story): Machine => {
  const first = must(stateOf(story).shards[0]?.replicas[0], 'a preferred leader')
  return must(story.nodes.find(({ id }) => id === nodeOf(first)), first)
}

describe('a replica that is loading its state', () => {
  test('gets its vote and the leadership that is meant for it once it could serve', () => {
    const story = tellStory(951, { ...small, nodes: 4 })
    story.putMany('k', 60, 200)
    const old = preferredOf(story)
    story.until('the preferred node leads', () => isServing(old))
    decide(story, { kind: 'pause' })
    const { replicas } = must(stateOf(story).shards[0], 'the shard')
    const home = must(story.nodes.find(({ id }) => !replicas.some((replica) => nodeOf(replica) === id)), 'a node without')
    story.kill(home)
    const letGo = holdLoads(home, 0)
    story.start(home)
    story.run(5_000)
    const reader = startReader(story)
    decide(story, {
      kind: 'beginMove', group: shardId(0), add: home.id, remove: must(replicas[0], 'the first'), isPlanned: false,
    })
    reader.runUntil('it has installed its snapshot', () => (home.node?.parts()?.host.all().length ?? 0) > 0 && isLoading(home))
    reader.run(LOADING_MS)
    expect([isLoading(home), memberOf(home).raft.role(), story.leader() === home]).toEqual([true, 'learner', false])
    letGo()
    reader.runUntil('it leads', () => isAtRest(story) && isServing(home))
    expect(reader.gapMs()).toBeLessThan(GAP_MS_MAX)
    expect(Number.parseFloat(story.get('k59'))).toBe(59)
    story.end()
  })

  test('is not handed the leadership back after a restart before it could serve', () => {
    const story = tellStory(952, small)
    story.putMany('k', 60, 200)
    const preferred = preferredOf(story)
    story.until('the preferred node leads', () => isServing(preferred))
    const letGo = holdLoads(preferred, 1)
    story.losePower(preferred)
    const reader = startReader(story)
    story.start(preferred)
    reader.runUntil('it is there', () => preferred.node?.parts()?.host.of(shardId(0)) !== undefined)
    reader.run(LOADING_MS)
    expect([isLoading(preferred), isServing(preferred)]).toEqual([true, false])
    letGo()
    reader.runUntil('it leads', () => isServing(preferred))
    expect(reader.gapMs()).toBeLessThan(GAP_MS_MAX)
    story.end()
  })

  test('is given up alone when its snapshot goes bad before it is loaded, and replaced', () => {
    const story = tellStory(956, small)
    story.putMany('k', 60, 200)
    story.settledLeader()
    const slow = must(story.followers()[0], 'a follower')
    const letGo = holdLoads(slow, 1)
    story.losePower(slow)
    story.run(1_000)
    story.start(slow)
    story.until('it is there', () => slow.node?.parts()?.host.of(shardId(0)) !== undefined && isLoading(slow))
    const old = memberOf(slow).id
    const { lives } = slow
    for (let place = slow.disk.lose('snapshot'); place !== null; place = slow.disk.lose('snapshot')) harm(slow, stateOf(story), place)
    letGo()
    story.until('another is in its place', () => {
      const replica = slow.node?.parts()?.host.of(shardId(0))
      return replica !== undefined && replica.id !== old && story.revision(slow) === story.revision(story.leader())
    })
    expect(slow.lives).toBe(lives)
    story.end()
  })

  test('leaves the lead to another when its leader is killed', () => {
    const story = tellStory(953, small)
    story.putMany('k', 60, 200)
    const leader = story.settledLeader()
    const [slow, other] = story.followers() as [Machine, Machine]
    const letGo = holdLoads(slow, 1)
    story.losePower(slow)
    story.run(1_000)
    story.start(slow)
    story.until('it follows', () => slow.node?.parts()?.host.of(shardId(0))?.raft.leadership().leader === memberOf(leader).id)
    story.run(500)
    expect(isLoading(slow)).toBe(true)
    const reader = startReader(story)
    story.losePower(leader)
    reader.run(10_000)
    expect([isLoading(slow), isServing(other)]).toEqual([true, true])
    expect(reader.gapMs()).toBeLessThan(GAP_MS_MAX)
    letGo()
    story.end()
  })
})
