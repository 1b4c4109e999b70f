/** The ring's laws: bounded in bytes, in order, the newest stay, and what goes is counted. */

import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { bytesOf, createRing } from '../../../observe/recorder/ring.ts'
import type { Entry } from '../../../observe/recorder/ring.ts'

const entryOf = (seq: number, event: string): Entry => ({ at: seq, seq, what: { actor: 'node', kind: 'note', event } })
const numbers = (entries: Iterable<Entry>): number[] => [...entries].map(({ seq }) => seq)

const events = fc.array(fc.string({ maxLength: 40 }), { maxLength: 400 })

describe('a ring', () => {
  test('never holds more bytes than it may, and always the newest that fit, in order', () => {
    fc.assert(fc.property(events, fc.integer({ min: 0, max: 8_000 }), (texts, bytesMax) => {
      const ring = createRing(bytesMax)
      const entries = texts.map((event, i) => entryOf(i + 1, event))
      for (const entry of entries) {
        ring.push(entry)
        expect(ring.bytes()).toBeLessThanOrEqual(bytesMax)
      }
      const kept = numbers(ring.after(0))
      expect(kept).toEqual(numbers(entries.slice(entries.length - kept.length)))
      expect(ring.bytes()).toBe(entries.slice(entries.length - kept.length).reduce((sum, entry) => sum + bytesOf(entry), 0))
      expect(ring.dropped()).toBe(entries.length - kept.length)
      const next = entries[entries.length - kept.length - 1]
      if (next !== undefined) expect(ring.bytes() + bytesOf(next)).toBeGreaterThan(bytesMax)
      expect(ring.newestDropped()).toBe(next)
    }), { numRuns: 200 })
  })

  test('reckons no text as less than it takes, whatever its letters, wherever it stands', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 })
    fc.assert(fc.property(text, text, text, text, (event, because, peer, value) => {
      const what = { actor: 'door', kind: 'phase' as const, event, because, peer, detail: { key: value, again: 1 } }
      const taken = [event, because, peer, value].reduce((sum, each) => sum + Buffer.byteLength(each, 'utf16le'), 0)
      expect(bytesOf({ at: 1, seq: 1, what }) - bytesOf({ at: 1, seq: 1, what: { actor: 'door', kind: 'phase', event: '' } }))
        .toBeGreaterThanOrEqual(taken)
    }))
  })

  test('is read from any number on', () => {
    fc.assert(fc.property(events, fc.integer({ min: 0, max: 500 }), (texts, after) => {
      const ring = createRing(20_000)
      texts.forEach((event, i) => { ring.push(entryOf((i + 1) * 2, event)) })
      expect(numbers(ring.after(after))).toEqual(numbers(ring.after(0)).filter((seq) => seq > after))
    }), { numRuns: 100 })
  })

  test('of thousands of entries gives back what lies before the first', () => {
    const ring = createRing(200 * 1_000)
    for (let seq = 1; seq <= 20_000; seq += 1) ring.push(entryOf(seq, ''))
    const kept = numbers(ring.after(0))
    expect(kept.at(-1)).toBe(20_000)
    expect(kept.length + ring.dropped()).toBe(20_000)
  })
})
