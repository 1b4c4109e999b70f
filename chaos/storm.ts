/**
 * The storm of one run: weather over all of it, one strike after the other with a little calm between, what leaves lasting damage
 * last; then everything is healed. What a bar is held against has early turns.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { between, shuffle } from '../actors/kernel/random.ts'
import { hold } from './nemeses/nemesis.ts'
import type { Arena, Nemesis } from './nemeses/nemesis.ts'

const MS_PER_SECOND = 1_000
const CALM_MS_MIN = 300
const CALM_MS_MAX = 1_500
/** At the end of the storm, for those that come last. */
const LAST_SECONDS = 12

export interface Storm {
  readonly chosen: readonly Nemesis[]
  readonly seconds: number
  /** Every strike of this one says so through the arena given to it. */
  readonly arenaOf: (nemesis: Nemesis, over: AbortSignal) => Omit<Arena, 'missed'>
}

export interface MoreStrikes extends Pick<Storm, 'arenaOf'> {
  readonly nemesis: Nemesis
  readonly isEnough: () => boolean
  readonly withinSeconds: number
}

/** Whether it did what it is for. */
const hasStruck = async (nemesis: Nemesis, arena: Omit<Arena, 'missed'>): Promise<boolean> => {
  let isMissed = false
  const missed = (why: string): void => {
    isMissed = true
    arena.say(`missed: ${why}`)
  }
  await nemesis.strike({ ...arena, missed })
  return !isMissed
}

/** What a storm was too short for: more strikes of one nemesis until there are enough, or the time is up. Returns how many. */
export const strikeOn = async ({ nemesis, arenaOf, isEnough, withinSeconds }: MoreStrikes): Promise<number> => {
  const over = endingAfter(withinSeconds).signal
  let count = 0
  while (!isEnough() && !over.aborted) {
    const arena = arenaOf(nemesis, over)
    await hold(arena, between(arena.random, CALM_MS_MIN, CALM_MS_MAX))
    if (await hasStruck(nemesis, arena)) count += 1
  }
  return count
}

/** The strikes, by name, but those that missed. Rejects with what a strike throws: then something was not as it must be. */
export const rage = async ({ chosen, seconds, arenaOf }: Storm): Promise<ReadonlyMap<string, number>> => {
  const strikes = new Map<string, number>()
  const strike = async (nemesis: Nemesis, over: AbortSignal): Promise<void> => {
    const by = await hasStruck(nemesis, arenaOf(nemesis, over)) ? 1 : 0
    strikes.set(nemesis.name, (strikes.get(nemesis.name) ?? 0) + by)
  }
  const all = endingAfter(seconds)
  const last = chosen.filter(({ isLast }) => isLast === true)
  const usual = endingAfter(usualSeconds(seconds, last.length))
  const sky = chosen.filter(({ isWeather }) => isWeather === true).map((nemesis) => strike(nemesis, all.signal))
  await inTurns(chosen.filter(({ isWeather, isLast }) => isWeather !== true && isLast !== true), usual.signal, { strike, arenaOf })
  // One: two of them could hurt two nodes for good.
  const final = last[0]
  if (final !== undefined) await strike(final, all.signal)
  await pause(Number.MAX_SAFE_INTEGER % 2 ** 31, undefined, { signal: all.signal }).catch(() => {})
  await Promise.all(sky)
  return strikes
}

const usualSeconds = (seconds: number, lasting: number): number => (lasting === 0 ? seconds : Math.max(seconds / 3, seconds - LAST_SECONDS))

/** A third of a short storm is no whole number of milliseconds, and nothing else is taken. */
const endingAfter = (seconds: number): { readonly signal: AbortSignal } =>
  ({ signal: AbortSignal.timeout(Math.round(seconds * MS_PER_SECOND)) })

interface Turns {
  readonly strike: (nemesis: Nemesis, over: AbortSignal) => Promise<void>
  readonly arenaOf: Storm['arenaOf']
}

const inTurns = async (nemeses: readonly Nemesis[], over: AbortSignal, { strike, arenaOf }: Turns): Promise<void> => {
  const [first] = nemeses
  if (first === undefined) return
  const arena = arenaOf(first, over)
  for (let round = 0; !over.aborted; round += 1) {
    const order = shuffle(arena.random, nemeses)
    for (const nemesis of round === 0 ? measuredEarly(order) : order) {
      await hold(arena, between(arena.random, CALM_MS_MIN, CALM_MS_MAX))
      if (over.aborted) return
      await strike(nemesis, over)
    }
  }
}

/** Not the first, where there is another: a cluster that has just started is slower than it will be. */
export const measuredEarly = (nemeses: readonly Nemesis[]): readonly Nemesis[] => {
  const measured = nemeses.filter(({ isMeasured }) => isMeasured === true)
  const others = nemeses.filter((nemesis) => !measured.includes(nemesis))
  return [...others.slice(0, 1), ...measured, ...others.slice(1)]
}
