/**
 * Whether a question may end with 0: figures of operations that failed, or of none at all, are no figures. They are printed all the same,
 * and the bench says what is wrong with them and ends with 1.
 */

import type { Figure } from './turns.ts'

/** Of one run, of one target. */
export interface Asked {
  readonly what: string
  readonly done: number
  readonly failed: number
}

/** One sentence for each that is no measurement. */
export const flawsOf = (asked: readonly Asked[]): readonly string[] => [
  ...(asked.length === 0 ? ['nothing was measured'] : []),
  ...asked.flatMap(({ what, done, failed }) => [
    ...(done === 0 ? [`${what}: no operation was done`] : []),
    ...(failed === 0 ? [] : [`${what}: ${failed} operations failed, beside ${done} that were done`]),
  ]),
]

export const askedOf = (what: string, figures: readonly Figure[]): readonly Asked[] => figures.flatMap(({ target, runs }) =>
  runs.map(({ done, failed }, i) => ({ what: `${what}, ${target}, run ${i + 1}`, done, failed })))

/** Says what is wrong, if anything is, and has the process end with 1. */
export const endWith = (flaws: readonly string[]): void => {
  for (const flaw of flaws) process.stderr.write(`bench: FAILED: ${flaw}\n`)
  if (flaws.length > 0) process.exitCode = 1
}
