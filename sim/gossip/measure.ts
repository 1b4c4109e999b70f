/**
 * What a group of failure detectors does under one condition: after a warm-up a window in which nobody dies, so that every `dead` is a
 * mistake; then trials, each with a crash, a return and a leave, by the clock that only the simulator has.
 *
 * Nobody acts on verdicts here either: a node that is wrongly held for dead goes on, refutes, and is counted.
 */

import { between, createRandom, pick } from '../../actors/kernel/random.ts'
import { createWorld } from './world.ts'
import type { GossipConfig } from '../../actors/gossip/config.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { NodeId } from '../../topology/ids.ts'
import type { World } from './world.ts'

export interface Condition {
  readonly name: string
  readonly nodes: number
  readonly loss: number
  /** Some nodes stop and run in turns. */
  readonly sleepers?: Sleepers
  readonly config?: Partial<GossipConfig>
  readonly windowMs: number
  readonly trials: number
}

export interface Sleepers {
  /** Of all nodes. */
  readonly share: number
  readonly stopMs: number
  readonly runMs: number
}

export interface Measurement {
  readonly condition: Condition
  /** Of one node, in the window. */
  readonly messagesPerSecond: number
  readonly suspicions: number
  /** `dead` first said of a node while it ran: rumours that repeat it are not counted. */
  readonly falseDeaths: number
  /** The same, said by a node that was never stopped of another such. */
  readonly falseDeathsAmongHealthy: number
  /** From the crash until somebody, and until everybody held it for dead, in ms. */
  readonly firstDeath: readonly number[]
  readonly allDeaths: readonly number[]
  /** From a leave until everybody knew, in ms. */
  readonly convergence: readonly number[]
  /** From the start of a crashed node until all saw it alive again, in ms. */
  readonly returns: readonly number[]
}

const WARM_UP_MS = 15_000
const PATIENCE_MS = 240_000
const MS_PER_SECOND = 1_000

interface Counts {
  suspicions: number
  falseDeaths: number
  falseDeathsAmongHealthy: number
}

export const measure = (condition: Condition, seed: number): Measurement => {
  const random = createRandom(seed)
  const counts: Counts = { suspicions: 0, falseDeaths: 0, falseDeathsAmongHealthy: 0 }
  let isCounting = false
  const world: World = createWorld({
    nodes: condition.nodes, seed, loss: condition.loss, ...(condition.config === undefined ? {} : { config: condition.config }),
    onVerdict: (observer, { peer, to, by }) => {
      if (!isCounting) return
      if (to === 'suspect') counts.suspicions += 1
      if (to !== 'dead' || by !== observer || world.isAsleep(peer)) return
      counts.falseDeaths += 1
      if (!sleepers.has(observer) && !sleepers.has(peer)) counts.falseDeathsAmongHealthy += 1
    },
  })
  const sleepers = new Set(world.members.filter((_, i) => i < condition.nodes * (condition.sleepers?.share ?? 0)))
  world.run(WARM_UP_MS)
  isCounting = true
  const before = world.sent()
  runWindow(world, { condition, sleepers, random })
  isCounting = false
  const messagesPerSecond = (world.sent() - before) / condition.nodes / (condition.windowMs / MS_PER_SECOND)
  const trials = Array.from({ length: condition.trials }, () => runTrial(world, random))
  return {
    condition, messagesPerSecond, ...counts,
    firstDeath: trials.map(({ firstDeath }) => firstDeath),
    allDeaths: trials.map(({ allDeaths }) => allDeaths),
    convergence: trials.map(({ convergence }) => convergence),
    returns: trials.map(({ returned }) => returned),
  }
}

interface Window {
  readonly condition: Condition
  readonly sleepers: ReadonlySet<NodeId>
  readonly random: Random
}

const runWindow = (world: World, { condition: { windowMs, sleepers: rhythm }, sleepers, random }: Window): void => {
  if (rhythm === undefined) {
    world.run(windowMs)
    return
  }
  const { stopMs, runMs } = rhythm
  const end = world.now() + windowMs
  const next = new Map([...sleepers].map((id) => [id, world.now() + between(random, 0, stopMs + runMs)]))
  while (world.now() < end) {
    for (const [id, at] of next) {
      if (at > world.now()) continue
      if (world.isAsleep(id)) world.resume(id)
      else world.pause(id)
      next.set(id, world.now() + (world.isAsleep(id) ? stopMs : runMs))
    }
    world.run(STEP_MS)
  }
  for (const id of sleepers) world.resume(id)
}

const STEP_MS = 50

interface Trial {
  readonly firstDeath: number
  readonly allDeaths: number
  readonly convergence: number
  readonly returned: number
}

const runTrial = (world: World, random: Random): Trial => {
  const agree = (on: NodeId, state: string) => (): boolean =>
    world.living().every((id) => id === on || world.view(id, on) === state)
  const took = (holds: () => boolean, since: number): number => (world.until(holds, PATIENCE_MS) ?? Number.NaN) - since
  const one = pick(random, world.members) as NodeId
  world.run(between(random, 0, MS_PER_SECOND))
  const diedAt = world.now()
  world.kill(one)
  const firstDeath = took(() => world.living().some((id) => world.view(id, one) === 'dead'), diedAt)
  const allDeaths = took(agree(one, 'dead'), diedAt)
  const startedAt = world.now()
  world.start(one)
  const returned = took(agree(one, 'alive'), startedAt)
  const other = pick(random, world.members.filter((id) => id !== one)) as NodeId
  const leftAt = world.now()
  world.leave(other)
  const convergence = took(agree(other, 'left'), leftAt)
  world.kill(other)
  world.start(other)
  world.until(agree(other, 'alive'), PATIENCE_MS)
  return { firstDeath, allDeaths, convergence, returned }
}
