/**
 * The linearizability checker against one that tries everything: every order, every operation of unknown outcome done or not, and under
 * every revision. Histories of a handful of operations on one key, some of them with an answer that was changed.
 */

import { expect, test } from '@jest/globals'
import { between, createRandom } from '../../actors/kernel/random.ts'
import { checkLinearizability } from '../../sim/linearizability.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'

const HISTORIES = 3_000
const OPERATIONS_MAX = 6
const REVISION_MAX = 7

interface Key { readonly value: string | null; readonly revision: number; readonly last: number }

/** What the operation answers, and what the key is then, where it takes this revision if it writes. */
const run = ({ value, revision, last }: Key, call: Call, next: number): { readonly outcome: Outcome; readonly after: Key } => {
  const same = { value, revision, last }
  const answered = (status: 'OK' | 'NOT_FOUND' | 'CONFLICT' | 'INVALID', at: number, seen?: string): Outcome =>
    ({ kind: 'answered', status, revision: at, ...(seen === undefined ? {} : { value: seen }) })
  const written = (to: string, shown?: string) =>
    ({ outcome: answered('OK', next, shown), after: { value: to, revision: next, last: next } })
  switch (call.kind) {
    case 'get': return { outcome: value === null ? answered('NOT_FOUND', 0) : answered('OK', revision, value), after: same }
    case 'put': return written(call.value)
    case 'cas': return call.ifRevision === revision ? written(call.value) : { outcome: answered('CONFLICT', revision), after: same }
    case 'del': return value === null
      ? { outcome: answered('NOT_FOUND', 0), after: same }
      : { outcome: answered('OK', next), after: { value: null, revision: 0, last: next } }
    case 'incr': {
      if (value !== null && !/^\d+$/.test(value)) return { outcome: answered('INVALID', 0), after: same }
      const sum = String(Number(value ?? 0) + call.amount)
      return written(sum, sum)
    }
    case 'touch': throw new Error('keys that expire are not searched')
  }
}

const tryEverything = (key: Key, rest: readonly HistoryOperation[]): boolean => {
  if (rest.every(({ outcome }) => outcome.kind === 'unknown')) return true
  const end = Math.min(...rest.map(({ completedAt }) => completedAt))
  return rest.some((operation) => {
    if (operation.invokedAt > end) return false
    const others = rest.filter((other) => other !== operation)
    return revisionsOf(key, operation).some((next) => {
      const { outcome, after } = run(key, operation.call, next)
      const isRight = operation.outcome.kind === 'unknown' || JSON.stringify(outcome) === JSON.stringify(operation.outcome)
      return isRight && tryEverything(after, others)
    })
  })
}

/** That it may take: the one that it was told, or any that is left. */
const revisionsOf = ({ last }: Key, { call, outcome }: HistoryOperation): readonly number[] => {
  if (outcome.kind === 'answered') return call.kind === 'get' || outcome.revision > last ? [outcome.revision] : [Number.NaN]
  return Array.from({ length: REVISION_MAX - last }, (_, i) => last + 1 + i)
}

type DrawCall = (random: Random, number: number, key: Key) => Call

/** Of a key that only grows, where the search knows more: amounts of which some are the sums of others. */
const drawGrowth: DrawCall = (random) =>
  (between(random, 0, 2) === 0 ? { kind: 'get' } : { kind: 'incr', amount: between(random, 1, 3) })

const drawCall: DrawCall = (random, number, key) => {
  switch (between(random, 0, 6)) {
    case 0: case 1: return { kind: 'get' }
    case 2: case 3: return { kind: 'put', value: between(random, 0, 2) === 0 ? String(number) : `v${number}` }
    case 4: {
      const isRight = between(random, 0, 1) === 0
      return { kind: 'cas', value: `v${number}`, ifRevision: isRight ? key.revision : between(random, 0, REVISION_MAX) }
    }
    case 5: return { kind: 'del' }
    default: return { kind: 'incr', amount: 1 }
  }
}

const spoil = (random: Random, call: Call, outcome: Outcome): Outcome => {
  if (outcome.kind !== 'answered' || outcome.status === 'INVALID') return outcome
  const found = call.kind === 'get' ? { value: 'v0' } : {}
  if (outcome.status === 'NOT_FOUND') return { ...outcome, ...found, status: 'OK', revision: between(random, 1, REVISION_MAX) }
  const isValue = outcome.value !== undefined && between(random, 0, 1) === 0
  return isValue
    ? { ...outcome, value: call.kind === 'incr' ? String(between(random, 1, 9)) : `v${between(random, 0, OPERATIONS_MAX - 1)}` }
    : { ...outcome, revision: between(random, 0, REVISION_MAX) }
}

/** Done one after the other, and seen by clients that overlap, of whom some hear nothing. */
const drawHistory = (random: Random, draw: DrawCall): HistoryOperation[] => {
  let key: Key = { value: null, revision: 0, last: 0 }
  const spoiled = between(random, 0, 1) === 0 ? between(random, 0, OPERATIONS_MAX - 1) : -1
  return Array.from({ length: between(random, 3, OPERATIONS_MAX) }, (_, id): HistoryOperation => {
    const call = draw(random, id, key)
    const isUnknown = call.kind !== 'get' && between(random, 0, 2) === 0
    const { outcome, after } = run(key, call, key.last + 1)
    if (!isUnknown || between(random, 0, 1) === 0) key = after
    const invokedAt = 10 * id - between(random, 0, 29)
    const completedAt = isUnknown ? Number.POSITIVE_INFINITY : 10 * id + between(random, 1, 30)
    const seen = id === spoiled ? spoil(random, call, outcome) : outcome
    const told: Outcome = isUnknown ? { kind: 'unknown' } : seen
    return { id, client: id, key: 'k', call, consistency: 'linearizable', invokedAt, completedAt, outcome: told }
  })
}

const compareOn = (draw: DrawCall): void => {
  const random = createRandom(20_261_128)
  const verdicts = { linearizable: 0, violation: 0 }
  for (let i = 0; i < HISTORIES; i += 1) {
    const history = drawHistory(random, draw)
    const right = tryEverything({ value: null, revision: 0, last: 0 }, history) ? 'linearizable' : 'violation'
    expect([history, checkLinearizability(history).kind]).toEqual([history, right])
    verdicts[right] += 1
  }
  expect(Math.min(verdicts.linearizable, verdicts.violation)).toBeGreaterThan(HISTORIES / 10)
}

test('the verdict is that of a search that tries everything', () => compareOn(drawCall))

test('the verdict on a key that only grows is that of a search that tries everything', () => compareOn(drawGrowth))
