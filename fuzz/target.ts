/** What is fuzzed: a decoder, valid encodings for it to start from, and what its result can be held to. */

import type { Random } from '../actors/kernel/random.ts'

export type Outcome =
  /** `shape` tells kinds of results apart, `again` is the result encoded again. */
  | { readonly ok: true; readonly shape: string; readonly again?: Uint8Array; readonly value?: unknown }
  | { readonly ok: false; readonly reason: string }

export interface Target {
  readonly name: string
  /** Relative to the others: those that take longer get fewer executions. */
  readonly share: number
  /** A valid encoding of something drawn. */
  readonly example: (random: Random) => Uint8Array
  /** Never throws: a documented error is a refusal, any other throw is what is looked for. */
  readonly decode: (bytes: Uint8Array) => Outcome
  /** One encoding a value: what was decoded encodes to the very same bytes. Otherwise encoding must only be stable. */
  readonly isCanonical: boolean
  /** For decoders that are fed piece by piece: the same, whatever the pieces. */
  readonly decodePieces?: (pieces: readonly Uint8Array[]) => Outcome
  /** Makes checksums right again, so that a change reaches what stands behind them. */
  readonly mend?: (bytes: Uint8Array) => void
  /** Buffers that encoding again, or the image that is read, take whatever the input is. */
  readonly scratchBytes?: number
  /** What texts of this kind are made of, or tokens of a binary format that no example has. */
  readonly words?: readonly (string | Uint8Array)[]
}

export const refused = (reason: string): Outcome => ({ ok: false, reason })
export const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
export const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8')
