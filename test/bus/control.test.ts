/** The control plane's codec: plain data in, plain data out, and never an exception on input. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CONTROL_BYTES_MAX, decodeControl, encodeControl } from '../../bus/codec/control.ts'

const fieldName = fc.string({ maxLength: 6 }).filter((name) => name !== '__proto__' && !/^\d+$/.test(name))

describe('a control message', () => {
  test('carries plain data', () => {
    const plain = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', maxDepth: 4 },
        fc.constant(null), fc.boolean(), fc.maxSafeInteger(), fc.string({ maxLength: 12 }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fieldName, tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).value
    fc.assert(fc.property(plain, (value) => {
      expect(decodeControl(encodeControl(value))).toEqual(value)
    }))
  })

  test('shares no memory with the transport', () => {
    const bytes = encodeControl({ blob: new Uint8Array([1, 2, 3]), name: 'n1' })
    const value = decodeControl(bytes)
    bytes.fill(0xdb)
    expect(value).toEqual({ blob: Buffer.from([1, 2, 3]), name: 'n1' })
  })

  test.each([
    ['nothing', new Uint8Array(0)],
    ['a version alone', new Uint8Array([1])],
    ['another version', new Uint8Array([2, 0xc0])],
    ['too many bytes', new Uint8Array(CONTROL_BYTES_MAX + 1).fill(1)],
    ['a byte too many', new Uint8Array([1, 0xc0, 0xc0])],
    ['a list that is not there', new Uint8Array([1, 0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['a nest too deep', new Uint8Array([1, ...Array.from({ length: 20 }, () => 0x91), 0xc0])],
    ['an extension (a date)', new Uint8Array([1, 0xd6, 0xff, 0, 0, 0, 0])],
    ['a record with a number for a key (884)', new Uint8Array([1, 0x81, 0xcd, 0x03, 0x74, 0xc0])],
    ['a record with digits for a key', new Uint8Array([1, 0x81, 0xa3, 0x38, 0x38, 0x34, 0xc0])],
    ['a record that names its kind', new Uint8Array([1, 0x81, 0xa9, ...Buffer.from('__proto__'), 0x80])],
    ['an infinity', new Uint8Array([1, 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0])],
  ])('of %s is refused', (_name, bytes) => {
    expect(decodeControl(bytes)).toBeUndefined()
  })

  test('with any byte changed is refused or plain data, and never throws', () => {
    const bytes = encodeControl({ boot: 'abc', leads: [[1, 2], [3, 400_000]], state: 'serving', ok: true, none: null, part: 0.5 })
    for (let at = 0; at < bytes.length; at += 1) {
      for (let value = 0; value < 256; value += 1) {
        const changed = bytes.slice()
        changed[at] = value
        const decoded = decodeControl(changed)
        if (decoded !== undefined) expect(() => encodeControl(decoded)).not.toThrow()
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      expect(() => decodeControl(Buffer.concat([Buffer.from([1]), noise]))).not.toThrow()
    }), { numRuns: 3_000 })
  })

  test('that is not plain, or too large, is not sent', () => {
    expect(() => encodeControl(new Date())).toThrow(/plain data/)
    expect(() => encodeControl({ run: () => 1 })).toThrow(/plain data/)
    expect(() => encodeControl({ 884: 1 })).toThrow(/keys are words/)
    expect(() => encodeControl(Array.from({ length: 65_536 }, () => 0))).toThrow(/plain data/)
    expect(() => encodeControl('x'.repeat(CONTROL_BYTES_MAX))).toThrow(/at most 458752 bytes/)
  })
})
