/**
 * `npm run sim`: replays one seed with its trace, or runs many seeds on all cores.
 *
 * One seed prints its trace (sim/trace.ts explains the columns) and a hash of it; the same seed prints the same
 * bytes every time. Many seeds print failures only, each with the command that replays it. A failure that is drawn from a seed leaves its
 * trace and a smaller run that fails the same way in .sim (failures.ts), the first few where many seeds fail; --shrink-seconds limits what
 * each may take, and 0 leaves the runs as they are. Exit code 1 when anything failed, 2 for flags that can not be.
 */

import { parseArgs } from 'node:util'
import { availableParallelism } from 'node:os'
import { readCase, readCorpus } from './corpus.ts'
import { recordFailure } from './failures.ts'
import { runGossip } from './gossip/main.ts'
import { UsageError, asCommand, wholeNumberFrom1 } from '../lanes/usage.ts'
import { drawOptions } from './options.ts'
import { createSimRecording } from './recording.ts'
import { readableAddressOf } from '../observe/simulator/address.ts'
import { createLocalFiles } from '../storage/localFiles.ts'
import { runSeed } from './run.ts'
import { isLane, lanePlan, runLane } from './lane.ts'
import { runSeeds } from './pool.ts'
import { createTally } from './tally.ts'
import type { SimOptions, SimOverrides } from './options.ts'
import type { CorpusResult } from './lane.ts'
import type { LaneWorld } from '../lanes/command.ts'
import type { RunResult } from './run.ts'
import type { DrawnRun } from '../observe/simulator/address.ts'

interface Command {
  readonly seeds: readonly number[]
  readonly overrides: SimOverrides
  readonly workers: number
  readonly shrinkMs: number
  readonly case?: string | undefined
  readonly record?: string | undefined
  readonly corpus: boolean
}

/** What the process around knows. */
interface SimWorld extends LaneWorld {
  /** Of the checkout. */
  readonly root: string
}

const USAGE = `npm run sim -- --seed 42 [--nodes 5] [--shards 2] [--minutes 10] [--verbose]
npm run sim -- --seed 42 --record FILE        what the actors did, too (docs/RECORDING.md)
npm run sim -- --seeds 1..200 [--workers 2] [--shrink-seconds 60]
npm run sim -- --ci [--count 400] [--budget-seconds 600] [--seed N] [--workers N]     as a lane; --hours 8 for a night
npm run sim -- --case FILE        what a failure left, or one of test/corpus/sim
npm run sim -- --corpus           all of those, which must not fail
npm run sim -- --gossip [--nodes 100] [--seed 7] [--soak 1000]     the failure detector at scale (docs/SCALE.md)

Replays one seed with its trace, to the byte, or runs many seeds on all cores (docs/TESTING.md).
`

const MS_PER_MINUTE = 60_000
const MS_PER_SECOND = 1_000
const SEED_DEFAULT = 1
/** Lines of the trace beside a failure. */
const LAST_EVENTS = 25
/** So many failures of one command are made smaller: where many seeds fail, they fail for few reasons. */
const SHRUNK_MAX = 3
const SHRINK_SECONDS_DEFAULT = 60

/** Of a commit's name, in an address. */
const COMMIT_CHARACTERS = 10

const say = (line: string): void => { process.stdout.write(`${line}\n`) }
/** Beside a trace, which is the same for the same seed to the byte. */
const complain = (line: string): void => { process.stderr.write(`${line}\n`) }

export const main = (args: readonly string[], world: SimWorld): Promise<void> =>
  asCommand({ name: 'sim', usage: USAGE }, args, async () => {
    if (await failuresOf(args, world) > 0) process.exitCode = 1
  })

const failuresOf = (args: readonly string[], world: SimWorld): Promise<number> => {
  if (isLane(args)) return runAsLane(args, world)
  if (args.includes('--gossip')) return runGossip(args, { root: world.root, say })
  return perform(readCommand(args), world)
}

/** Resolves with the number of failures. */
const perform = async (command: Command, world: SimWorld): Promise<number> => {
  if (command.corpus) return (await replayCorpus(world)).failed
  if (command.case !== undefined) {
    return replay((await readCase(command.case)).options, { flags: `--case ${command.case}`, commit: world.commit }, command.record)
  }
  if (command.seeds.length > 1) return runMany(command, world)
  const seed = command.seeds[0] ?? SEED_DEFAULT
  const failed = await replay(drawOptions(seed, command.overrides), wayBack(seed, command.overrides, world.commit), command.record)
  if (failed > 0) await leaveSmaller([seed], command, { ...world, tell: complain })
  return failed
}

const readCommand = (args: readonly string[]): Command => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' }, seeds: { type: 'string' }, nodes: { type: 'string' }, shards: { type: 'string' },
      minutes: { type: 'string' }, workers: { type: 'string' }, verbose: { type: 'boolean', default: false },
      case: { type: 'string' }, record: { type: 'string' }, corpus: { type: 'boolean', default: false },
      'shrink-seconds': { type: 'string' },
    },
  })
  const seeds = values.seeds === undefined ? [wholeNumberFrom1('seed', values.seed) ?? SEED_DEFAULT] : rangeOf(values.seeds)
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
  if (minutes !== undefined && !(minutes > 0)) throw new UsageError('--minutes is a number above 0')
  if (values.record !== undefined && (seeds.length > 1 || values.corpus)) {
    throw new UsageError('--record is for one run: give --seed or --case')
  }
  return {
    seeds,
    workers: wholeNumberFrom1('workers', values.workers) ?? availableParallelism(),
    shrinkMs: (secondsOf('shrink-seconds', values['shrink-seconds']) ?? SHRINK_SECONDS_DEFAULT) * MS_PER_SECOND,
    case: values.case,
    record: values.record,
    corpus: values.corpus,
    overrides: {
      nodes: wholeNumberFrom1('nodes', values.nodes),
      shards: wholeNumberFrom1('shards', values.shards),
      safetyMs: minutes === undefined ? undefined : minutes * MS_PER_MINUTE,
      isVerbose: values.verbose,
    },
  }
}

/** The same from 0. */
const secondsOf = (name: string, text: string | undefined): number | undefined => (text === '0' ? 0 : wholeNumberFrom1(name, text))

const rangeOf = (text: string): number[] => {
  const match = /^([1-9][0-9]*)\.\.([1-9][0-9]*)$/.exec(text)
  if (match === null) throw new UsageError(`--seeds is a range such as 1..200, not "${text}"`)
  const from = Number(match[1])
  return Array.from({ length: Math.max(0, Number(match[2]) - from + 1) }, (_, i) => from + i)
}

/** Returns the number of failures. */
const replay = async (options: SimOptions, way: WayBack, record: string | undefined): Promise<number> => {
  const recording = record === undefined ? undefined : createSimRecording()
  const result = runSeed(options, { onLine: say, ...(recording === undefined ? {} : { recording }) })
  if (recording !== undefined && record !== undefined) {
    await createLocalFiles().writeAtomically(record, [...recording.lines({ seed: options.seed, cluster: 'sim' })].join(''))
  }
  process.stdout.write(`trace ${result.traceHash}\n`)
  if (result.violation === null) return 0
  complain(`the last events:\n${result.trace.slice(-LAST_EVENTS).join('\n')}`)
  complain(failureText(options.seed, result, way))
  return 1
}

const replayCorpus = async ({ root, commit }: SimWorld): Promise<CorpusResult> => {
  const directory = `${root}/test/corpus/sim`
  const cases = await readCorpus(directory)
  let failed = 0
  for (const [name, { options }] of cases) {
    const result = runSeed(options)
    if (result.violation === null) continue
    failed += 1
    say(failureText(options.seed, result, { flags: `--case test/corpus/sim/${name}`, commit }))
  }
  say(`corpus: ${cases.size - failed} passed, ${failed} failed`)
  return { passed: cases.size - failed, failed }
}

const runMany = async (command: Command, world: SimWorld): Promise<number> => {
  const tally = createTally()
  const failures: number[] = []
  await runSeeds(command, (result) => {
    tally.add(result)
    if (result.violation === null) return
    failures.push(result.seed)
    say(failureText(result.seed, result, wayBack(result.seed, command.overrides, world.commit)))
  })
  await leaveSmaller(failures, command, world)
  for (const line of tally.lines()) say(line)
  return tally.failed()
}

/** The first few failures leave their trace and a smaller run that fails the same way. */
const leaveSmaller = async (
  seeds: readonly number[], { overrides, shrinkMs }: Pick<Command, 'overrides' | 'shrinkMs'>,
  { commit, root, tell = say }: SimWorld & { readonly tell?: (line: string) => void },
): Promise<void> => {
  for (const seed of seeds.slice(0, SHRUNK_MAX)) {
    const lines = await recordFailure(drawOptions(seed, overrides), { directory: `${root}/.sim`, commit, shrinkMs })
    tell(`seed ${seed}:\n${lines.join('\n')}`)
  }
}

const runAsLane = (args: readonly string[], world: SimWorld): Promise<number> => runLane(lanePlan(args, world), world, {
  say,
  failureText: (result) => failureText(result.seed, result, wayBack(result.seed, {}, world.commit)),
  leaveSmaller: (seeds) => leaveSmaller(seeds, { overrides: {}, shrinkMs: SHRINK_SECONDS_DEFAULT * MS_PER_SECOND }, world),
  replayCorpus: () => replayCorpus(world),
})

/** How to see a run again: the flags of this command, and for what is drawn from a seed the address in the Observatory. */
interface WayBack {
  readonly flags: string
  readonly commit: string
  readonly run?: DrawnRun
}

const wayBack = (seed: number, overrides: SimOverrides, commit: string): WayBack => ({
  flags: `--seed ${seed}${flagsOf(overrides)}`,
  commit,
  run: {
    faults: 'drawn', seed, nodes: overrides.nodes ?? null, shards: overrides.shards ?? null,
    minutes: overrides.safetyMs === undefined ? null : overrides.safetyMs / MS_PER_MINUTE,
    commit: commit.slice(0, COMMIT_CHARACTERS), to: null, digest: null,
  },
})

const failureText = (
  seed: number, { violation, traceHash }: Pick<RunResult, 'violation' | 'traceHash'>, { flags, commit, run }: WayBack,
): string => {
  const address = run === undefined ? null : readableAddressOf({ ...run, digest: traceHash })
  return [
    `seed ${seed} failed: ${violation?.invariant ?? ''}: ${violation?.text ?? ''}`,
    `  commit: ${commit}`,
    `  replay: npm run sim -- ${flags}`,
    ...(address === null ? [] : [`  watch: the Observatory of any node, at /${address}`]),
  ].join('\n')
}

const flagsOf = ({ nodes, shards, safetyMs }: SimOverrides): string =>
  [flag('nodes', nodes), flag('shards', shards), flag('minutes', safetyMs === undefined ? undefined : safetyMs / MS_PER_MINUTE)].join('')

const flag = (name: string, value: number | undefined): string => (value === undefined ? '' : ` --${name} ${value}`)
