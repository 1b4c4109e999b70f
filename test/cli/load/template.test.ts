/** Key templates. */

import { describe, expect, test } from '@jest/globals'
import { TemplateError, parseTemplate } from '../../../cli/load/template.ts'

describe('a template', () => {
  const cases: readonly (readonly [string, string, Record<string, unknown>, string])[] = [
    ['takes a field', '{name}', { name: 'Ada' }, 'Ada'],
    ['puts the part before its dot into the partition', '{country}.{name}-{line}', { country: 'AD', name: 'Ordino' }, '{AD}Ordino-7'],
    ['keeps a dot that comes out of a field', '{name}', { name: 'a.b' }, 'a.b'],
    ['holds text in bytes', 'ö{name}', { name: 'ß' }, '\u00c3\u00b6\u00c3\u009f'],
    ['takes numbers and booleans', '{n}/{b}', { n: 1.5, b: true }, '1.5/true'],
    ['takes an empty field beside others', '{a}-{b}', { a: '', b: 'x' }, '-x'],
    ['is a field\'s name to the letter', '{a b}', { 'a b': 'x' }, 'x'],
  ]
  for (const [name, template, record, expected] of cases) {
    test(name, () => { expect(parseTemplate(template).keyOf(record, 7)).toBe(expected) })
  }

  const bad: readonly (readonly [string, string])[] = [
    ['is empty', ''], ['has two dots', 'a.b.c'], ['has an empty partition', '.a'], ['has an empty key', 'a.'],
    ['has an open brace', '{a'], ['has a closing brace', 'a}'], ['names no field', 'x{}'], ['nests braces', '{a{b}}'],
  ]
  for (const [name, template] of bad) {
    test(`that ${name} is refused`, () => { expect(() => parseTemplate(template)).toThrow(TemplateError) })
  }

  const records: readonly (readonly [string, string, Record<string, unknown>])[] = [
    ['lacks the field', '{a}', {}], ['has null there', '{a}', { a: null }], ['has a list there', '{a}', { a: [] }],
    ['inherits it only', '{toString}', {}], ['gives an empty key', '{a}', { a: '' }], ['gives an empty partition', '{a}.x', { a: '' }],
    ['gives a key that starts with a brace', '{a}', { a: '{x' }], ['gives a partition with a brace', '{a}.x', { a: 'x}' }],
  ]
  for (const [name, template, record] of records) {
    test(`a record that ${name} is refused by its number`, () => {
      expect(() => parseTemplate(template).keyOf(record, 12)).toThrow(/record 12/)
    })
  }
})
