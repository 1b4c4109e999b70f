/**
 * `npm run fuzz`: every decoder on mutated valid encodings.
 *
 * Ends with `N passed, N failed`, where what is counted are decoders; exit code 1 when any failed. One that was never executed, or that
 * took nothing of what it was given, has failed: nothing behind its first check was looked at.
 */

import { figuresDirectory, laneFlags } from '../lanes/command.ts'
import { writeFigures } from '../lanes/figures.ts'
import { idleOf } from '../lanes/idle.ts'
import { UsageError, asCommand } from '../lanes/usage.ts'
import { createLocalFiles } from '../storage/localFiles.ts'
import { growCorpus, readCorpus } from './corpus.ts'
import { StallError } from '../lanes/crew.ts'
import { runFuzz, targetsOf } from './crew.ts'
import { problemOf, shrink } from './shrink.ts'
import { countSteps, stepsMax } from './steps.ts'
import type { LaneWorld } from '../lanes/command.ts'
import type { FuzzReport } from './crew.ts'
import type { Finding } from './slice.ts'
import type { Target } from './target.ts'

const USAGE = `npm run fuzz -- [--executions 2000000] [--seed N] [--decoder NAME] [--workers N] [--budget-seconds N]
npm run fuzz -- --decoder NAME --input HEX       one input again, every check taken
npm run fuzz -- --grow yes                       adds inputs of new outcomes to test/corpus/fuzz

Every decoder on mutated valid encodings (docs/TESTING.md).
`

const EXECUTIONS_DEFAULT = 2_000_000
const CORPUS_DIRECTORY = 'test/corpus/fuzz'
const FINDINGS_SHOWN_MAX = 5
const SLOWEST_MAX = 5

interface Command {
  readonly seed: number
  readonly executions: number
  readonly workers: number
  readonly budgetSeconds: number | undefined
  readonly decoder: string | undefined
  readonly input: string | undefined
  readonly isGrowing: boolean
}

interface Tally {
  readonly target: Target
  executions: number
  accepted: number
  seconds: number
  readonly findings: Finding[]
  readonly signatures: Map<string, Uint8Array>
  readonly slowest: Uint8Array[]
  stepsMost: number
}

const say = (line: string): void => { process.stdout.write(`${line}\n`) }

export const main = (args: readonly string[], world: LaneWorld): Promise<void> =>
  asCommand({ name: 'fuzz', usage: USAGE }, args, async () => {
    const command = readCommand(args, world)
    const failed = command.input === undefined ? await runAll(command, world) : replayOne(command.decoder, command.input)
    if (failed > 0) process.exitCode = 1
  })

const readCommand = (args: readonly string[], world: LaneWorld): Command => {
  const { seed, workers, budgetSeconds, counts, texts } =
    laneFlags(args, world, { counts: ['executions'], texts: ['decoder', 'input', 'grow'] })
  const decoder = texts.get('decoder')
  const names = targetsOf(undefined).map(({ name }) => name)
  if (decoder !== undefined && !names.includes(decoder)) {
    throw new UsageError(`there is no decoder "${decoder}"; there are ${names.join(', ')}`)
  }
  return {
    seed, workers, budgetSeconds, decoder, executions: counts.get('executions') ?? EXECUTIONS_DEFAULT,
    input: texts.get('input'), isGrowing: texts.has('grow'),
  }
}

const replayOne = (decoder: string | undefined, hex: string): number => {
  let failed = 0
  for (const target of targetsOf(decoder)) {
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
    const problem = problemOf(target, bytes)
    const outcome = problem === undefined ? target.decode(bytes) : undefined
    say(`${target.name}: ${problem ?? (outcome?.ok === true ? `accepted, ${outcome.shape}` : `refused, ${outcome?.reason ?? ''}`)}`)
    say(`${target.name}: ${countSteps(target, bytes)} steps for ${bytes.length} bytes, ${stepsMax(bytes.length)} allowed`)
    if (problem !== undefined) failed += 1
  }
  return failed
}

const runAll = async (command: Command, world: LaneWorld): Promise<number> => {
  const { seed, executions, decoder, budgetSeconds } = command
  const chosen = targetsOf(decoder)
  const files = createLocalFiles()
  const corpus = await readCorpus(files, CORPUS_DIRECTORY, chosen.map(({ name }) => name))
  const startedAt = performance.now()
  const tallies = new Map(chosen.map((target): [string, Tally] => [target.name, {
    target, executions: 0, accepted: 0, seconds: 0, findings: [], signatures: new Map(), slowest: [], stepsMost: 0,
  }]))
  const limit = budgetSeconds === undefined ? '' : `, at most ${budgetSeconds} s`
  say(`fuzz: ${executions} executions, ${chosen.length} decoders, seed ${seed}${limit}`)
  let stalls = 0
  try {
    await runFuzz({ ...command, corpus }, (report) => note(tallies, report))
  } catch (error) {
    if (!(error instanceof StallError)) throw error
    stalls = 1
    say(`FAILED ${error.message}; find its decoder with npm run fuzz -- --input ${Buffer.from(error.tried).toString('hex')}`)
  }
  for (const tally of tallies.values()) countStepsOf(tally)
  for (const tally of tallies.values()) sayTally(tally)
  if (command.isGrowing) {
    const found = new Map([...tallies].map(([name, { signatures }]) => [name, signatures]))
    say(`fuzz: ${await growCorpus(files, CORPUS_DIRECTORY, found)} inputs added to ${CORPUS_DIRECTORY}`)
  }
  return finish([...tallies.values()], { command, world, stalls, seconds: (performance.now() - startedAt) / 1_000 })
}

const note = (tallies: ReadonlyMap<string, Tally>, report: FuzzReport): void => {
  const tally = tallies.get(report.name)
  if (tally === undefined) return
  tally.executions += report.executions
  tally.accepted += report.accepted
  tally.seconds += report.seconds
  tally.findings.push(...report.problems)
  for (const [signature, bytes] of report.signatures) {
    if (bytes.length < (tally.signatures.get(signature)?.length ?? Number.POSITIVE_INFINITY)) tally.signatures.set(signature, bytes)
  }
  tally.slowest.push(report.slowest)
}

/** Of the slowest inputs the longest, since a bound on steps goes by length. */
const countStepsOf = (tally: Tally): void => {
  for (const bytes of tally.slowest.toSorted((a, b) => b.length - a.length).slice(0, SLOWEST_MAX)) {
    const steps = countSteps(tally.target, bytes)
    tally.stepsMost = Math.max(tally.stepsMost, steps)
    if (!(steps <= stepsMax(bytes.length))) {
      tally.findings.push({ bytes, problem: `${bytes.length} bytes take ${steps} steps, above ${stepsMax(bytes.length)}` })
    }
  }
}

const sayTally = ({ target, executions, accepted, seconds, findings, signatures, stepsMost }: Tally): void => {
  const rate = seconds === 0 ? 0 : Math.round(executions / seconds)
  say(`  ${String(executions).padStart(8)}  ${target.name}: ${accepted} accepted, ${signatures.size} outcomes, ${rate} a second,`
    + ` at most ${stepsMost} steps`)
  const shown = new Set<string>()
  for (const finding of findings) {
    const { problem, bytes } = finding.problem.includes(' steps, above ') ? finding : shrink(target, finding)
    const hex = Buffer.from(bytes).toString('hex')
    if (shown.has(problem) || shown.size === FINDINGS_SHOWN_MAX) continue
    shown.add(problem)
    say(`FAILED ${target.name}: ${problem}\n  replay: npm run fuzz -- --decoder '${target.name}' --input ${hex}`)
  }
}

/** What a run has to show of each decoder: inputs that it accepted, so that it was looked at beyond its first check. */
export const unproven = (tallies: readonly { readonly target: Pick<Target, 'name'>; readonly accepted: number }[]): readonly string[] =>
  idleOf(tallies.map(({ target, accepted }) => ({ name: target.name, done: accepted })))

interface End { readonly command: Command; readonly world: LaneWorld; readonly seconds: number; readonly stalls: number }

const finish = async (tallies: readonly Tally[], { command, world, seconds, stalls }: End): Promise<number> => {
  const executions = tallies.reduce((sum, tally) => sum + tally.executions, 0)
  const idle = unproven(tallies)
  for (const name of idle) say(`FAILED ${name}: no input was accepted, so nothing is proved of it`)
  const failed = tallies.filter(({ target, findings }) => findings.length > 0 || idle.includes(target.name)).length + stalls
  const isCut = command.budgetSeconds !== undefined && executions < command.executions * 0.95
  if (isCut) say(`fuzz: the time was up after ${executions} of ${command.executions} executions`)
  const decoders = Object.fromEntries(tallies.map((tally) => [tally.target.name, {
    executions: tally.executions, accepted: tally.accepted, outcomes: tally.signatures.size, findings: tally.findings.length,
    stepsMost: tally.stepsMost,
  }]))
  await writeFigures(figuresDirectory(world), {
    lane: 'fuzz', commit: world.commit, passed: Math.max(0, tallies.length - failed), failed,
    figures: { seed: command.seed, executions, executionsWanted: command.executions, seconds: Math.round(seconds), decoders },
  })
  say(`fuzz: ${executions} executions in ${seconds.toFixed(1)} s, ${(executions / seconds).toFixed(0)} a second`)
  say(`${Math.max(0, tallies.length - failed)} passed, ${failed} failed`)
  return failed
}
