/** The log in memory: positions, budgets, searching by term, cutting, compacting. */

import fc from 'fast-check'
import { describe, expect, test } from '@jest/globals'
import {
  appendEntry, bytesBetween, bytesOf, compactTo, createLog, entriesBetween, entriesWithin, entryAt, lastIndexOf, lastNotAbove, lastTermOf,
  resetTo, termAt, truncateFrom,
} from '../../../actors/raft/log.ts'
import { must } from '../../../actors/kernel/assert.ts'
import { crc32 } from '../../../storage/crc.ts'
import { entriesOf } from '../../support/raftScript.ts'
import type { Log } from '../../../actors/raft/log.ts'
import type { Entry } from '../../../actors/raft/protocol.ts'

const logOf = (base: number, ...terms: number[]): Log => createLog({ index: base, term: base === 0 ? 0 : 1 }, entriesOf(base + 1, ...terms))

const heldBy = (log: Log): Entry[] => entriesBetween(log, log.base.index + 1, lastIndexOf(log))

/** Of payloads, whoever may still ask for them. */
const bytesHeldFor = ({ packed: { payloads: { blocks, large } } }: Log): number =>
  [...blocks, ...large.values()].reduce((sum, { buffer }) => sum + buffer.byteLength, 0)

/** `toEqual` looks at bytes one by one. */
const lineOf = ({ term, index, kind, payload }: Entry): string => `${index}/${term} ${kind} ${payload.length} ${crc32(payload)}`

describe('the log', () => {
  test('knows the terms from its base to its last entry', () => {
    const log = logOf(10, 1, 2, 2)
    expect([9, 10, 11, 12, 13, 14].map((index) => termAt(log, index))).toEqual([undefined, 1, 1, 2, 2, undefined])
    expect([lastIndexOf(log), lastTermOf(log), entryAt(log, 10), entryAt(log, 13)?.term]).toEqual([13, 2, undefined, 2])
  })

  test.each([
    ['an index that does not follow', { index: 5, term: 2 }, /follows/],
    ['a term that falls', { index: 4, term: 1 }, /not below/],
  ])('refuses %s', (_, position, message) => {
    const log = logOf(0, 1, 2, 2)
    expect(() => appendEntry(log, { ...position, kind: 0, payload: new Uint8Array(0) })).toThrow(message)
  })

  test('keeps nothing of the messages that entries come in, and no block after the last entry in it', () => {
    const log = logOf(0)
    const message = Buffer.alloc(512 * 1_024)
    for (let index = 1; index <= 1_000; index += 1) {
      const payload = message.subarray(index, index + (index % 10 === 0 ? 20_000 : 100)).fill(index & 0xff)
      appendEntry(log, { term: 1, index, kind: 1, payload })
      message.fill(0)
    }
    expect(heldBy(log).every(({ index, payload }) => payload.every((byte) => byte === (index & 0xff)))).toBe(true)
    expect(heldBy(log).slice(0, 3).map(({ payload }) => payload.buffer.byteLength)).toEqual([1_024, 1_024, 1_024])
    expect(bytesHeldFor(log)).toBeLessThan(1.1 * (100 * 20_000 + 900 * 100))
    compactTo(log, 999, { entriesMax: 0, bytesMax: 0 })
    expect([heldBy(log).length, bytesHeldFor(log) <= 64 * 1_024 + 20_000]).toEqual([1, true])
    compactTo(log, 1_000, { entriesMax: 0, bytesMax: 0 })
    expect([heldBy(log).length, bytesHeldFor(log) <= 64 * 1_024]).toEqual([0, true])
  })

  test('writes nothing where an entry was that is cut: the disk may still be given it', () => {
    const log = logOf(0)
    appendEntry(log, { term: 1, index: 1, kind: 1, payload: Uint8Array.of(1, 1, 1) })
    const cut = entryAt(log, 1)
    truncateFrom(log, 1)
    appendEntry(log, { term: 2, index: 1, kind: 1, payload: Uint8Array.of(2, 2, 2) })
    expect([[...cut?.payload ?? []], [...entryAt(log, 1)?.payload ?? []]]).toEqual([[1, 1, 1], [2, 2, 2]])
  })

  test('keeps no block of what is cut, and writes on in none that was handed out', () => {
    const log = logOf(0, 1)
    const payload = new Uint8Array(8_000).fill(2)
    for (let index = 2; index <= 1_000; index += 1) appendEntry(log, { term: 1, index, kind: 1, payload })
    const cut = must(entryAt(log, 2), 'the second')
    truncateFrom(log, 2)
    expect(bytesHeldFor(log)).toBeLessThanOrEqual(64 * 1_024)
    appendEntry(log, { term: 2, index: 2, kind: 1, payload: Uint8Array.of(9, 9, 9) })
    expect([cut.payload[0], [...entryAt(log, 2)?.payload ?? []]]).toEqual([2, [9, 9, 9]])
  })

  test('gives entries between two indexes, both included', () => {
    expect(entriesBetween(logOf(5, 1, 1, 1, 1), 7, 8).map(({ index }) => index)).toEqual([7, 8])
    expect(entriesBetween(logOf(5, 1), 7, 6)).toEqual([])
  })

  test('gives entries within a byte budget, and the first one always', () => {
    const log = logOf(0, 1, 1, 1)
    const bytes = bytesOf(heldBy(log)[0] as Entry)
    expect([0, bytes, 2 * bytes - 1, 2 * bytes, 9 * bytes].map((budget) => entriesWithin(log, 1, budget).length)).toEqual([1, 1, 1, 2, 3])
    expect(entriesWithin(log, 4, 1_000)).toEqual([])
  })

  test('cuts from an index on, never at its base', () => {
    const log = logOf(5, 1, 2, 3)
    truncateFrom(log, 7)
    expect(lastIndexOf(log)).toBe(6)
    truncateFrom(log, 9)
    expect(lastIndexOf(log)).toBe(6)
    expect(() => truncateFrom(log, 5)).toThrow(/after the base/)
  })

  test('forgets everything for a snapshot', () => {
    const log = logOf(0, 1, 1)
    resetTo(log, { index: 50, term: 7 })
    expect([lastIndexOf(log), lastTermOf(log), termAt(log, 2)]).toEqual([50, 7, undefined])
  })

  test('compacts to an index and keeps a tail bounded by entries and by bytes', () => {
    for (const [entriesMax, bytesMax, base] of [[0, 1e9, 8], [2, 1e9, 6], [9, 80, 6], [9, 1e9, 5]] as const) {
      const log = logOf(5, 1, 1, 2, 2, 3)
      compactTo(log, 8, { entriesMax, bytesMax })
      expect([log.base.index, lastIndexOf(log), termAt(log, 8), termAt(log, 10)]).toEqual([base, 10, 2, 3])
    }
  })

  test('is what a plain list of entries is, whatever is appended, cut and forgotten', () => {
    const length = fc.oneof({ weight: 4, arbitrary: fc.nat(3_000) }, fc.constant(0), fc.integer({ min: 8_190, max: 70_000 }))
    const share = fc.integer({ min: 0, max: 100 })
    const step = fc.oneof(
      { weight: 20, arbitrary: fc.record({ length, fill: fc.nat(255), rise: fc.constantFrom(0, 0, 0, 1, 2 ** 33), kind: fc.nat(2) }) },
      fc.record({ cutTo: share }),
      fc.record({ compactTo: share, entriesMax: fc.constantFrom(0, 3, 100), bytesMax: fc.constantFrom(0, 500, 1e9) }),
      fc.constant('reset' as const),
    )
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const log = logOf(0)
      let model: Entry[] = []
      for (const one of steps) {
        if (one === 'reset') {
          resetTo(log, { index: lastIndexOf(log) + 5, term: lastTermOf(log) })
          model = []
        } else if ('cutTo' in one) {
          model = model.slice(0, Math.floor(model.length * one.cutTo / 100))
          truncateFrom(log, log.base.index + model.length + 1)
        } else if ('compactTo' in one) {
          compactTo(log, log.base.index + Math.floor(model.length * one.compactTo / 100), one)
          model = model.slice(model.length - (lastIndexOf(log) - log.base.index))
        } else {
          const payload = new Uint8Array(one.length).fill(one.fill)
          const entry = { term: lastTermOf(log) + one.rise, index: lastIndexOf(log) + 1, kind: one.kind as Entry['kind'], payload }
          appendEntry(log, entry)
          model.push({ ...entry, payload: payload.slice() })
          payload.fill(0)
        }
        expect(heldBy(log).map(lineOf)).toEqual(model.map(lineOf))
        expect(model.every(({ index, term }) => termAt(log, index) === term)).toBe(true)
        expect(bytesBetween(log, 0, Number.MAX_SAFE_INTEGER)).toBe(model.reduce((sum, entry) => sum + bytesOf(entry), 0))
        expect(log.packed.payloads.large.size).toBe(model.filter(({ payload }) => payload.length > 8_192).length)
        if (model.length === 0) expect(bytesHeldFor(log)).toBeLessThanOrEqual(64 * 1_024)
      }
    }), { numRuns: 150 })
  })

  test('lastNotAbove is the last position at or below an index with a term at most the given one', () => {
    const steps = fc.array(fc.nat(2), { minLength: 0, maxLength: 12 })
    fc.assert(fc.property(fc.nat(3), steps, fc.nat(20), fc.nat(12), (base, rises, index, term) => {
      let last = base === 0 ? 0 : 1
      const log = logOf(base, ...rises.map((rise) => (last += rise)))
      let dumb = log.base.index - 1
      for (let at = log.base.index; at <= Math.min(index, lastIndexOf(log)); at += 1) if ((termAt(log, at) ?? 99) <= term) dumb = at
      expect(lastNotAbove(log, index, term)).toEqual({ index: dumb, term: termAt(log, dumb) ?? 0 })
    }), { numRuns: 1_000 })
  })
})
