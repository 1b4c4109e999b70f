/** The control plane's codec: plain data in, plain data out, and never an exception on input. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { CONTROL_BYTES_MAX, decodeControl, encodeControl } from '../../bus/codec/control.ts'

const fieldName = fc.string({ maxLength: 6 }).filter((name) => name !== '__proto__' && !/^\d+$/.test(name))

/** The list or record behind it gets a name, and is meant wherever the reference is. */
const NAMED = [0xd6, 0x69, 0, 0, 0, 1]
const REFERENCE = [0xd6, 0x70, 0, 0, 0, 1]
/** A record with the key that is given, by a definition that a byte repeats. */
const defined = (key: string): readonly number[] => [0xd4, 0x72, 0x40, 0x91, 0xa0 + key.length, ...Buffer.from(key), 0xc0]

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
    ['a list that holds itself', new Uint8Array([1, ...NAMED, 0x91, ...REFERENCE])],
    ['a string that is not all there', new Uint8Array([1, 0xda, 0, 9, 0x61])],
    ['a length that is not all there', new Uint8Array([1, 0xdb, 0, 0])],
    ['a kind that is never used', new Uint8Array([1, 0xc1])],
    ['more values than a message has', new Uint8Array([1, 0xdd, 0, 2, 0, 1, ...new Uint8Array(131_073)])],
    ['an infinity', new Uint8Array([1, 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0])],
  ])('of %s is refused', (_name, bytes) => {
    expect(decodeControl(bytes)).toBeUndefined()
  })

  /** What a library makes of an extension is not bounded by its bytes: a list that holds itself a thousand times never ends. */
  test('of kinds that take more room than their bytes is refused before anything is made of it', () => {
    expect(decodeControl(new Uint8Array([1, 0x92, ...NAMED, 0x91, 0xc0, ...REFERENCE]))).toBeUndefined()
    expect(decodeControl(new Uint8Array([1, ...defined('word')]))).toBeUndefined()
    const itself = [...NAMED, 0xdc, 0x03, 0xe8, ...Array.from({ length: 1_000 }, () => REFERENCE).flat()]
    expect(decodeControl(new Uint8Array([1, ...itself]))).toBeUndefined()
    const records = [0xdd, 0, 1, 0, 0, ...defined('1023'), ...Array.from({ length: 65_535 }, () => [0x40, 0xc0]).flat()]
    expect(decodeControl(new Uint8Array([1, ...records]))).toBeUndefined()
  })

  test('of eight levels is taken, of nine it is not', () => {
    const nest = (levels: number): Uint8Array => new Uint8Array([1, ...Array.from({ length: levels }, () => 0x91), 0xc0])
    expect([decodeControl(nest(8)), decodeControl(nest(9))]).toEqual([[[[[[[[[null]]]]]]]], undefined])
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
