/**
 * The envelope around every internal message.
 *
 *   version u8 | kind u8 | flags u8 | boot id 8 bytes | cluster hash u32 | [trace id 16 bytes | span id 8 | trace flags u8] | body
 *
 * The boot id tells incarnations of one node apart; the cluster hash keeps two clusters on one broker from reading each other.
 * The trace context (25 bytes) is there only when flag 1 says so. A version, kind or flag that is not known is refused by name and
 * never guessed: a newer node must not be half understood. The version is that of the layout level in force (topology/level.ts):
 * nothing of a newer level comes in by any message of the data path, however it is laid out inside.
 */

import { fnv1a32 } from '../topology/hash.ts'
import { FIRST_LEVEL, knowsVersion, versionAt } from '../topology/level.ts'
import { DecodeError, createReader, readU32, readU8, writeU32, writeU8 } from './bytes.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { BootId, ClusterId } from '../topology/ids.ts'
import type { Versions } from '../topology/level.ts'
import type { Reader, Writer } from './bytes.ts'

/** By layout level. */
const versions: Versions = [[1, 1]]
/** Actor messages for one node (bus/codec/frame.ts). */
export const KIND_FRAME = 1

const FLAG_TRACE = 1
const BOOT_BYTES = 8
const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

export interface Envelope {
  readonly boot: BootId
  readonly clusterHash: number
  readonly trace?: TraceContext
}

export type EnvelopeRefusal = 'version' | 'kind' | 'flags' | 'truncated'

export type OpenedEnvelope =
  /** `body` stands at the first byte after the envelope. */
  | { readonly ok: true; readonly envelope: Envelope; readonly body: Reader }
  | { readonly ok: false; readonly refusal: EnvelopeRefusal; readonly detail: string }

export const clusterHashOf = (cluster: ClusterId): number => fnv1a32(cluster)

export const writeEnvelope = (writer: Writer, envelope: Envelope, level = FIRST_LEVEL): void => {
  const { trace } = envelope
  writeU8(writer, versionAt(versions, level))
  writeU8(writer, KIND_FRAME)
  writeU8(writer, trace === undefined ? 0 : FLAG_TRACE)
  writeHex(writer, envelope.boot)
  writeU32(writer, envelope.clusterHash)
  if (trace === undefined) return
  writeHex(writer, trace.traceId)
  writeHex(writer, trace.spanId)
  writeU8(writer, trace.flags)
}

/** Lower-case hex as the bytes it stands for, without a length. */
export const writeHex = (writer: Writer, hex: string): void => {
  for (let i = 0; i < hex.length; i += 2) writeU8(writer, nibbleAt(hex, i) * 16 + nibbleAt(hex, i + 1))
}

const DIGIT_0 = 48
const DIGIT_9 = 57
/** The letter a stands for ten. */
const LETTERS_FROM = 97 - 10

/** Every frame begins with hex: a fifth of the time that `parseInt` takes for parts of a text. */
const nibbleAt = (hex: string, at: number): number => {
  const code = hex.charCodeAt(at)
  return code <= DIGIT_9 ? code - DIGIT_0 : code - LETTERS_FROM
}

export const openEnvelope = (bytes: Uint8Array): OpenedEnvelope => {
  const body = createReader(bytes)
  try {
    const version = readU8(body)
    if (!knowsVersion(versions, version)) return refuse('version', `envelope version ${version} is not known, only ${knownText()}`)
    const kind = readU8(body)
    if (kind !== KIND_FRAME) return refuse('kind', `envelope kind ${kind} is not known, only ${KIND_FRAME}`)
    const flags = readU8(body)
    if ((flags & ~FLAG_TRACE) !== 0) return refuse('flags', `envelope flags ${flags} are not known, only ${FLAG_TRACE}`)
    const boot = readHex(body, BOOT_BYTES) as BootId
    const clusterHash = readU32(body)
    if ((flags & FLAG_TRACE) === 0) return { ok: true, envelope: { boot, clusterHash }, body }
    const trace = { traceId: readHex(body, TRACE_ID_BYTES), spanId: readHex(body, SPAN_ID_BYTES), flags: readU8(body) }
    return { ok: true, envelope: { boot, clusterHash, trace }, body }
  } catch (error) {
    if (error instanceof DecodeError) return refuse('truncated', `the envelope is cut short: ${error.message}`)
    throw error
  }
}

export const readHex = (reader: Reader, bytes: number): string => {
  let hex = ''
  for (let i = 0; i < bytes; i += 1) hex += HEX_PAIRS[readU8(reader)] ?? ''
  return hex
}

const HEX_PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

const knownText = (): string => versions.map(([, version]) => version).join(', ')

const refuse = (refusal: EnvelopeRefusal, detail: string): OpenedEnvelope => ({ ok: false, refusal, detail })
