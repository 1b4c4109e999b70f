/** What waits to be written leaves once, in order, and is nobody else's afterwards. */

import { describe, expect, test } from '@jest/globals'
import { createSendBuffer } from '../../bus/sendBuffer.ts'
import { sentHeaders } from '../../bus/sentHeaders.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

describe('a send buffer', () => {
  test('keeps what it is given in one row, in order, until it is drained', () => {
    const buffer = createSendBuffer()
    expect([buffer.size(), buffer.length()]).toEqual([0, 0])
    buffer.message('PUB größe 5\r\n', Buffer.from('hello'))
    buffer.fill(Buffer.from('PING\r\n'), Buffer.from(''))
    buffer.message('PUB b 0\r\n', new Uint8Array(0))
    const row = 'PUB größe 5\r\nhello\r\nPING\r\nPUB b 0\r\n\r\n'
    expect([buffer.size(), buffer.length()]).toEqual([Buffer.byteLength(row), 1])
    expect(text(buffer.drain())).toBe(row)
    expect([buffer.size(), text(buffer.drain())]).toEqual([0, ''])
  })

  test('copies what it is given, and never writes to what was drained: the socket may still hold it', () => {
    const buffer = createSendBuffer()
    const data = Buffer.alloc(1_000, 'a')
    const rows: Uint8Array[] = []
    for (let n = 0; n < 300; n += 1) {
      buffer.message(`PUB ${n} 1000\r\n`, data)
      rows.push(buffer.drain())
    }
    data.fill('b')
    rows.forEach((row, n) => expect(text(row)).toBe(`PUB ${n} 1000\r\n${'a'.repeat(1_000)}\r\n`))
  })

  test('takes what is larger than a block, behind what waits already', () => {
    const buffer = createSendBuffer()
    buffer.fill(Buffer.from('PING\r\n'))
    buffer.message('PUB a 1000000\r\n', Buffer.alloc(1_000_000, 'x'))
    buffer.fill(Buffer.from('PONG\r\n'))
    expect(text(buffer.drain())).toBe(`PING\r\nPUB a 1000000\r\n${'x'.repeat(1_000_000)}\r\nPONG\r\n`)
  })

  test('forgets what waits when the connection is lost', () => {
    const buffer = createSendBuffer()
    buffer.fill(Buffer.from('lost'))
    buffer.reset()
    buffer.fill(Buffer.from('PING\r\n'))
    expect(text(buffer.drain())).toBe('PING\r\n')
  })
})

describe('headers that leave', () => {
  test('are a block of lines', () => {
    expect(sentHeaders(new Map([['Kv-Status', 'OK'], ['Kv-Empty', '']]))).toBe('NATS/1.0\r\nKv-Status: OK\r\nKv-Empty: \r\n\r\n')
    expect([sentHeaders(new Map()), sentHeaders(undefined)]).toEqual(['', ''])
  })

  test.each([['A B', 'x'], ['A:', 'x'], ['', 'x'], ['A\r\nB', 'x'], ['Ä', 'x'], ['A', 'x\r\nB: y'], ['A', 'x\n']])(
    'are not %j with %j, which would be another header', (name, value) => {
      expect(() => sentHeaders(new Map([[name, value]]))).toThrow(TypeError)
    },
  )
})
