/** A NATS connection as frames: where each ends, and what it is about. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createFrameReader } from '../../chaos/proxy/frames.ts'
import type { Frame } from '../../chaos/proxy/frames.ts'

const STREAM = [
  'INFO {"server_name":"b1"}\r\n',
  'CONNECT {"name":"x"}\r\n',
  'PING\r\n',
  'PUB kv.put.a 5\r\nhe\r\no\r\n',
  'PUB kv.put.a _INBOX.1 0\r\n\r\n',
  'HPUB kv.incr.c _INBOX.1 30 35\r\nNATS/1.0\r\nKv-Request-Id: 7\r\n\r\n\r\n\r\n1\r\n',
  'MSG skv.1.node.n1.n2 9 4\r\nPUB \r\n',
  '+OK\r\n',
].join('')

const read = (chunks: readonly Buffer[]): readonly Frame[] => {
  const reader = createFrameReader()
  return chunks.flatMap((chunk) => reader.read(chunk))
}

describe('the frames of a connection', () => {
  const whole = read([Buffer.from(STREAM)])

  test('are what was sent, nothing lost and nothing added', () => {
    expect(Buffer.concat(whole.map(({ bytes }) => bytes)).toString()).toBe(STREAM)
    expect(whole.map(({ subject }) => subject))
      .toEqual([null, null, null, 'kv.put.a', 'kv.put.a', 'kv.incr.c', 'skv.1.node.n1.n2', null])
    expect(whole[5]?.headers).toContain('Kv-Request-Id: 7')
  })

  test('are the same however the bytes are cut', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (sizes) => {
      const chunks: Buffer[] = []
      for (let at = 0, i = 0; at < STREAM.length; i += 1) {
        const size = sizes[i % sizes.length] ?? 1
        chunks.push(Buffer.from(STREAM.slice(at, at + size)))
        at += size
      }
      expect(read(chunks).map(({ bytes }) => bytes.toString())).toEqual(whole.map(({ bytes }) => bytes.toString()))
    }))
  })
})
