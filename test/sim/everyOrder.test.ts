/**
 * The linearizability checker against one that tries every order, on small histories of all calls and outcomes. They are drawn by carrying
 * out a few calls one after the other, and then made wrong in one place or two, so that most are right by little, or wrong by little.
 */

import { expect, test } from '@jest/globals'
import { between, chance, createRandom, pick } from '../../actors/kernel/random.ts'
import { must } from '../../actors/kernel/assert.ts'
import { describeOperation } from '../../sim/history.ts'
import { checkLinearizability } from '../../sim/linearizability.ts'
import type { Random } from '../../actors/kernel/random.ts'
import type { Call, HistoryOperation, Outcome } from '../../sim/history.ts'

/** By the rules of docs/SUBJECTS.md: a revision is larger than each before. Null: nobody has seen it; `least` is what it can be. */
interface Key {
  readonly value: string | null
  readonly revision: number | null
  readonly least: number
}

const sumOf = ({ value }: Key, amount: number): string | null =>
  (value === null ? String(amount) : /^-?\d+$/.test(value) ? String(Number(value) + amount) : null)

/** The key where its revision (0: absent) is this one; nothing where it can not be. */
const seenAs = (key: Key, revision: number): readonly Key[] => {
  if (key.value === null) return revision === 0 ? [key] : []
  const isIt = key.revision === null ? revision >= key.least : revision === key.revision
  return isIt ? [{ ...key, revision, least: revision }] : []
}

const changed = (keys: readonly Key[], value: string | null, revision: number | null): readonly Key[] =>
  keys.flatMap(({ least }): readonly Key[] => {
    if (revision === null) return [{ value, revision, least: least + 1 }]
    return revision > least ? [{ value, revision, least: revision }] : []
  })

/** What the call makes of a key that it finds as it must; `revision` null: nobody was told. */
const carriedOut = (key: Key, call: Call, revision: number | null): readonly Key[] => {
  switch (call.kind) {
    case 'put': return changed([key], call.value, revision)
    case 'cas': return changed(seenAs(key, call.ifRevision), call.value, revision)
    case 'del': return key.value === null ? [] : changed([key], null, revision)
    case 'incr': return sumOf(key, call.amount) === null ? [] : changed([key], sumOf(key, call.amount), revision)
    default: return []
  }
}

/** All that the key can be after the operation was answered so. */
const afterwards = (key: Key, { call, outcome }: HistoryOperation): readonly Key[] => {
  if (outcome.kind !== 'answered') return [key, ...carriedOut(key, call, null)]
  const { status, revision, value } = outcome
  if (status === 'CONFLICT') return call.kind === 'cas' && call.ifRevision !== revision ? seenAs(key, revision) : []
  if (status === 'NOT_FOUND') return key.value === null ? [key] : []
  if (status === 'INVALID') return call.kind === 'incr' && sumOf(key, call.amount) === null ? [key] : []
  if (call.kind === 'get') return key.value !== null && key.value === value ? seenAs(key, revision) : []
  if (call.kind === 'incr' && sumOf(key, call.amount) !== value) return []
  return carriedOut(key, call, revision)
}

const isRightByForce = (operations: readonly HistoryOperation[]): boolean => {
  const extend = (key: Key, rest: readonly HistoryOperation[]): boolean =>
    rest.every(({ outcome }) => outcome.kind === 'unknown') || rest.some((next) =>
      rest.every(({ completedAt }) => completedAt >= next.invokedAt)
      && afterwards(key, next).some((after) => extend(after, rest.filter((other) => other !== next))))
  return extend({ value: null, revision: 0, least: 0 }, operations)
}

const OPERATIONS_MAX = 7
const values = ['1', '2', 'x']

const drawCall = (random: Random, current: number): Call => must(pick<Call>(random, [
  { kind: 'get' }, { kind: 'get' }, { kind: 'put', value: must(pick(random, values), 'values') },
  { kind: 'cas', value: must(pick(random, values), 'values'), ifRevision: chance(random, 0.6) ? current : between(random, 0, 4) },
  { kind: 'incr', amount: between(random, 1, 2) }, { kind: 'del' },
]), 'calls')

const answered = (status: 'OK' | 'NOT_FOUND' | 'CONFLICT' | 'INVALID', revision: number, value?: string): Outcome =>
  ({ kind: 'answered', status, revision, ...(value === undefined ? {} : { value }) })

/** The answer of a key of which everything is known. */
const answerOf = (key: Key, call: Call, revision: number): Outcome => {
  const current = key.value === null ? 0 : key.revision ?? 0
  if (call.kind === 'cas' && call.ifRevision !== current) return answered('CONFLICT', current)
  if (call.kind === 'incr') {
    const sum = sumOf(key, call.amount)
    return sum === null ? answered('INVALID', 0) : answered('OK', revision, sum)
  }
  if (key.value === null && (call.kind === 'get' || call.kind === 'del')) return answered('NOT_FOUND', 0)
  return call.kind === 'get' ? answered('OK', current, key.value ?? '') : answered('OK', revision)
}

const drawHistory = (random: Random): HistoryOperation[] => {
  let key: Key = { value: null, revision: 0, least: 0 }
  let at = 0
  return Array.from({ length: between(random, 2, OPERATIONS_MAX) }, (_, id) => {
    at += between(random, 0, 3)
    const call = drawCall(random, key.value === null ? 0 : key.revision ?? 0)
    const outcome = answerOf(key, call, key.least + between(random, 1, 2))
    const isUnknown = chance(random, 0.3)
    const operation: HistoryOperation = {
      id, client: id, key: 'k', call, consistency: 'linearizable', invokedAt: at - between(random, 0, 4),
      completedAt: at + between(random, 0, 4), outcome,
    }
    if (!isUnknown || chance(random, 0.6)) key = afterwards(key, operation)[0] ?? key
    return isUnknown && call.kind !== 'get'
      ? { ...operation, outcome: { kind: 'unknown' }, completedAt: Number.POSITIVE_INFINITY } : operation
  })
}

const disturb = (random: Random, operation: HistoryOperation): HistoryOperation => {
  const { call, outcome, invokedAt, completedAt } = operation
  if (call.kind === 'cas' && chance(random, 0.4)) return { ...operation, call: { ...call, ifRevision: between(random, 0, 5) } }
  if (outcome.kind !== 'answered' || chance(random, 0.3)) {
    const by = between(random, -6, 6)
    return { ...operation, invokedAt: invokedAt + by, completedAt: completedAt + by }
  }
  if (outcome.value !== undefined && chance(random, 0.4)) {
    return { ...operation, outcome: { ...outcome, value: must(pick(random, values), 'values') } }
  }
  if (call.kind === 'get' && chance(random, 0.3)) return { ...operation, outcome: answered('NOT_FOUND', 0) }
  return { ...operation, outcome: { ...outcome, revision: Math.max(1, outcome.revision + between(random, -2, 1)) } }
}

const drawWrongly = (random: Random): HistoryOperation[] => {
  const history = drawHistory(random)
  for (let left = between(random, 0, 2); left > 0; left -= 1) {
    const at = between(random, 0, history.length - 1)
    history[at] = disturb(random, must(history[at], 'an operation'))
  }
  return history
}

test('of all calls and outcomes it agrees with a checker that tries every order', () => {
  const random = createRandom(1)
  const verdicts = { linearizable: 0, violation: 0 }
  for (let i = 0; i < 10_000; i += 1) {
    const history = drawWrongly(random)
    const verdict = isRightByForce(history) ? 'linearizable' : 'violation'
    verdicts[verdict] += 1
    const found = checkLinearizability(history).kind
    if (found !== verdict) expect([found, ...history.map(describeOperation)]).toEqual([verdict])
  }
  // Both come up by the thousand.
  expect(verdicts.linearizable).toBeGreaterThan(5_000)
  expect(verdicts.violation).toBeGreaterThan(1_000)
})
