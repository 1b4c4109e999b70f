/**
 * What a broker says on a connection, cut out of the bytes as they come: messages (`MSG`, `HMSG`) and whole lines of everything else
 * (NATS client protocol, docs.nats.io/reference/reference-protocols/nats-protocol).
 *
 *   MSG <subject> <sid> [reply] <bytes>␍␊<data>␍␊
 *   HMSG <subject> <sid> [reply] <header bytes> <bytes>␍␊<headers><data>␍␊
 *
 * A message that came whole is not copied. One that is not complete yet waits, as the pieces that have come, until all of it is there: they
 * are joined once.
 */

import { receivedHeaders } from './receivedHeaders.ts'
import type { Inbound } from './port.ts'

/** A line of a broker's: INFO, with the addresses of all servers, is the longest. */
export const LINE_BYTES_MAX = 1_048_576
/** Headers and data of one message: the most that nats-server's `max_payload` can be. */
export const MESSAGE_BYTES_MAX = 2_147_483_647

/** Not what a broker says. Nothing after it can be read either. */
export class BrokerProtocolError extends Error {
  override readonly name = 'BrokerProtocolError'
}

export interface ReaderOptions {
  /** `sid`: the subscription that it is for. The message is valid during the call. */
  readonly onMessage: (sid: number, message: Inbound) => void
  /** With its end. */
  readonly onLine: (line: Uint8Array) => void
  /** The first bytes belong to a line that somebody has begun to read. Default: they begin one. */
  readonly isWithinLine?: boolean
}

export interface NatsReader {
  /** Takes what came next; throws BrokerProtocolError. */
  readonly take: (chunk: Buffer) => void
}

const LINE_FEED = 10
const LETTER_M = 77
const LETTER_H = 72
const END_BYTES = 2

export const createNatsReader = ({ onMessage, onLine, isWithinLine = false }: ReaderOptions): NatsReader => {
  let isRestOfLine = isWithinLine
  let pieces: Buffer[] = []
  let bytesHeld = 0
  /** Bytes from the first piece on without which there is nothing to read; 0 while that is not known. */
  let bytesWanted = 0

  const hold = (piece: Buffer): void => {
    pieces.push(piece)
    bytesHeld += piece.length
  }
  const joined = (chunk: Buffer): Buffer => {
    if (bytesHeld === 0) return chunk
    hold(chunk)
    const whole = Buffer.concat(pieces, bytesHeld)
    pieces = []
    bytesHeld = 0
    return whole
  }
  /** Where the next begins; null when this one is not complete. */
  const readOne = (bytes: Buffer, at: number): number | null => {
    const lineEnd = bytes.indexOf(LINE_FEED, at)
    bytesWanted = 0
    if (lineEnd < 0) {
      if (bytes.length - at > LINE_BYTES_MAX) throw new BrokerProtocolError(`a line of more than ${LINE_BYTES_MAX} bytes`)
      return null
    }
    const start = lineEnd + 1
    if (isRestOfLine || (bytes[at] !== LETTER_M && bytes[at] !== LETTER_H)) {
      isRestOfLine = false
      onLine(bytes.subarray(at, start))
      return start
    }
    const { sid, subject, reply, headerBytes, messageBytes } = readHead(bytes.toString('utf8', at, lineEnd - 1))
    const end = start + messageBytes + END_BYTES
    if (end > bytes.length) {
      bytesWanted = end - at
      return null
    }
    const data = part(bytes, start + headerBytes, messageBytes - headerBytes)
    const message = { subject, reply, data }
    onMessage(sid, headerBytes === 0 ? message : { ...message, headers: receivedHeaders(part(bytes, start, headerBytes)) })
    return end
  }
  return {
    take: (chunk) => {
      if (bytesHeld + chunk.length < bytesWanted) {
        hold(chunk)
        return
      }
      const bytes = joined(chunk)
      let at = 0
      while (at < bytes.length) {
        const next = readOne(bytes, at)
        if (next === null) {
          hold(bytes.subarray(at))
          return
        }
        at = next
      }
    },
  }
}

/** A plain Uint8Array, whose `slice` copies, as readers expect; a Buffer's is a view. */
const part = ({ buffer, byteOffset }: Buffer, start: number, length: number): Uint8Array =>
  new Uint8Array(buffer, byteOffset + start, length)

interface Head {
  readonly sid: number
  readonly subject: string
  readonly reply: string
  readonly headerBytes: number
  /** Headers included. */
  readonly messageBytes: number
}

/**
 * Between two fields stands one blank. A reply is one field more, and empty in some of the broker's own messages (`$SYS`). Without a list
 * of the fields, and patterns for the numbers: that takes twice as long.
 */
const readHead = (line: string): Head => {
  const hasHeaders = line.startsWith('HMSG ')
  if (!hasHeaders && !line.startsWith('MSG ')) throw unreadable(line)
  const subjectAt = line.indexOf(' ') + 1
  const subjectEnd = line.indexOf(' ', subjectAt)
  const sidEnd = line.indexOf(' ', subjectEnd + 1)
  const lengthAt = line.lastIndexOf(' ') + 1
  const replyEnd = hasHeaders ? line.lastIndexOf(' ', lengthAt - 2) : lengthAt - 1
  const reply = sidEnd < replyEnd ? line.slice(sidEnd + 1, replyEnd) : ''
  if (subjectEnd <= subjectAt || sidEnd < 0 || replyEnd < sidEnd || reply.includes(' ')) throw unreadable(line)
  const messageBytes = numberIn(line, lengthAt, line.length)
  const headerBytes = hasHeaders ? numberIn(line, replyEnd + 1, lengthAt - 1) : 0
  if (messageBytes > MESSAGE_BYTES_MAX || headerBytes > messageBytes) throw unreadable(line)
  return { subject: line.slice(subjectAt, subjectEnd), sid: numberIn(line, subjectEnd + 1, sidEnd), reply, headerBytes, messageBytes }
}

const ZERO = 48
const NINE = 57
const DIGITS_MAX = 15

/** The decimal from `start` to `end`. */
const numberIn = (line: string, start: number, end: number): number => {
  if (start >= end || end - start > DIGITS_MAX) throw unreadable(line)
  let value = 0
  for (let at = start; at < end; at += 1) {
    const digit = line.charCodeAt(at)
    if (digit < ZERO || digit > NINE) throw unreadable(line)
    value = value * 10 + digit - ZERO
  }
  return value
}

const SHOWN_CHARACTERS = 80

const unreadable = (line: string): BrokerProtocolError =>
  new BrokerProtocolError(`a line that no broker sends: ${JSON.stringify(line.slice(0, SHOWN_CHARACTERS))}`)
