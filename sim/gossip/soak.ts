/**
 * Many small groups, each under weather of its own: up to 30 % loss, and a node that is stopped for up to two seconds, again and again.
 * Held to the bars of docs/SCALE.md: nobody who runs is held for dead; a crash is known to somebody within the longest suspicion and two
 * periods (p99); and from then on to all within 6 log2(n) periods.
 */

import { between, createRandom, fraction, pick } from '../../actors/kernel/random.ts'
import { gossipConfigDefaults } from '../../actors/gossip/config.ts'
import { createWorld } from './world.ts'
import type { NodeId } from '../../topology/ids.ts'

export interface Soak {
  readonly seeds: number
  readonly falseDeaths: number
  /** From the crash until somebody said so, 99th percentile and maximum, in ms. */
  readonly firstDeathP99: number
  readonly firstDeathMax: number
  /** Seeds in which it took longer than the longest suspicion and two periods; and, from the first to all, than 6 log2(n) periods. */
  readonly late: number
  readonly slow: number
}

interface Run {
  readonly falseDeaths: number
  readonly firstDeath: number
  readonly isLate: boolean
  readonly isSlow: boolean
}

const WARM_UP_MS = 10_000
const PAUSES = 6
const PATIENCE_MS = 240_000

export const soak = (firstSeed: number, seeds: number): Soak => {
  const runs = Array.from({ length: seeds }, (_, i) => runOne(firstSeed + i))
  const sorted = runs.map(({ firstDeath }) => firstDeath).toSorted((a, b) => a - b)
  return {
    seeds,
    falseDeaths: runs.reduce((sum, { falseDeaths }) => sum + falseDeaths, 0),
    firstDeathP99: sorted[Math.floor(0.99 * (seeds - 1))] ?? Number.NaN,
    firstDeathMax: sorted.at(-1) ?? Number.NaN,
    late: runs.filter(({ isLate }) => isLate).length,
    slow: runs.filter(({ isSlow }) => isSlow).length,
  }
}

const runOne = (seed: number): Run => {
  const random = createRandom(seed)
  const nodes = between(random, 3, 9)
  let falseDeaths = 0
  let isCounting = true
  const world = createWorld({
    nodes, seed, loss: fraction(random) * 0.3,
    onVerdict: (observer, { to, by }) => {
      if (isCounting && to === 'dead' && by === observer) falseDeaths += 1
    },
  })
  world.run(WARM_UP_MS)
  for (let i = 0; i < PAUSES; i += 1) {
    const sleeper = pick(random, world.members) as NodeId
    world.pause(sleeper)
    world.run(between(random, 100, 2_000))
    world.resume(sleeper)
    world.run(between(random, 100, 5_000))
  }
  isCounting = false
  const victim = pick(random, world.members) as NodeId
  const diedAt = world.now()
  world.kill(victim)
  const isDead = (id: NodeId): boolean => world.view(id, victim) === 'dead'
  const first = world.until(() => world.living().some(isDead), PATIENCE_MS) ?? Number.POSITIVE_INFINITY
  const all = world.until(() => world.living().every(isDead), PATIENCE_MS) ?? Number.POSITIVE_INFINITY
  const { probeIntervalMs, suspicionMult, suspicionMaxMult } = gossipConfigDefaults
  return {
    falseDeaths,
    firstDeath: first - diedAt,
    isLate: first - diedAt > (suspicionMult * suspicionMaxMult + 2) * probeIntervalMs,
    isSlow: all - first > 6 * Math.log2(nodes) * probeIntervalMs,
  }
}

export const soakLine = ({ seeds, falseDeaths, firstDeathP99, firstDeathMax, late, slow }: Soak): string =>
  `${seeds} seeds: ${falseDeaths} false deaths; a crash is known after ${(firstDeathP99 / 1_000).toFixed(1)} s (p99), `
  + `${(firstDeathMax / 1_000).toFixed(1)} s at most; ${late} above the longest suspicion and two periods, `
  + `${slow} known to all later than 6 log2(n) periods after the first`
