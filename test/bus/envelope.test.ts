/** The envelope, and the bytes it is made of. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createWriter, writeBytes, writeShortText, writeText, writeU8, written } from '../../bus/bytes.ts'
import { clusterHashOf, openEnvelope, writeEnvelope } from '../../bus/envelope.ts'
import { bootId, clusterId } from '../../topology/ids.ts'
import type { Envelope } from '../../bus/envelope.ts'

const hex = (digits: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: digits / 2, maxLength: digits / 2 }).map((bytes) => Buffer.from(bytes).toString('hex'))

const envelopes: fc.Arbitrary<Envelope> = fc.record({
  boot: hex(16).map(bootId),
  clusterHash: fc.integer({ min: 0, max: 0xffff_ffff }),
  trace: fc.record({ traceId: hex(32), spanId: hex(16), flags: fc.integer({ min: 0, max: 255 }) }),
}, { requiredKeys: ['boot', 'clusterHash'] })

const bytesOf = (envelope: Envelope): Buffer => {
  const writer = createWriter(100, 4)
  writeEnvelope(writer, envelope)
  return Buffer.from(written(writer))
}

const plain: Envelope = { boot: bootId('00112233445566ff'), clusterHash: clusterHashOf(clusterId('0123456789abcdef')) }

describe('an envelope', () => {
  test('opens as it was closed; its trace context takes 25 bytes and is there only when there is one', () => {
    fc.assert(fc.property(envelopes, (envelope) => {
      const bytes = bytesOf(envelope)
      const opened = openEnvelope(bytes)
      expect(opened).toMatchObject({ ok: true, envelope })
      expect(opened.ok && opened.body.offset).toBe(bytes.length)
      expect(bytes.length).toBe(envelope.trace === undefined ? 15 : 40)
    }))
  })

  test.each([
    ['version', 0, 2, /version 2 is not known/],
    ['kind', 1, 9, /kind 9 is not known/],
    ['flags', 2, 2, /flags 2 are not known/],
    ['flags', 2, 0x81, /flags 129 are not known/],
  ])('with an unknown %s is refused by name', (refusal, at, value, detail) => {
    const bytes = bytesOf(plain)
    bytes[at] = value
    expect(openEnvelope(bytes)).toMatchObject({ ok: false, refusal, detail: expect.stringMatching(detail) })
  })

  test('that is cut short is refused at every length', () => {
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1 }
    const bytes = bytesOf({ ...plain, trace })
    for (let length = 0; length < bytes.length; length += 1) {
      expect(openEnvelope(bytes.subarray(0, length))).toMatchObject({ ok: false, refusal: 'truncated' })
    }
  })

  test('can stand anywhere in a larger buffer and be any Uint8Array', () => {
    const bytes = bytesOf(plain)
    const larger = new Uint8Array(bytes.length + 20)
    larger.set(bytes, 10)
    expect(openEnvelope(larger.subarray(10, 10 + bytes.length))).toMatchObject({ ok: true, envelope: plain })
  })
})

describe('a writer', () => {
  test('grows up to its limit, and beyond it is a bug', () => {
    const writer = createWriter(10, 1)
    for (let i = 0; i < 10; i += 1) writeU8(writer, i)
    expect([...written(writer)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(() => writeU8(writer, 10)).toThrow(/at most 10 bytes/)
    expect(() => writeBytes(createWriter(10), new Uint8Array(7))).toThrow(/at most 10 bytes/)
  })

  test('refuses texts that their length field can not name', () => {
    expect(() => writeShortText(createWriter(1_000), 'x'.repeat(256))).toThrow(/255/)
    expect(() => writeText(createWriter(100_000), 'x'.repeat(65_536))).toThrow(/65,535/)
  })
})
