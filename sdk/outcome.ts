/** What became of each key of an mget, mput or mdel: one may fail while the others do not. */

import type { Key } from './keyName.ts'
import type { ShardKvError } from './errors.ts'

export type Outcome<Result> =
  | { readonly ok: true; readonly key: Key; readonly result: Result }
  | { readonly ok: false; readonly key: Key; readonly error: ShardKvError }

/** The results, in order; throws the first error when there is one. */
export const resultsOf = <Result>(outcomes: readonly Outcome<Result>[]): Result[] => outcomes.map((outcome) => {
  if (!outcome.ok) throw outcome.error
  return outcome.result
})
