/**
 * One run as a file: everything that was drawn for it, so that it can be run again when the generator draws other things from its seed.
 * What happens in it still depends on the code that runs: a case is a place to look, and the story test beside it is the proof.
 */

import type { SimOptions } from './options.ts'

export interface SimCase {
  readonly options: SimOptions
  /** What failed, and what it meant: `null` and empty until somebody has understood it. */
  readonly invariant: string | null
  readonly story: string
  /** Of the code in which it failed. */
  readonly commit: string
}

export const encodeCase = (simCase: SimCase): string => `${JSON.stringify(simCase, null, 2)}\n`

/** `base` says what an option is when an older file does not know it. Throws a RangeError that says what is wrong with the text. */
export const decodeCase = (text: string, base: SimOptions): SimCase => {
  const read = parse(text)
  const { options, invariant = null, story = '', commit = 'unknown' } = read
  if (typeof options?.seed !== 'number' || !Number.isSafeInteger(options.seed)) throw new RangeError('a case has options with a seed')
  const unknown = Object.keys(options).filter((name) => !(name in base))
  if (unknown.length > 0) throw new RangeError(`there is no option ${unknown.join(', ')}: the case is of another simulator`)
  return {
    options: {
      ...base, ...options, workload: { ...base.workload, ...options.workload }, network: { ...base.network, ...options.network },
      disk: { ...base.disk, ...options.disk },
    },
    invariant, story, commit,
  }
}

type Read = Partial<Omit<SimCase, 'options'>> & { readonly options?: Partial<SimOptions> }

const parse = (text: string): Read => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch (error) {
    throw new RangeError(`a case is JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  throw new RangeError('a case is a JSON object')
}
