/**
 * Headers as they came over the wire, in the form of the port: one text for a name. What a single text can not say is said so that a strict
 * reader (bus/headers.ts) refuses it, whoever reads: a name given several times, and headers that can not be read at all.
 */

import type { Headers } from './port.ts'

/** Between the values of a name that was given several times. No value contains it. */
export const VALUES_APART = '\n'

/** No wire carries a name with a colon in it. It begins as ours do, so that a reader who does not know it takes it for a misspelt one. */
const MALFORMED_NAME = 'Kv-:malformed'
const malformed: Headers = new Map([[MALFORMED_NAME, '']])

/** Of the broker's own messages ("no responders"): the code of the status line, and never a header that somebody called so. */
const STATUS_NAME = 'Status'

export interface WireHeaders extends Iterable<readonly [name: string, values: readonly string[]]> {
  /** Of the status line; 0: none. */
  readonly code: number
}

export const isMalformed = (headers: Headers | undefined): boolean => headers?.has(MALFORMED_NAME) === true

/** `read` may throw: the client library decodes when it is asked, and anybody may write anything into headers. */
export const receivedHeaders = (read: () => WireHeaders | undefined): Headers | undefined => {
  try {
    const given = read()
    return given === undefined ? undefined : headersOf(given)
  } catch {
    return malformed
  }
}

const headersOf = (given: WireHeaders): Headers => {
  const result = new Map<string, string>()
  if (given.code > 0) result.set(STATUS_NAME, String(given.code))
  for (const [name, values] of given) if (name !== STATUS_NAME) result.set(name, values.join(VALUES_APART))
  return result
}
