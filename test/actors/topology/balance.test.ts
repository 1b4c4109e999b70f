/** Balance under load over virtual hours (actors/topology/balance.ts): it converges, seldom moves, takes nothing back. */

import { describe, expect, test } from '@jest/globals'
import { defaultBalanceLimits } from '../../../actors/topology/balance.ts'
import { createRandom } from '../../../actors/kernel/random.ts'
import { nodeOf } from '../../../topology/ids.ts'
import { HOUR_MS, MINUTE_MS, imbalanceOf, runLoad } from './loadModel.ts'
import { n, newborn } from './states.ts'
import type { Random } from '../../../actors/kernel/random.ts'
import type { Course, Demand, Taken } from './loadModel.ts'

const REST_MS = defaultBalanceLimits.restMs
/** Seeds of each law: a seed is a cluster, and hours of load. SEEDS=200 is a matter of minutes. */
const SEEDS = Number(process.env['SEEDS'] ?? 3)
/**
 * Of loads whose imbalance is just where steps begin, noise lifts some above it hours later. The step then taken lessens it, and is
 * the only one; with seeds up to 200, seven loads have one.
 */
const LATE_SHARE_MAX = 0.05
const SIZES = [{ size: 3, shardCount: 16 }, { size: 4, shardCount: 16 }, { size: 5, shardCount: 32 }, { size: 7, shardCount: 24 }]

const seeds = Array.from({ length: SEEDS }, (_, seed) => seed + 1)
const birthOf = (seed: number): { size: number, shardCount: number } => SIZES[seed % SIZES.length] ?? { size: 3, shardCount: 16 }

const shuffled = (random: Random, count: number): number[] => {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i -= 1) {
    const j = random.uint32() % (i + 1)
    const held = order[i] ?? 0
    order[i] = order[j] ?? 0
    order[j] = held
  }
  return order
}

/** A few shards are asked for much, most for little. */
const zipf = (seed: number, shardCount: number, exponent: number): Demand => {
  const rank = shuffled(createRandom(seed), shardCount)
  return (shard) => ({ operations: 4_000 / (1 + (rank[shard] ?? 0)) ** exponent })
}

/** A step took a shard back to where an earlier one had taken it from, less than a rest later. */
const undone = (taken: readonly Taken[]): Taken[] => taken.filter((later, i) => taken.slice(0, i).some((earlier) =>
  later.atMs - earlier.atMs < REST_MS && [...earlier.before].some(([shard, place]) => later.after.get(shard) === place)))

const movesPerShard = ({ taken }: Course): number => {
  const counts = new Map<number, number>()
  for (const { step } of taken) for (const shard of step.shards) counts.set(shard, (counts.get(shard) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}

describe('a skewed load', () => {
  test('is spread within the hour, by few steps of which none is taken back, and is then left alone', () => {
    const courses = seeds.map((seed) => {
      const birth = birthOf(seed)
      const demand = zipf(seed, birth.shardCount, 0.7)
      const start = newborn(birth)
      const course = runLoad(start, { seed, demand, hours: 2, noise: 0.5 })
      return { seed, birth, course, late: course.taken.filter(({ atMs }) => atMs > HOUR_MS), before: imbalanceOf(start, demand, 0) }
    })
    for (const { seed, birth, course, late, before } of courses) {
      expect({ seed, isSeldom: late.length <= 1, undone: undone(course.taken).length }).toEqual({ seed, isSeldom: true, undone: 0 })
      expect(course.taken.length).toBeLessThanOrEqual(birth.shardCount / 2)
      expect(movesPerShard(course)).toBeLessThanOrEqual(2)
      const [hour = before, now = before] = course.imbalance
      expect(hour).toBeLessThanOrEqual(before + 1e-9)
      expect(now).toBeLessThanOrEqual(hour + 1e-9)
      if (before > 1.9) expect({ seed, before, now, isBetter: now < before - 0.1 }).toEqual({ seed, before, now, isBetter: true })
    }
    const late = courses.filter((course) => course.late.length > 0).map(({ seed }) => seed)
    expect({ late, isFew: late.length <= Math.floor(SEEDS * LATE_SHARE_MAX) }).toEqual({ late, isFew: true })
  })

  test('on three nodes, where every leader may go anywhere, ends near even', () => {
    for (const seed of seeds) {
      const demand = zipf(seed, 16, 0.5)
      const { state } = runLoad(newborn({ size: 3, shardCount: 16 }), { seed, demand, hours: 1, noise: 0.3 })
      expect({ seed, isEven: imbalanceOf(state, demand, 0) < 1.5 }).toEqual({ seed, isEven: true })
    }
  })

  test('of one shard that is hotter than a node\'s share moves the others away, and then nothing any more', () => {
    for (const seed of seeds) {
      const birth = birthOf(seed)
      const hot = seed % birth.shardCount
      const demand: Demand = (shard) => ({ operations: shard === hot ? 5_000 : 100 })
      const course = runLoad(newborn(birth), { seed, demand, hours: 2, noise: 0.3 })
      expect({ seed, late: course.taken.filter(({ atMs }) => atMs > HOUR_MS).length }).toEqual({ seed, late: 0 })
      expect(movesPerShard(course)).toBeLessThanOrEqual(1)
    }
  })

  test('that shifts every two hours is followed, each shard seldom, and nothing swings', () => {
    for (const seed of seeds) {
      const birth = birthOf(seed)
      const epochs = Array.from({ length: 4 }, (_, i) => zipf(seed * 10 + i, birth.shardCount, 0.7))
      const demand: Demand = (shard, atMs) => epochs[Math.floor(atMs / (2 * HOUR_MS)) % epochs.length]?.(shard, atMs) ?? { operations: 0 }
      const course = runLoad(newborn(birth), { seed, demand, hours: 8, noise: 0.5 })
      expect({ seed, undone: undone(course.taken).length }).toEqual({ seed, undone: 0 })
      expect(movesPerShard(course)).toBeLessThanOrEqual(8)
      expect(course.taken.length).toBeLessThanOrEqual((4 * birth.shardCount) / 2)
    }
  })

  test('that swings faster than a rest moves a shard ever more seldom', () => {
    for (const seed of seeds.slice(0, Math.ceil(SEEDS / 4))) {
      const birth = birthOf(seed)
      const two = [zipf(seed, birth.shardCount, 1), zipf(seed + 1_000, birth.shardCount, 1)]
      const demand: Demand = (shard, atMs) => two[Math.floor(atMs / (7 * MINUTE_MS)) % 2]?.(shard, atMs) ?? { operations: 0 }
      const course = runLoad(newborn(birth), { seed, demand, hours: 8, noise: 0.3 })
      expect({ seed, undone: undone(course.taken).length }).toEqual({ seed, undone: 0 })
      expect(movesPerShard(course)).toBeLessThanOrEqual(10)
    }
  })

  test('is spread by leaders that follow one another too: what one moved, the next lets rest', () => {
    for (const seed of seeds.slice(0, Math.ceil(SEEDS / 4))) {
      const birth = birthOf(seed)
      const demand = zipf(seed, birth.shardCount, 0.8)
      const course = runLoad(newborn(birth), { seed, demand, hours: 3, noise: 0.5, newLeaderEveryMs: 4 * MINUTE_MS })
      expect({ seed, undone: undone(course.taken).length }).toEqual({ seed, undone: 0 })
    }
  })
})

describe('nothing moves', () => {
  test.each([0, 0.5, 0.9])('while the load is even, with noise of %d', (noise) => {
    for (const seed of seeds) {
      const { taken } = runLoad(newborn(birthOf(seed)), { seed, demand: () => ({ operations: 500 }), hours: 2, noise })
      expect({ seed, taken: taken.map(({ step }) => step.by) }).toEqual({ seed, taken: [] })
    }
  })

  test('while little is asked, however unevenly', () => {
    const demand: Demand = (shard) => ({ operations: shard === 0 ? 100 : 1 })
    expect(runLoad(newborn(birthOf(1)), { seed: 1, demand, hours: 2 }).taken).toEqual([])
  })

  test('for a peak that is over before the patience is', () => {
    const demand: Demand = (shard, atMs) => ({ operations: atMs % HOUR_MS < 40_000 && shard < 4 ? 9_000 : 500 })
    const { taken } = runLoad(newborn({ size: 3, shardCount: 16 }), { seed: 1, demand, hours: 6 })
    expect(taken).toEqual([])
  })

  test('unless balance is switched on', () => {
    const demand: Demand = (shard) => ({ operations: shard < 5 ? 9_000 : 1 })
    expect(runLoad(newborn(birthOf(3)), { seed: 1, demand, hours: 1 }).taken).not.toEqual([])
    expect(runLoad(newborn(birthOf(3)), { seed: 1, demand, hours: 1, isOff: true }).taken).toEqual([])
  })
})

describe('replicas', () => {
  /** 5 nodes of weight 1 and 16 shards of 3: 9.6 replicas are even, so there is room for a step. */
  const birth = { size: 5, shardCount: 16 }
  const heavyOn = (node: ReturnType<typeof n>): Demand => {
    const { shards } = newborn(birth)
    const isOn = (shard: number): boolean => shards[shard]?.replicas.some((replica) => nodeOf(replica) === node) === true
    const heavy = new Set([...shards.keys()].filter(isOn).slice(0, 6))
    return (shard) => ({ operations: 100, keyBytes: heavy.has(shard) ? 900e6 : 1e6 })
  }

  test('move when a node carries far more bytes than the others for long, seldom, and not back', () => {
    const courses = [1, 2, 3, 4, 5].map((node) => runLoad(newborn(birth), { seed: node, demand: heavyOn(n(node)), hours: 4, noise: 0.3 }))
    const taken = courses.flatMap((course) => course.taken)
    expect(taken.filter(({ step }) => step.wish.kind === 'beginMove').length).toBeGreaterThan(0)
    for (const course of courses) {
      expect(undone(course.taken)).toEqual([])
      expect(movesPerShard(course)).toBeLessThanOrEqual(1)
      for (const { atMs } of course.taken) expect(atMs).toBeGreaterThan(defaultBalanceLimits.burdenPatienceMs)
    }
  })

  test('stay where the bytes are even', () => {
    const demand: Demand = () => ({ operations: 100, keyBytes: 500e6, writtenBytes: 100_000 })
    for (const seed of seeds) expect(runLoad(newborn(birthOf(seed)), { seed, demand, hours: 2, noise: 0.5 }).taken).toEqual([])
  })
})

test('a step says who is busy, and how busy', () => {
  const demand: Demand = (shard) => ({ operations: shard < 5 ? 9_000 : 1 })
  const { taken, state } = runLoad(newborn(birthOf(3)), { seed: 1, demand, hours: 1 })
  expect(taken[0]?.step.by).toMatch(/^balance: load of n\d \d+\.\d\d, of n\d \d+\.\d\d of even$/)
  expect(state.history.at(-1)?.by).toBe(taken.at(-1)?.step.by)
})
