/** Several runs, one after the other, within a budget of time; and what they found, as lines and as figures. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandOf, describePlan } from './plan.ts'
import { run } from './run.ts'
import { nemesisNames } from './nemeses/all.ts'
import { brokerRestart } from './nemeses/brokerRestart.ts'
import { bars, figuresOf, noTimes, timeProblems, unmeasured } from './times.ts'
import type { Planted } from './ground/hauntedBuild.ts'
import type { Plan } from './plan.ts'
import type { RunResult } from './run.ts'
import type { TimeFigures } from './times.ts'

export interface CampaignInput {
  readonly plans: readonly Plan[]
  readonly commit: string
  /** Seconds that all runs together may take; null: as long as they need. */
  readonly budgetSeconds: number | null
  /** Histories and logs of runs that passed stay, too. */
  readonly isKept: boolean
  readonly isVerbose: boolean
  readonly planted: readonly Planted[]
  readonly say: (line: string) => void
}

export interface CampaignFigures extends TimeFigures {
  readonly runs: number
  readonly runsPlanned: number
  readonly stormSeconds: number
  /** All whose outcome was judged, those without an answer among them. */
  readonly operationsChecked: number
  readonly operationsAnswered: number
  readonly operationsUnknown: number
  readonly notLinearizable: number
  readonly duplicates: number
  readonly failuresThatShow: number
  /** Nodes that died as leaders. */
  readonly leaderKills: number
  readonly strikes: Readonly<Record<string, number>>
  /** Nemeses of its runs, as far as they were run, that never had their turn. */
  readonly neverStruck: readonly string[]
  readonly wallSeconds: number
}

export interface CampaignResult {
  readonly passed: number
  readonly failed: number
  readonly figures: CampaignFigures
}

const MS_PER_SECOND = 1_000
/** What a run takes beside its storm: start, last reads, judgement. */
const OVERHEAD_SECONDS = 12
/** 30,000 in eight storms of 40 s. */
const WHOLE_RUNS = 8
/** From so many on each nemesis has had more than one storm. */
const RUNS_OF_A_NIGHT = 24
const OPERATIONS_PER_SECOND_BAR = 30_000 / (WHOLE_RUNS * 40)
/** In less, some nemeses would never have their turn. */
const STORM_SECONDS_MIN = 20

export const runCampaign = async (input: CampaignInput): Promise<CampaignResult> => {
  const { plans, say } = input
  const startedAt = performance.now()
  const elapsed = (): number => (performance.now() - startedAt) / MS_PER_SECOND
  const results: RunResult[] = []
  let stormed = 0
  const times = noTimes()
  let failed = 0
  for (const [i, plan] of plans.entries()) {
    const left = input.budgetSeconds === null ? Number.POSITIVE_INFINITY : input.budgetSeconds - elapsed()
    const seconds = stormSeconds(plan.seconds, left, plans.length - i)
    if (seconds === null) {
      say(`chaos: the budget of ${input.budgetSeconds} s allows ${i} of ${plans.length} runs; the others are not run`)
      break
    }
    const result = await runOne(input, { ...plan, seconds }, i)
    results.push(result)
    stormed += seconds
    if (result.problems.length > 0) failed += 1
    for (const name of Object.keys(times) as (keyof typeof times)[]) times[name].push(...result.times[name])
  }
  const figures = sum(results, { plans, stormed, times: figuresOf(times), wallSeconds: Math.round(elapsed()) })
  sayFigures(figures, say)
  const problems = [...timeProblems(figures), ...idleProblems(figures)]
  for (const problem of problems) say(`chaos: FAILED: ${problem}`)
  return { passed: results.length - failed, failed: failed + problems.length, figures }
}

/**
 * Clients that get nothing done see nothing wrong, a time that was never measured is below every bar, and a nemesis without a turn has hurt
 * nobody. A few runs alone may be slow ones; that one of them was answered nothing, the run says.
 */
export const idleProblems = (figures: CampaignFigures): readonly string[] => {
  const { runs, runsPlanned, stormSeconds: seconds, operationsAnswered, strikes, neverStruck } = figures
  if (runs === 0) return ['nothing was run: nothing is proved']
  if (runsPlanned < WHOLE_RUNS) return []
  const bar = Math.floor(OPERATIONS_PER_SECOND_BAR * seconds)
  const few = `only ${operationsAnswered} operations were answered in ${seconds} s of storms: the bar is ${bar}`
  return [
    ...(operationsAnswered >= bar ? [] : [few]),
    ...unmeasured(figures, neverStruck.includes(brokerRestart.name) || Object.hasOwn(strikes, brokerRestart.name)),
    ...(runs < RUNS_OF_A_NIGHT ? [] : neverStruck.map((name) => `${name} never had its turn`)),
  ]
}

/**
 * How long the storm of the next run may be, so that those after it may be as long; null: there is no time for one. Short storms of all
 * rather than long ones of some: each run has nemeses that no other has.
 */
export const stormSeconds = (wanted: number, secondsLeft: number, runsLeft: number): number | null => {
  if (secondsLeft < Math.min(wanted, STORM_SECONDS_MIN) + OVERHEAD_SECONDS) return null
  const share = Math.floor(secondsLeft / runsLeft) - OVERHEAD_SECONDS
  return Math.min(wanted, Math.max(share, STORM_SECONDS_MIN))
}

const runOne = async (input: CampaignInput, plan: Plan, i: number): Promise<RunResult> => {
  const { commit, planted, say } = input
  const keepIn = mkdtempSync(join(tmpdir(), 'shardkv-chaos-'))
  const startedAt = performance.now()
  say(`chaos: run ${i + 1}: seed ${plan.seed}, ${describePlan(plan)}`)
  const inside = (line: string): void => {
    if (input.isVerbose) say(`chaos:   ${((performance.now() - startedAt) / MS_PER_SECOND).toFixed(1)} s ${line}`)
  }
  const result = await run({ plan, commit, keepIn, planted, say: inside })
  const seconds = ((performance.now() - startedAt) / MS_PER_SECOND).toFixed(0)
  const times = figuresOf(result.times)
  say(`chaos: run ${i + 1}: ${result.answered} operations answered, ${result.judgement.checked} checked, ${result.unknown} of unknown `
    + `outcome; ${result.leaderKills} leaders killed; `
    + `${describeStrikes(result)}; leader killed p95 ${times.leaderKilledP95Ms} ms, broker restarted ${times.brokerRestartedMaxMs} ms, `
    + `settled ${times.settledMaxMs} ms; ${seconds} s`)
  if (result.problems.length === 0 && !input.isKept) rmSync(keepIn, { recursive: true, force: true })
  else say(`chaos: run ${i + 1}: history, logs${result.problems.length > 0 ? ' and data directories' : ''} are in ${keepIn}`)
  if (result.problems.length > 0) {
    for (const problem of result.problems) say(`chaos: FAILED: ${problem}`)
    say(`chaos: seed ${plan.seed}, commit ${commit}; replay: ${commandOf(plan)}`)
  }
  return result
}

const describeStrikes = ({ strikes }: RunResult): string => [...strikes].map(([name, count]) => `${name} ${count}`).join(', ')

interface Rest {
  readonly plans: readonly Plan[]
  readonly stormed: number
  readonly times: TimeFigures
  readonly wallSeconds: number
}

const sum = (results: readonly RunResult[], { plans, stormed, times, wallSeconds }: Rest): CampaignFigures => {
  const total = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0)
  const strikes: Record<string, number> = {}
  for (const result of results) for (const [name, count] of result.strikes) strikes[name] = (strikes[name] ?? 0) + count
  const dealt = new Set(plans.slice(0, results.length).flatMap(({ nemeses }) => nemeses))
  return {
    runs: results.length, runsPlanned: plans.length, stormSeconds: stormed,
    operationsChecked: total(({ judgement }) => judgement.checked),
    operationsAnswered: total(({ answered }) => answered),
    operationsUnknown: total(({ unknown }) => unknown),
    notLinearizable: total(({ judgement }) => judgement.notLinearizable.length),
    duplicates: total(({ judgement }) => judgement.duplicates.length),
    failuresThatShow: total(({ judgement }) => judgement.failuresThatShow.length),
    leaderKills: total(({ leaderKills }) => leaderKills),
    ...times, strikes, neverStruck: nemesisNames.filter((name) => dealt.has(name) && (strikes[name] ?? 0) === 0), wallSeconds,
  }
}

const sayFigures = (figures: CampaignFigures, say: (line: string) => void): void => {
  say(`chaos: ${figures.operationsAnswered} operations answered in ${figures.runs} of ${figures.runsPlanned} runs `
    + `(${figures.stormSeconds} s of storms), ${figures.operationsChecked} checked; lost or contradicted `
    + `${figures.notLinearizable}, duplicates ${figures.duplicates}, definite failures that show up ${figures.failuresThatShow}`)
  say(`chaos: next acknowledgement after a leader was killed: median ${figures.leaderKilledMedianMs} ms, `
    + `p95 ${figures.leaderKilledP95Ms} ms of ${figures.leaderKilledSamples} (bar ${bars.leaderKilledP95}), ${figures.leaderKills} kills; `
    + `after a broker restart at most ${figures.brokerRestartedMaxMs} ms of ${figures.brokerRestartedSamples} `
    + `(bar ${bars.brokerRestartedMax}); settled at most ${figures.settledMaxMs} ms after healing (bar ${bars.settledMax}), `
    + `all moves done at most ${figures.membersSettledMaxMs} ms later`)
  const strikes = Object.entries(figures.strikes).sort(([, a], [, b]) => a - b).map(([name, count]) => `${name} ${count}`)
  say(`chaos: strikes: ${strikes.join(', ')}; ${figures.wallSeconds} s`)
  if (figures.neverStruck.length > 0) say(`chaos: without a turn: ${figures.neverStruck.join(', ')}`)
}
