/** What a broker says on a connection: lines, and messages with and without headers, in whatever pieces they come. */

import { between, chance } from '../../actors/kernel/random.ts'
import { BrokerProtocolError, createNatsReader } from '../../bus/natsReader.ts'
import { drawList, drawText, drawWord, one } from '../draw.ts'
import { latin1, refused } from '../target.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Inbound } from '../../bus/port.ts'
import type { Outcome, Target } from '../target.ts'

const LINES = ['PING\r\n', 'PONG\r\n', '+OK\r\n', '-ERR \'Slow Consumer\'\r\n', 'INFO {"headers":true}\r\n']

const drawMessage = (random: Random): string => {
  const target = `kv.${drawWord(random, 6)} ${between(random, 1, 9)}${chance(random, 0.5) ? ` _INBOX.${drawWord(random, 6)}` : ''}`
  const data = drawText(random, 40)
  if (chance(random, 0.6)) return `MSG ${target} ${data.length}\r\n${data}\r\n`
  const block = `NATS/1.0\r\nKv-${drawWord(random, 4)}: ${drawWord(random, 9)}\r\n\r\n`
  return `HMSG ${target} ${block.length} ${block.length + data.length}\r\n${block}${data}\r\n`
}

const told = (sid: number, { subject, reply, data, headers }: Inbound): string =>
  JSON.stringify([sid, subject, reply, [...data], headers === undefined ? null : [...headers]])

const read = (pieces: readonly Uint8Array[]): Outcome => {
  const heard: string[] = []
  const reader = createNatsReader({
    onMessage: (sid, message) => heard.push(told(sid, message)),
    onLine: (line) => heard.push(Buffer.from(line).toString('latin1')),
  })
  try {
    for (const piece of pieces) reader.take(Buffer.from(piece.buffer, piece.byteOffset, piece.length))
  } catch (error) {
    if (error instanceof BrokerProtocolError) return refused(error.message)
    throw error
  }
  return { ok: true, shape: `${Math.min(heard.length, 4)}`, value: heard }
}

export const brokerBytes: Target = {
  name: 'broker bytes', share: 4, isCanonical: false,
  words: [...LINES, 'MSG ', 'HMSG ', '\r\n', ' ', 'NATS/1.0\r\n', ' 0\r\n', ' 1 ', '67108864', '67108865', '999999999999999', '-1'],
  example: (random) => latin1(drawList(random, 4, (r) => (chance(r, 0.3) ? one(r, LINES) : drawMessage(r))).join('')),
  decode: (bytes) => read([bytes]),
  decodePieces: read,
}
