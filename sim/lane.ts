/**
 * The simulator as a lane of proof: seeds derived from one, so that the same tree draws the same ones; a budget of time; a sample that runs
 * twice; the corpus; marks that must be hit; figures for the scoreboard.
 *
 * A night demands the rare marks, too. So few seeds demand none, where so few were asked for: what has not been looked for is not missing.
 * Where more were asked for and the time was up before, the lane fails: nobody knows that its generator still gets anywhere.
 */

import { figuresDirectory, laneFlags } from '../lanes/command.ts'
import { writeFigures } from '../lanes/figures.ts'
import { createRandom } from '../actors/kernel/random.ts'
import { runSeeds } from './pool.ts'
import { createTally } from './tally.ts'
import type { LaneWorld } from '../lanes/command.ts'
import type { SeedResult } from './pool.ts'
import type { Tally } from './tally.ts'

const COUNT_DEFAULT = 400
const TWICE_EVERY = 20
/** From so many seeds on, a mark that nobody hit is a failure. */
const MARKS_SEEDS_MIN = 150
/** More than a night can do. */
const SEEDS_PER_HOUR_MAX = 20_000
const SECONDS_PER_HOUR = 3_600

export interface LanePlan {
  readonly seed: number
  readonly seeds: readonly number[]
  readonly workers: number
  readonly budgetSeconds: number | undefined
  readonly isNight: boolean
}

export const isLane = (args: readonly string[]): boolean => args.some((arg) => arg === '--ci' || /^--hours(?:=|$)/.test(arg))

/** Throws what is wrong with the flags. */
export const lanePlan = (args: readonly string[], world: LaneWorld): LanePlan => {
  const { seed, workers, budgetSeconds, counts } = laneFlags(args.filter((arg) => arg !== '--ci'), world, {
    counts: ['count', 'hours'], texts: [],
  })
  const hours = counts.get('hours')
  const count = counts.get('count') ?? (hours === undefined ? COUNT_DEFAULT : hours * SEEDS_PER_HOUR_MAX)
  const budget = budgetSeconds ?? (hours === undefined ? undefined : hours * SECONDS_PER_HOUR)
  return { seed, seeds: derivedSeeds(seed, count), workers, budgetSeconds: budget, isNight: hours !== undefined }
}

/** A greater count begins with the same seeds. */
const derivedSeeds = (seed: number, count: number): number[] => {
  const random = createRandom(seed)
  return Array.from({ length: count }, () => Math.max(1, random.uint32()))
}

export interface LaneOutput {
  readonly say: (line: string) => void
  readonly failureText: (result: SeedResult) => string
  /** Leaves traces and smaller runs of what failed. */
  readonly leaveSmaller: (seeds: readonly number[]) => Promise<void>
  readonly replayCorpus: () => Promise<CorpusResult>
}

export interface CorpusResult {
  readonly passed: number
  readonly failed: number
}

/** Returns the number of failures: seeds, cases of the corpus, and marks that were never hit. */
export const runLane = async (plan: LanePlan, world: LaneWorld, output: LaneOutput): Promise<number> => {
  const { seed, seeds, workers, budgetSeconds, isNight } = plan
  const { say } = output
  const tally = createTally()
  const failures: number[] = []
  const limit = budgetSeconds === undefined ? '' : `, at most ${budgetSeconds} s`
  say(`sim: ${isNight ? 'a night of seeds' : `${seeds.length} seeds`} from ${seed}${limit}`)
  await runSeeds({ seeds, overrides: {}, workers, budgetSeconds, twiceEvery: TWICE_EVERY }, (result) => {
    tally.add(result)
    if (result.violation === null) return
    failures.push(result.seed)
    say(output.failureText(result))
  })
  await output.leaveSmaller(failures)
  const corpus = await output.replayCorpus()
  const missing = missingMarks(tally, isNight)
  for (const line of tally.lines()) say(line)
  if (tally.seeds() < seeds.length && !isNight) say(`sim: the time was up after ${tally.seeds()} of ${seeds.length} seeds`)
  if (tally.seeds() < MARKS_SEEDS_MIN) say(`sim: marks are demanded from ${MARKS_SEEDS_MIN} seeds on`)
  for (const mark of missing) say(`FAILED mark never hit: ${mark}`)
  const unproven = unprovenBy({ reached: tally.seeds(), wanted: seeds.length, cases: corpus.passed + corpus.failed })
  for (const problem of unproven) say(`FAILED ${problem}`)
  const passed = tally.seeds() - tally.failed() + corpus.passed
  const failed = tally.failed() + missing.length + corpus.failed + unproven.length
  await writeFigures(figuresDirectory(world), {
    lane: 'sim', commit: world.commit, passed, failed,
    figures: { seed, seedsWanted: seeds.length, corpus: corpus.passed + corpus.failed, ...tally.figures() },
  })
  say(`${passed} passed, ${failed} failed`)
  return failed
}

interface Reached {
  /** Seeds. */
  readonly reached: number
  readonly wanted: number
  /** Of the corpus. */
  readonly cases: number
}

/** What a lane has not shown, whatever passed: one sentence each. */
export const unprovenBy = ({ reached, wanted, cases }: Reached): readonly string[] => [
  ...(cases > 0 ? [] : ['no case of the corpus was run: it is kept for every run']),
  ...(reached > 0 ? [] : ['no seed was run: nothing is proved']),
  ...(reached === 0 || reached >= MARKS_SEEDS_MIN || wanted < MARKS_SEEDS_MIN ? []
    : [`only ${reached} of ${wanted} seeds were run: marks can be demanded from ${MARKS_SEEDS_MIN} on`]),
]

const missingMarks = (tally: Tally, isNight: boolean): readonly string[] =>
  (tally.seeds() < MARKS_SEEDS_MIN ? [] : tally.marks.missing(isNight))
