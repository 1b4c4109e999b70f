/**
 * Assertions that stay on in production.
 *
 * A failed assertion is a bug, never a bad input: it throws, the actor's error observer sees it, and the process ends
 * (fail-stop). Expected failures are messages or results instead.
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws AssertionError unless `condition` holds. `message` says what was expected, in the present tense. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** The value, or an AssertionError when it is undefined or null. Replaces the non-null operator. */
export const must = <T>(value: T | undefined | null, message: string): T => {
  assert(value !== undefined && value !== null, message)
  return value
}
