/** Messages and lines, cut out of what a broker says in whatever pieces it comes; and what no broker says. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { BrokerProtocolError, LINE_BYTES_MAX, MESSAGE_BYTES_MAX, createNatsReader } from '../../bus/natsReader.ts'
import type { Inbound } from '../../bus/port.ts'

interface Heard extends Omit<Inbound, 'data'> {
  readonly sid: number
  readonly text: string
}

const hear = (pieces: readonly Buffer[]): readonly (Heard | string)[] => {
  const heard: (Heard | string)[] = []
  const reader = createNatsReader({
    onMessage: (sid, { data, ...message }) => heard.push({ sid, ...message, text: Buffer.from(data).toString() }),
    onLine: (line) => heard.push(Buffer.from(line).toString()),
  })
  for (const piece of pieces) reader.take(piece)
  return heard
}

const HEADERS = 'NATS/1.0\r\nKv-Status: OK\r\n\r\n'
const said = 'PING\r\n'
  + 'MSG kv.get.a 7 5\r\nhello\r\n'
  + 'MSG kv.get.b 8 _INBOX.x 0\r\n\r\n'
  + '-ERR \'Permissions Violation for Publish to "a"\'\r\n'
  + `HMSG kv.größe 9 ${HEADERS.length} ${HEADERS.length + 7}\r\n${HEADERS}MSG a 1\r\n`
  + `HMSG kv.d 10 _INBOX.y ${HEADERS.length} ${HEADERS.length}\r\n${HEADERS}\r\n`
  + '+OK\r\n'
const meant = [
  'PING\r\n',
  { sid: 7, subject: 'kv.get.a', reply: '', text: 'hello' },
  { sid: 8, subject: 'kv.get.b', reply: '_INBOX.x', text: '' },
  '-ERR \'Permissions Violation for Publish to "a"\'\r\n',
  { sid: 9, subject: 'kv.größe', reply: '', text: 'MSG a 1', headers: new Map([['Kv-Status', 'OK']]) },
  { sid: 10, subject: 'kv.d', reply: '_INBOX.y', text: '', headers: new Map([['Kv-Status', 'OK']]) },
  '+OK\r\n',
]

const cut = (bytes: Buffer, places: readonly number[]): readonly Buffer[] => {
  const ends = [...new Set([...places, bytes.length])].sort((a, b) => a - b)
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end))
}

describe('what a broker says', () => {
  test('is cut into messages and lines', () => {
    expect(hear([Buffer.from(said)])).toEqual(meant)
  })

  test('is the same in whatever pieces it comes', () => {
    const bytes = Buffer.from(said)
    expect(hear(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)))).toEqual(meant)
    fc.assert(fc.property(fc.array(fc.nat(bytes.length)), (places) => {
      expect(hear(cut(bytes, places))).toEqual(meant)
    }))
  })

  test('has an empty reply in some of its own messages: then none is wanted', () => {
    expect(hear([Buffer.from('MSG $SYS.ACCOUNT.A.CONNECT 1  2\r\n{}\r\n')]))
      .toEqual([{ sid: 1, subject: '$SYS.ACCOUNT.A.CONNECT', reply: '', text: '{}' }])
  })

  test('may begin with the rest of a line, whatever its first letter is', () => {
    const lines: string[] = []
    const reader = createNatsReader({
      onMessage: () => {}, onLine: (line) => lines.push(Buffer.from(line).toString()), isWithinLine: true,
    })
    reader.take(Buffer.from('MSG'))
    reader.take(Buffer.from('"}\r\nPING\r\n'))
    expect(lines).toEqual(['MSG"}\r\n', 'PING\r\n'])
  })

  test('is handed on without a copy when it came whole, and as plain bytes, of which a slice is a copy', () => {
    const chunk = Buffer.from('MSG a 1 5\r\nhello\r\n')
    const seen: Uint8Array[] = []
    createNatsReader({ onMessage: (_, { data }) => seen.push(data), onLine: () => {} }).take(chunk)
    expect(seen[0]?.buffer).toBe(chunk.buffer)
    expect(Buffer.isBuffer(seen[0])).toBe(false)
  })

  test('of a large message waits as it came, and is joined once, however many pieces it has', () => {
    const data = Buffer.alloc(1_000_000, 'x')
    const bytes = Buffer.concat([Buffer.from(`MSG a 1 ${data.length}\r\n`), data, Buffer.from('\r\nPING\r\n')])
    const concat = Buffer.concat.bind(Buffer)
    let joins = 0
    Buffer.concat = (...args) => {
      joins += 1
      return concat(...args)
    }
    try {
      const pieces = cut(bytes, Array.from({ length: bytes.length / 1_000 }, (_, at) => at * 1_000))
      expect(hear(pieces)).toEqual([{ sid: 1, subject: 'a', reply: '', text: data.toString() }, 'PING\r\n'])
    } finally {
      Buffer.concat = concat
    }
    // One more when the first piece ends: then the line is known. One for the rest of the last line.
    expect(joins).toBeLessThanOrEqual(3)
  })
})

describe('what no broker says is refused', () => {
  test.each([
    ['another word', 'MESSAGE a 1 5\r\n'],
    ['a word that ends early', 'MS\r\n'],
    ['too few fields', 'MSG a 5\r\n'],
    ['too many fields', 'MSG a 1 b c 5\r\n'],
    ['an id that is no number', 'MSG a x 5\r\n'],
    ['a length that is no number', 'MSG a 1 five\r\n'],
    ['a negative length', 'MSG a 1 -5\r\n'],
    ['no subject', 'MSG  1 5\r\n'],
    ['more than a broker allows', `MSG a 1 ${MESSAGE_BYTES_MAX + 1}\r\n`],
    ['more headers than message', 'HMSG a 1 6 5\r\n'],
    ['a message with headers and one length', 'HMSG a 1 5\r\n'],
  ])('%s', (_name, text) => {
    expect(() => hear([Buffer.from(text)])).toThrow(BrokerProtocolError)
  })

  test('a line without an end', () => {
    const pieces = Array.from({ length: 18 }, () => Buffer.alloc(LINE_BYTES_MAX / 16, 'P'))
    expect(() => hear(pieces)).toThrow(/a line of more than 1048576 bytes/)
    expect(hear(pieces.slice(2))).toEqual([])
  })
})
