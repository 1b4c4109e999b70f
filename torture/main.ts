/**
 * `npm run torture`: images of damaged, torn and interrupted disks, each judged by what a restart makes of it.
 *
 * Ends with `N passed, N failed`; exit code 1 when any failed. Each failure prints the command that makes its image again. A generator of
 * which no image was judged is a failure, too, and so are lives in which nothing was acknowledged: nothing could be lost in them.
 */

import { figuresDirectory, laneFlags } from '../lanes/command.ts'
import { writeFigures } from '../lanes/figures.ts'
import { idleOf } from '../lanes/idle.ts'
import { asCommand } from '../lanes/usage.ts'
import { generatorsOf } from './generators.ts'
import { judgeItem, runTorture } from './crew.ts'
import type { LaneWorld } from '../lanes/command.ts'
import type { TortureFailure, TortureReport } from './crew.ts'

const USAGE = `npm run torture -- [--images 40000] [--seed N] [--workers N] [--budget-seconds N]
npm run torture -- --seed N --replay GENERATOR/PASS/INDEX      one image again

Images of damaged, torn and interrupted disks, each judged by what a restart makes of it (docs/TESTING.md).
`

const IMAGES_DEFAULT = 40_000
const FAILURES_SHOWN_MAX = 20

interface Command {
  readonly seed: number
  readonly images: number
  readonly workers: number
  readonly budgetSeconds: number | undefined
  readonly replay: string | undefined
}

interface Tally {
  readonly name: string
  images: number
  failed: number
  acknowledged: number
  /** How many images by verdict. */
  readonly kinds: Map<string, number>
}

const say = (line: string): void => { process.stdout.write(`${line}\n`) }

export const main = (args: readonly string[], world: LaneWorld): Promise<void> =>
  asCommand({ name: 'torture', usage: USAGE }, args, async () => {
    const command = readCommand(args, world)
    const failed = command.replay === undefined ? await runAll(command, world) : replayOne(command.seed, command.replay)
    if (failed > 0) process.exitCode = 1
  })

const readCommand = (args: readonly string[], world: LaneWorld): Command => {
  const { seed, workers, budgetSeconds, counts, texts } = laneFlags(args, world, { counts: ['images'], texts: ['replay'] })
  return { seed, workers, budgetSeconds, images: counts.get('images') ?? IMAGES_DEFAULT, replay: texts.get('replay') }
}

const replayOne = (seed: number, place: string): number => {
  const [kind = 0, pass = 0, index = 0] = place.split('/').map(Number)
  const generators = generatorsOf(seed)
  const { kind: verdict, problem } = judgeItem(generators, { kind, pass, index })
  say(`${generators[kind]?.name ?? 'unknown'}, pass ${pass}, image ${index}: ${verdict}${problem === undefined ? '' : `\n${problem}`}`)
  return problem === undefined ? 0 : 1
}

const runAll = async (command: Command, world: LaneWorld): Promise<number> => {
  const { seed, images, workers, budgetSeconds } = command
  const startedAt = performance.now()
  const tallies = generatorsOf(seed).map(({ name }): Tally => ({ name, images: 0, failed: 0, acknowledged: 0, kinds: new Map() }))
  const failures: TortureFailure[] = []
  say(`torture: ${images} images, seed ${seed}${budgetSeconds === undefined ? '' : `, at most ${budgetSeconds} s`}`)
  await runTorture({ seed, images, workers, budgetSeconds }, (report: TortureReport) => {
    for (const { generator, kind, acknowledged } of report.kinds) {
      const tally = tallies[generator]
      if (tally === undefined) continue
      tally.images += 1
      tally.acknowledged += acknowledged
      tally.kinds.set(kind, (tally.kinds.get(kind) ?? 0) + 1)
    }
    for (const failure of report.failures) {
      const tally = tallies[failure.item.kind]
      if (tally !== undefined) tally.failed += 1
      failures.push(failure)
      if (failures.length <= FAILURES_SHOWN_MAX) sayFailure(seed, failure)
    }
  })
  const seconds = (performance.now() - startedAt) / 1_000
  for (const tally of tallies) say(tallyText(tally))
  const reached = tallies.reduce((sum, tally) => sum + tally.images, 0)
  if (budgetSeconds !== undefined && reached < images * 0.99) say(`torture: the time was up after ${reached} of ${images} images`)
  const problems = idleProblems(tallies)
  for (const problem of problems) say(`FAILED ${problem}`)
  const [passed, failed] = [reached - failures.length, failures.length + problems.length]
  const generators = Object.fromEntries(tallies.map(({ name, kinds, ...rest }) => [name, { ...rest, verdicts: Object.fromEntries(kinds) }]))
  await writeFigures(figuresDirectory(world), {
    lane: 'torture', commit: world.commit, passed, failed,
    figures: { seed, images: reached, imagesWanted: images, seconds: Math.round(seconds), generators },
  })
  say(`torture: ${reached} images in ${seconds.toFixed(1)} s, ${(reached / seconds).toFixed(0)} a second`)
  say(`${passed} passed, ${failed} failed`)
  return failed
}

/** Without an image of each generator, and an acknowledgement that could have been lost, nothing is proved. */
export const idleProblems = (tallies: readonly Pick<Tally, 'name' | 'images' | 'acknowledged'>[]): readonly string[] => [
  ...idleOf(tallies.map(({ name, images }) => ({ name, done: images }))).map((name) => `${name}: no image was judged`),
  ...(tallies.some(({ acknowledged }) => acknowledged > 0) ? [] : ['no life had anything acknowledged: nothing could be lost']),
]

const sayFailure = (seed: number, { item, problem }: TortureFailure): void => {
  say(`FAILED ${problem}\n  replay: npm run torture -- --seed ${seed} --replay ${item.kind}/${item.pass}/${item.index}`)
}

const tallyText = ({ name, images, kinds }: Tally): string => {
  const verdicts = [...kinds].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${kind} ${count}`).join(', ')
  return `  ${String(images).padStart(7)}  ${name}: ${verdicts}`
}
