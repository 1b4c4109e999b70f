/**
 * Answers that one message of the broker does not hold: a cluster map of 1,024 shards with long names, or any map where the broker's
 * payload is small.
 *
 *   asker ──request──▶ answerer     the whole answer, or where its parts are: { parts: answer number, bytes, crc }
 *         ──{ kind: 'part', answer, offset }──▶     { part: bytes } from there on; again until all are here
 *
 * The answerer holds the newest ANSWERS_HELD_MAX long answers, each at most ANSWER_BYTES_MAX bytes; above that it says nothing, and
 * counts it.
 * The asker takes nothing for an answer that a client may have had a node send (`isControlAnswer`), and believes nothing before the
 * checksum of the whole is right: an answer that was given up meanwhile, or a node that was started anew and gives the same number to
 * another one, looks like no answer, and whoever wanted it asks again.
 */

import { CONTROL_BYTES_MAX, decodeControl, encodeControl, encodeControlWithin, isControlAnswer } from '../bus/codec/control.ts'
import { crc32 } from '../storage/crc.ts'
import { count, oneOf, record } from '../actors/topology/fields.ts'
import type { Bus } from '../bus/port.ts'
import type { Check } from '../actors/topology/fields.ts'

/** The largest state that there may be (actors/topology/codec.ts), and what is said beside it. */
export const ANSWER_BYTES_MAX = 3 * 1_024 * 1_024
/** Long answers that are waited for at a time; an older one is asked for anew. */
const ANSWERS_HELD_MAX = 4
/** What stands around the bytes of a part. */
const PART_MARGIN_BYTES = 64

interface PartRequest {
  readonly kind: 'part'
  readonly answer: number
  readonly offset: number
}

interface Head {
  /** The answer's number. */
  readonly parts: number
  readonly bytes: number
  readonly crc: number
}

/** A request for a part, or undefined when it is another. */
export const partRequestOf: Check<PartRequest> = record<PartRequest>({ kind: oneOf('part'), answer: count, offset: count })
const headOf: Check<Head> = record<Head>({ parts: count, bytes: count, crc: count })
const bytesOf: Check<Uint8Array> = (value) => (value instanceof Uint8Array ? value : undefined)
const partOf = record<{ readonly part: Uint8Array }>({ part: bytesOf })

export interface LongAnswers {
  /** What to send as this answer; null when it has more than ANSWER_BYTES_MAX bytes. */
  readonly encode: (value: unknown) => Uint8Array | null
  /** What to send as this part; null when the answer is not held, or ends before it. */
  readonly part: (request: PartRequest) => Uint8Array | null
}

/** `messageBytesMax`: what the broker takes in one message now. */
export const createLongAnswers = (messageBytesMax: () => number): LongAnswers => {
  const held = new Map<number, Uint8Array>()
  let last = 0
  const partBytesMax = (): number => Math.min(Math.floor(messageBytesMax() / 2), CONTROL_BYTES_MAX - PART_MARGIN_BYTES)
  return {
    encode: (value) => {
      const bytes = encodeControlWithin(value, ANSWER_BYTES_MAX)
      if (bytes === null || bytes.length <= partBytesMax()) return bytes
      last += 1
      held.set(last, bytes)
      held.delete(last - ANSWERS_HELD_MAX)
      return encodeControl({ parts: last, bytes: bytes.length, crc: crc32(bytes) } satisfies Head)
    },
    part: ({ answer, offset }) => {
      const bytes = held.get(answer)
      if (bytes === undefined || offset >= bytes.length) return null
      return encodeControl({ part: bytes.subarray(offset, offset + partBytesMax()) })
    },
  }
}

export interface WholeAnswer {
  readonly bus: Pick<Bus, 'request'>
  readonly subject: string
  /** For each message. */
  readonly timeoutMs: number
}

/** `done` with the decoded answer, however many messages it takes; undefined when there is none. */
export const askWhole = ({ bus, subject, timeoutMs }: WholeAnswer, request: unknown, done: (answer: unknown) => void): void => {
  const ask = (one: unknown, then: (answer: unknown) => void): void => {
    const bytes = encodeControlWithin(one, CONTROL_BYTES_MAX)
    if (bytes === null) {
      then(undefined)
      return
    }
    bus.request(subject, bytes, { timeoutMs, isAnswer: isControlAnswer }, (_failure, answer) => {
      then(answer === null ? undefined : decodeControl(answer.data))
    })
  }
  const gather = (head: Head, whole: Uint8Array, offset: number): void => {
    if (offset === whole.length) {
      done(crc32(whole) === head.crc ? decodeControl(whole, ANSWER_BYTES_MAX) : undefined)
      return
    }
    ask({ kind: 'part', answer: head.parts, offset } satisfies PartRequest, (answer) => {
      const part = partOf(answer)?.part
      if (part === undefined || part.length === 0 || offset + part.length > whole.length) {
        done(undefined)
        return
      }
      whole.set(part, offset)
      gather(head, whole, offset + part.length)
    })
  }
  ask(request, (answer) => {
    const head = headOf(answer)
    if (head === undefined) done(answer)
    else if (head.bytes > ANSWER_BYTES_MAX) done(undefined)
    else gather(head, new Uint8Array(head.bytes), 0)
  })
}
