/**
 * What a failing run leaves behind: its trace, and a smaller run that fails the same way, as files, with the commands that replay both.
 */

import { createLocalFiles } from '../storage/localFiles.ts'
import { encodeCase } from './case.ts'
import { describeOptions } from './options.ts'
import { runSeed } from './run.ts'
import { shrink } from './shrink.ts'
import type { SimOptions } from './options.ts'
import type { RunResult } from './run.ts'
import type { Failure, Shrunk } from './shrink.ts'

const MS_PER_SECOND = 1_000

export interface FailureOptions {
  readonly directory: string
  readonly commit: string
  /** How long making it smaller may take; 0: it stays as it is. */
  readonly shrinkMs: number
}

/** Resolves with lines for the person who reads them. */
export const recordFailure = async (options: SimOptions, { directory, commit, shrinkMs }: FailureOptions): Promise<readonly string[]> => {
  const files = createLocalFiles()
  await files.makeDirectory(directory)
  const name = `${directory}/seed-${options.seed}`
  const run = runSeed(options)
  if (run.violation === null) return [`  seed ${options.seed} did not fail when it was run again: the simulator is not deterministic`]
  await files.writeAtomically(`${name}.trace`, `${run.trace.join('\n')}\n`)
  const lines = [`  commit: ${commit}`, `  trace: ${name}.trace`]
  if (shrinkMs === 0) return [...lines, '  not made smaller (--shrink-seconds 0)']
  const endsAt = Date.now() + shrinkMs
  const shrunk = shrink(options, { run: (smaller) => failureOf(runSeed(smaller)), mayGoOn: () => Date.now() < endsAt })
  if (shrunk === null) return lines
  const simCase = { options: shrunk.options, invariant: run.violation.invariant, story: '', commit }
  await files.writeAtomically(`${name}.json`, encodeCase(simCase))
  const isCut = Date.now() >= endsAt
  return [
    ...lines, ...describeShrunk(shrunk),
    ...(isCut ? [`  the ${shrinkMs / MS_PER_SECOND} s for it were over: --shrink-seconds gives more`] : []),
    `  smaller: npm run sim -- --case ${name}.json`,
  ]
}

const describeShrunk = ({ options, failure, runs }: Shrunk): string[] => [
  `  made smaller in ${runs} runs: ${failure.operations} operations, ${failure.faultsDrawn - options.skippedFaults.length} faults,`
  + ` ${options.nodes} nodes, ${(failure.atMs / MS_PER_SECOND).toFixed(1)} virtual seconds`,
  `  ${describeOptions(options)}`,
]

export const failureOf = ({ violation, figures }: RunResult): Failure | null => (violation === null ? null : {
  invariant: violation.invariant, atMs: figures.virtualMs, operations: figures.operations, faultsDrawn: figures.faultsDrawn,
})
