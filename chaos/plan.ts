/**
 * What a seed draws: the shape of the cluster, its clients, and which nemeses strike. The flags of the command line take precedence,
 * so that the command which a failure prints draws the same again.
 *
 * A campaign deals all nemeses to its runs. Its first run is a plain failover: leaders are killed and nothing else happens, so that times
 * can be measured and callers of the SDK must not notice; it goes on until ten leaders have died. Its second, where there are enough, is
 * a plain upgrade, of which they must not notice either. A third of its runs have five nodes, a third or more three brokers.
 */

import { between, chance, createRandom, shuffle } from '../actors/kernel/random.ts'
import { must } from '../actors/kernel/assert.ts'
import { killLeader } from './nemeses/killLeader.ts'
import { rollingUpgrade } from './nemeses/rollingUpgrade.ts'
import { nemeses } from './nemeses/all.ts'
import type { Random } from '../actors/kernel/random.ts'
import type { Nemesis } from './nemeses/nemesis.ts'

export interface Plan {
  readonly seed: number
  readonly seconds: number
  readonly nodes: number
  readonly brokers: number
  readonly shards: number
  readonly nemeses: readonly string[]
  /** So many nodes must have died as leaders. */
  readonly leaderKills: number
  /** Of Jepsen's schedules, which are too short where the storm is. */
  readonly phaseSeconds: number
  readonly clients: { readonly requests: number; readonly rememberedRequests: number; readonly batches: number; readonly sdk: number }
  readonly registers: number
  readonly counters: number
}

interface Size {
  readonly runs: number
  readonly seconds: number
}

export interface Overrides {
  readonly leaderKills?: number | undefined
  readonly phaseSeconds?: number | undefined
  readonly nodes?: number | undefined
  readonly brokers?: number | undefined
  readonly nemeses?: readonly string[] | undefined
}

const SEED_STEP = 7_919
const A_RUN_AT_LEAST = 3
/** With fewer, the upgrade is one of a storm's strikes. */
const UPGRADE_FROM_RUNS = 5
const SHARDS_MAX = 16
const LEADER_KILLS = 10
/** Jepsen's are 30 s: a night has storms that are long enough. */
const PHASE_SECONDS = 4

/** The seeds, nemeses and sizes of a campaign's runs. */
export const planCampaign = (seed: number, { runs, seconds }: Size, overrides: Overrides): Plan[] => {
  const random = createRandom(seed)
  const hands = overrides.nemeses === undefined ? deal(random, runs) : Array.from({ length: runs }, () => overrides.nemeses ?? [])
  const nodes = dealCounts(random, runs, [3, 3, 5])
  const brokers = dealCounts(random, runs, [1, 1, 3])
  return hands.map((hand, i) => drawPlan({ seed: seed + i * SEED_STEP, seconds }, {
    ...overrides,
    nodes: overrides.nodes ?? nodes[i], brokers: overrides.brokers ?? (needsRoutes(hand) ? 3 : brokers[i]), nemeses: hand,
  }))
}

/** In any order, each as often as the others as far as `runs` allows; a single run draws its own. */
const dealCounts = (random: Random, runs: number, counts: readonly number[]): readonly (number | undefined)[] =>
  (runs === 1 ? [] : shuffle(random, Array.from({ length: runs }, (_, i) => counts[(i + 2) % counts.length])))

/** The first hand is the failover, the second the upgrade; a single run is neither. */
const deal = (random: Random, runs: number): readonly string[][] => {
  const names = shuffle(random, nemeses.map(({ name }) => name))
  if (runs === 1) return [names.slice(0, A_RUN_AT_LEAST + 1)]
  const alone = runs >= UPGRADE_FROM_RUNS ? [rollingUpgrade.name] : []
  const hands: string[][] = Array.from({ length: runs - 1 - alone.length }, () => [])
  // Of those that come last only one can strike in a storm (storm.ts), and changes of members take their time: dealt first, no two of
  // either are in one hand.
  const usual = names.filter((name) => !isApart(name) && !alone.includes(name))
  const apart = names.filter(isApart)
  // Neighbours are in different hands: weather makes every time longer, so that nothing is measured under it.
  const first = [...usual.filter(isSky), ...usual.filter(isMeasured)]
  const ordered = [...apart, ...first, ...usual.filter((name) => !first.includes(name))]
  ordered.forEach((name, i) => must(hands[i % hands.length], 'a hand').push(name))
  // A long campaign has hands with room: all have another turn, one after the other.
  const again = shuffle(random, usual)
  hands.forEach((hand, i) => {
    const another = apart[i % apart.length]
    if (hand.length < A_RUN_AT_LEAST && !hand.some(isApart) && another !== undefined) hand.push(another)
    while (hand.length < A_RUN_AT_LEAST) {
      const name = must(again.find((each) => suits(hand, each)), 'a name')
      again.push(...again.splice(again.indexOf(name), 1))
      hand.push(name)
    }
  })
  return [[killLeader.name], ...alone.map((name) => [name]), ...shuffle(random, hands)]
}

const isApart = (name: string): boolean => chosen([name]).some(({ isLast, needs }) => isLast === true || needs.includes('members'))
const isSky = (name: string): boolean => chosen([name]).some(({ isWeather }) => isWeather === true)
const isMeasured = (name: string): boolean => chosen([name]).some((nemesis) => nemesis.isMeasured === true)

const suits = (hand: readonly string[], name: string): boolean =>
  !hand.includes(name) && !(isSky(name) && hand.some(isMeasured)) && !(isMeasured(name) && hand.some(isSky))

const drawPlan = ({ seed, seconds }: { readonly seed: number; readonly seconds: number }, overrides: Overrides): Plan => {
  const random = createRandom(seed)
  const nodes = chance(random, 0.35) ? 5 : 3
  const brokers = chance(random, 0.35) ? 3 : 1
  const shards = between(random, 4, SHARDS_MAX)
  const hand = overrides.nemeses ?? []
  return {
    seed, seconds,
    // Of a failover every shard is a sample.
    shards: isFailover(hand) ? SHARDS_MAX : shards,
    nodes: overrides.nodes ?? nodes,
    brokers: overrides.brokers ?? (needsRoutes(hand) ? 3 : brokers),
    nemeses: hand,
    leaderKills: hand.includes(killLeader.name) ? overrides.leaderKills ?? usualKills(hand) : 0,
    phaseSeconds: overrides.phaseSeconds ?? PHASE_SECONDS,
    clients: {
      requests: between(random, 6, 12), rememberedRequests: between(random, 4, 8),
      batches: between(random, 4, 8), sdk: between(random, 6, 12),
    },
    registers: between(random, 16, 48),
    counters: between(random, 6, 16),
  }
}

const isFailover = (hand: readonly string[]): boolean => hand.length > 0 && hand.every((name) => name === killLeader.name)

/** Of a storm in which other things happen, too, none is demanded. */
const usualKills = (hand: readonly string[]): number => (isFailover(hand) ? LEADER_KILLS : 0)

const needsRoutes = (hand: readonly string[]): boolean => chosen(hand).some(({ needs }) => needs.includes('brokers'))

export const chosen = (names: readonly string[]): readonly Nemesis[] =>
  names.map((name) => must(nemeses.find((nemesis) => nemesis.name === name), `nemesis ${name} exists`))

/** The command that draws this plan again. */
export const commandOf = ({ seed, seconds, nodes, brokers, nemeses: names, leaderKills, phaseSeconds }: Plan): string =>
  `npm run chaos -- --seed ${seed} --runs 1 --seconds ${seconds} --nodes ${nodes} --brokers ${brokers} --nemesis ${names.join(',')}`
  + (leaderKills === usualKills(names) ? '' : ` --leader-kills ${leaderKills}`)
  + (phaseSeconds === PHASE_SECONDS ? '' : ` --phase-seconds ${phaseSeconds}`)

export const describePlan = ({ nodes, brokers, shards, clients, nemeses: names }: Plan): string =>
  `${nodes} nodes, ${brokers} broker${brokers === 1 ? '' : 's'}, ${shards} shards, `
  + `${Object.values(clients).reduce((sum, count) => sum + count, 0)} clients; ${names.join(' ')}`
