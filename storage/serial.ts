/** Runs callback steps one after another, handing a value along; the first error ends it. Steps may be added while it runs. */

import type { Done, FileError } from './fileSystem.ts'

type Step<T> = (value: T, next: Done<T>) => void

export interface Serial<T> {
  readonly step: (step: Step<T>) => void
  readonly run: () => void
}

export const createSerial = <T>(initial: T, done: (error: FileError | null, value: T) => void): Serial<T> => {
  const steps: Step<T>[] = []
  const advance = (value: T): void => {
    const step = steps.shift()
    if (step === undefined) done(null, value)
    else step(value, (error, next) => (error === null ? advance(next) : done(error, next)))
  }
  return { step: (step) => steps.push(step), run: () => advance(initial) }
}
