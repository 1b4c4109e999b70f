/**
 * Headers as they came over the wire, in the form of the port: one text for a name. What a single text can not say is said so that a strict
 * reader (bus/headers.ts) refuses it, whoever reads: a name given several times, and headers that can not be read at all.
 *
 * They are read here and not by the client library. That looks through all names before each further one, so that 8,000 names (46 KB, from
 * whoever may publish one message) took it 24 s, in which a node did nothing else; and it passes over a line without a colon, which
 * may be a condition that somebody meant.
 */

import type { Headers } from './port.ts'

/** Ours and other people's: longer ones are not read. What a node and its clients say to each other takes less than 1 KiB. */
export const HEADER_BYTES_MAX = 16 * 1_024

/** Between the values of a name that was given several times. No value contains it. */
export const VALUES_APART = '\n'

/** No wire carries a name with a colon in it. It begins as ours do, so that a reader who does not know it takes it for a misspelt one. */
const MALFORMED_NAME = 'Kv-:malformed'
const malformed: Headers = new Map([[MALFORMED_NAME, '']])

/** Of the broker's own messages ("no responders"): the code of the status line, and never a header that somebody called so. */
const STATUS_NAME = 'Status'

/** Blanks have one way to match, or a line of them would take a time that grows with the square of their number. */
const firstLine = /^NATS\/1\.0(?: +([1-9]\d{2})(?: [^\r\n]*)?| *)$/
const header = /^([!-9;-~]+):([^\r\n]*)$/
const decoder = new TextDecoder()

export const isMalformed = (headers: Headers | undefined): boolean => headers?.has(MALFORMED_NAME) === true

/** `block`: everything before the message's data, the first line included. Never throws, whatever was sent. */
export const receivedHeaders = (block: Uint8Array): Headers => {
  if (block.length > HEADER_BYTES_MAX) return malformed
  const [first = '', ...lines] = decoder.decode(block).split('\r\n')
  const status = firstLine.exec(first)
  if (status === null) return malformed
  const result = new Map<string, string>()
  if (status[1] !== undefined) result.set(STATUS_NAME, status[1])
  for (const line of lines) {
    if (line === '') continue
    const [, name, value = ''] = header.exec(line) ?? []
    if (name === undefined) return malformed
    if (name !== STATUS_NAME) result.set(name, join(result.get(name), value.trim()))
  }
  return result
}

const join = (before: string | undefined, value: string): string => (before === undefined ? value : `${before}${VALUES_APART}${value}`)
