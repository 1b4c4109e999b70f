/**
 * What the NATS front door sends back to those who asked: results, refusals, and texts of the node's own. Nothing that could not be sent
 * goes without a note in the log.
 *
 * A read whose value can not be sent is refused, for it has no effect that a refusal would deny: what a node has on its way to the broker
 * has a limit (bus/outbox.ts), and large values that many ask for at once pass it. Its caller would wait in vain, until its time is over.
 */

import { replyHeaders } from '../bus/headers.ts'
import { noRoomYet, valueTooLarge } from './batchRefusals.ts'
import type { TraceContext } from '../actors/kernel/trace.ts'
import type { OperationResult, StatusName } from '../actors/shard/operation.ts'
import type { ReplyContext } from '../bus/headers.ts'
import type { Bus } from '../bus/port.ts'
import type { RefusalLog } from '../bus/refusalLog.ts'
import type { DoorInstruments } from './instruments.ts'

export interface PlainAnswersOptions {
  readonly bus: Bus
  readonly refusals: RefusalLog
  readonly instruments: DoorInstruments | undefined
}

/** `to` empty: nobody wants an answer. */
export interface PlainAnswers {
  readonly reply: (to: string, context: ReplyContext, result: OperationResult, trace?: TraceContext) => void
  /** Nothing was done here; not `definite` where another who was asked the same may do it. Noted, too. */
  readonly refuse: (to: string, status: StatusName, message: string, definite?: boolean) => void
  /** The node's own answer to `subject`; TOO_LARGE and what to do when the broker does not take it in one message. */
  readonly tell: (to: string, subject: string, text: string) => void
}

export const createPlainAnswers = ({ bus, refusals, instruments }: PlainAnswersOptions): PlainAnswers => {
  const noteUnsent = (sent: ReturnType<Bus['publish']>, trace?: TraceContext): void => {
    if (sent !== 'sent') refusals.note('unsent', `an answer could not be sent (${sent}): the caller will time out`, trace)
  }
  const publish = (to: string, context: ReplyContext, result: OperationResult): ReturnType<Bus['publish']> =>
    bus.publish(to, bodyOf(result), { headers: replyHeaders(result, context) })
  const reply: PlainAnswers['reply'] = (to, context, result, trace) => {
    if (to === '') return
    const sent = publish(to, context, result)
    const refusal = sent === 'sent' || context.consistency === undefined ? null : refusalOf(sent, result, bus.status().maxPayloadBytes)
    if (refusal === null) noteUnsent(sent, trace)
    else {
      refusals.note(refusal.status, refusal.message ?? '', trace)
      noteUnsent(publish(to, context, refusal), trace)
    }
  }
  const refuse: PlainAnswers['refuse'] = (to, status, message, definite = true) => {
    refusals.note(status, message)
    instruments?.told(0, status)
    reply(to, {}, { status, revision: 0, definite, message })
  }
  return {
    reply,
    refuse,
    tell: (to, subject, text) => {
      if (to === '') return
      const body = encode(text)
      const sent = bus.publish(to, body, { headers: new Map([['Kv-Status', 'OK']]) })
      if (sent === 'tooLarge') refuse(to, 'TOO_LARGE', tooLarge(subject, body.length, bus.status().maxPayloadBytes))
      else if (sent === 'full') {
        refusals.note(noRoomYet.status, noRoomYet.message ?? '')
        reply(to, {}, noRoomYet)
      } else noteUnsent(sent)
    },
  }
}

/** Instead of a value that could not be sent; null when a refusal would not arrive either, or when it is not for the value. */
const refusalOf = (sent: ReturnType<Bus['publish']>, { value }: OperationResult, bytesMax: number): OperationResult | null => {
  if (value === undefined || value.length === 0 || sent === 'disconnected') return null
  return sent === 'tooLarge' ? valueTooLarge(value.length, bytesMax) : noRoomYet
}

const tooLarge = (subject: string, bytes: number, bytesMax: number): string =>
  `The answer to ${subject} has ${bytes} bytes, and the broker takes ${bytesMax} in one message: raise its max_payload.`

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The value of a success, the sentence of an error. */
const bodyOf = (result: OperationResult): Uint8Array =>
  result.value ?? (result.message === undefined ? new Uint8Array(0) : encode(result.message))
