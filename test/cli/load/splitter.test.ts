/** The record splitter: any chunking gives the same records, and what is no such file is refused. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { RECORD_BYTES_MAX, SplitError, createSplitter } from '../../../cli/load/splitter.ts'

const split = (...chunks: (string | Uint8Array)[]): string[] => {
  const splitter = createSplitter()
  const records = chunks.flatMap((chunk) => splitter.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk))
  return [...records, ...splitter.end()].map((record) => Buffer.from(record).toString())
}

describe('lines', () => {
  test('one record a line, blank lines and a missing last line end do not matter', () => {
    expect(split('{"a":1}\r\n\n{"a":2}\n  \n{"a":3}')).toEqual(['{"a":1}\r', '{"a":2}', '{"a":3}'])
  })

  test('a byte order mark is passed over', () => {
    expect(split('\ufeff{"a":1}\n')).toEqual(['{"a":1}'])
  })

  test('an empty file has no records', () => {
    expect([split(''), split(' \n\n')]).toEqual([[], []])
  })
})

describe('an array', () => {
  test('its elements, with brackets and braces inside of strings and escapes', () => {
    const elements = ['{"a":"}],{"}', '{"b":[1,{"c":"\\"]"}]}', '{}', '{"d":"\\\\"}']
    expect(split(` [ ${elements.join(' ,\n ')} ] \n`)).toEqual(elements)
  })

  test('may be empty', () => {
    expect(split('[ ]\n')).toEqual([])
  })

  const bad: readonly (readonly [string, string])[] = [
    ['that ends in the middle', '[{"a":1},{"b"'],
    ['without its bracket', '[{"a":1}'],
    ['with a comma too many', '[{"a":1},]'],
    ['with a comma missing', '[{"a":1}{"b":2}]'],
    ['of numbers', '[1,2]'],
    ['with something behind it', '[{"a":1}] {"b":2}'],
  ]
  for (const [name, text] of bad) test(`${name} is refused`, () => { expect(() => split(text)).toThrow(SplitError) })
})

test('a record longer than a value may be is refused before it is gathered', () => {
  const half = `"${'x'.repeat(RECORD_BYTES_MAX / 2)}`
  expect(() => split('[{"a":', half, half, half)).toThrow(/record 1 is longer/)
  expect(() => split('{"a":', half, half, half)).toThrow(/record 1 is longer/)
})

const records = fc.array(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 4 }), { maxLength: 8 })

test('law: any chunking of an array or of lines gives the records that were written', () => {
  fc.assert(fc.property(records, fc.boolean(), fc.array(fc.nat(40), { minLength: 1, maxLength: 30 }), (values, isArray, sizes) => {
    const texts = values.map((value) => JSON.stringify(value))
    const bytes = Buffer.from(isArray ? `[${texts.join(',\n')}]` : texts.map((text) => `${text}\n`).join(''))
    const chunks: Uint8Array[] = []
    for (let at = 0, i = 0; at < bytes.length; i += 1) {
      const size = 1 + (sizes[i % sizes.length] ?? 0)
      chunks.push(bytes.subarray(at, at + size))
      at += size
    }
    expect(split(...chunks)).toEqual(texts)
  }))
})
