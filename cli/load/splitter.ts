/**
 * Cuts a stream of bytes into JSON records, without ever holding more than one: lines (NDJSON), or the elements of one array. The first
 * byte that is no blank decides. Any chunking of the same bytes gives the same records.
 *
 * In an array only structure is looked at: depth, strings, escapes; the element itself is parsed by whoever gets it. UTF-8 needs no
 * decoding for that, since no byte of a multi-byte character equals an ASCII one. Every record is at most RECORD_BYTES_MAX.
 */

import { VALUE_BYTES_MAX } from '../../actors/shard/operation.ts'

export const RECORD_BYTES_MAX = VALUE_BYTES_MAX

const LINE_FEED = 0x0a
const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const BYTE_ORDER_MARK: readonly number[] = [0xef, 0xbb, 0xbf]

export class SplitError extends Error {
  override readonly name = 'SplitError'
}

export interface Splitter {
  /** The records that this chunk completes, in order. The bytes are copies. */
  readonly push: (chunk: Uint8Array) => readonly Uint8Array[]
  /** The last record of a file without a final line end; throws SplitError when the file ends in the middle. */
  readonly end: () => readonly Uint8Array[]
}

type Mode = 'undecided' | 'lines' | 'beforeElement' | 'element' | 'afterElement' | 'afterArray'

interface State {
  mode: Mode
  /** Parts of the record that earlier chunks began. */
  parts: Uint8Array[]
  partsBytes: number
  depth: number
  isInString: boolean
  isEscaped: boolean
  /** After a comma an element must follow. */
  hasComma: boolean
  records: number
  bytesSeen: number
}

export const createSplitter = (): Splitter => {
  const state: State = {
    mode: 'undecided', parts: [], partsBytes: 0, depth: 0, isInString: false, isEscaped: false, hasComma: false, records: 0, bytesSeen: 0,
  }
  return {
    push: (chunk) => {
      const found: Uint8Array[] = []
      let at = 0
      while (at < chunk.length) at = step(state, chunk, at, found)
      return found
    },
    end: () => {
      if (state.mode === 'lines') return takeRecord(state, new Uint8Array(0)).filter(isNotBlank)
      if (state.mode === 'undecided' || state.mode === 'afterArray') return []
      throw new SplitError(`the file ends in the middle of its array, after ${state.records} records; is it complete?`)
    },
  }
}

/** Looks at bytes from `at` on; returns where to go on. */
const step = (state: State, chunk: Uint8Array, at: number, found: Uint8Array[]): number => {
  switch (state.mode) {
    case 'undecided': return decide(state, chunk, at)
    case 'lines': return stepLines(state, chunk, at, found)
    case 'beforeElement': return beforeElement(state, chunk, at)
    case 'element': return stepElement(state, chunk, at, found)
    case 'afterElement': return afterElement(state, chunk, at)
    case 'afterArray': return afterArray(state, chunk, at)
  }
  state.mode satisfies never
  return at
}

const decide = (state: State, chunk: Uint8Array, at: number): number => {
  const byte = chunk[at] ?? 0
  const isMark = byte === BYTE_ORDER_MARK[state.bytesSeen]
  state.bytesSeen += 1
  if (isBlank(byte) || isMark) return at + 1
  state.mode = byte === OPEN_BRACKET ? 'beforeElement' : 'lines'
  return byte === OPEN_BRACKET ? at + 1 : at
}

const stepLines = (state: State, chunk: Uint8Array, at: number, found: Uint8Array[]): number => {
  const end = chunk.indexOf(LINE_FEED, at)
  if (end === -1) {
    keep(state, chunk.slice(at))
    return chunk.length
  }
  found.push(...takeRecord(state, chunk.slice(at, end)).filter(isNotBlank))
  return end + 1
}

const beforeElement = (state: State, chunk: Uint8Array, at: number): number => {
  const byte = chunk[at] ?? 0
  if (isBlank(byte)) return at + 1
  if (byte === CLOSE_BRACKET && !state.hasComma) {
    state.mode = 'afterArray'
    return at + 1
  }
  if (byte !== OPEN_BRACE) {
    throw new SplitError(`element ${state.records + 1} of the array is no JSON object; load takes an array of objects`)
  }
  state.mode = 'element'
  return at
}

const stepElement = (state: State, chunk: Uint8Array, from: number, found: Uint8Array[]): number => {
  for (let at = from; at < chunk.length; at += 1) {
    const byte = chunk[at] ?? 0
    if (state.isInString) noteInString(state, byte)
    else if (byte === QUOTE) state.isInString = true
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) state.depth += 1
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      state.depth -= 1
      if (state.depth === 0) {
        found.push(...takeRecord(state, chunk.slice(from, at + 1)))
        state.mode = 'afterElement'
        return at + 1
      }
    }
  }
  keep(state, chunk.slice(from))
  return chunk.length
}

const noteInString = (state: State, byte: number): void => {
  if (state.isEscaped) state.isEscaped = false
  else if (byte === BACKSLASH) state.isEscaped = true
  else if (byte === QUOTE) state.isInString = false
}

const afterElement = (state: State, chunk: Uint8Array, at: number): number => {
  const byte = chunk[at] ?? 0
  if (isBlank(byte)) return at + 1
  if (byte !== COMMA && byte !== CLOSE_BRACKET) throw new SplitError(`after element ${state.records} of the array a comma or ] is missing`)
  state.hasComma = byte === COMMA
  state.mode = byte === COMMA ? 'beforeElement' : 'afterArray'
  return at + 1
}

const afterArray = (state: State, chunk: Uint8Array, at: number): number => {
  if (isBlank(chunk[at] ?? 0)) return at + 1
  throw new SplitError(`something follows the end of the array, after ${state.records} records`)
}

const keep = (state: State, part: Uint8Array): void => {
  state.parts.push(part)
  state.partsBytes += part.length
  if (state.partsBytes > RECORD_BYTES_MAX) throw tooLong(state)
}

/** One record: what earlier chunks began and `last`. */
const takeRecord = (state: State, last: Uint8Array): readonly Uint8Array[] => {
  const length = state.partsBytes + last.length
  if (length > RECORD_BYTES_MAX) throw tooLong(state)
  const record = new Uint8Array(length)
  let at = 0
  for (const part of [...state.parts, last]) {
    record.set(part, at)
    at += part.length
  }
  state.parts = []
  state.partsBytes = 0
  if (isNotBlank(record)) state.records += 1
  return [record]
}

const tooLong = (state: State): SplitError =>
  new SplitError(`record ${state.records + 1} is longer than ${RECORD_BYTES_MAX} bytes, the largest value there can be`)

const isBlank = (byte: number): boolean => byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09
const isNotBlank = (record: Uint8Array): boolean => record.some((byte) => !isBlank(byte))
