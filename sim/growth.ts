/**
 * Which increments of unknown outcome can come next, on a key that is only read and incremented, and only grows? Those that, together
 * with others of unknown outcome, make up what is missing to the value that somebody saw next. The search for a linear order
 * (linearizability.ts) need not try any other.
 *
 * Values grow, so whoever saw less comes first: the order of those that were answered is known, and only unknown increments come
 * between two of them.
 */

import { isSumOfSome } from './subsetSum.ts'
import type { HistoryOperation } from './history.ts'

export interface Growth {
  /** Whether the increment of unknown outcome with this number can be the next one where the key has this value (null: absent). */
  readonly leadsOn: (number: number, value: string | null) => boolean
  readonly place: (number: number) => void
  readonly takeBack: (number: number) => void
}

const noGrowth: Growth = { leadsOn: () => true, place: () => {}, takeBack: () => {} }

/** Of one key's operations; their numbers are their places. Of keys that do not only grow nothing is known. */
export const createGrowth = (operations: readonly HistoryOperation[]): Growth => {
  if (!operations.every(isOfGrowing)) return noGrowth
  const unknown = new Map(operations.flatMap(({ call, outcome }, number) =>
    (call.kind === 'incr' && outcome.kind === 'unknown' ? [[number, call.amount] as const] : [])))
  const open = new Map(unknown)
  const needed = operations.flatMap(valueBefore).sort((a, b) => a - b)
  let met = 0
  return {
    leadsOn: (number, value) => {
      const amount = open.get(number)
      const next = needed[met]
      if (amount === undefined || next === undefined) return true
      const missing = next - Number(value ?? '0') - amount
      return missing === 0 || (missing > 0 && isSumOfSome(missing, [...open].flatMap(([other, more]) => (other === number ? [] : [more]))))
    },
    place: (number) => {
      if (!open.delete(number)) met += 1
    },
    takeBack: (number) => {
      const amount = unknown.get(number)
      if (amount === undefined) met -= 1
      else open.set(number, amount)
    },
  }
}

const isOfGrowing = ({ call, outcome }: HistoryOperation): boolean => {
  if (call.kind === 'get') return true
  return call.kind === 'incr' && call.amount > 0 && (outcome.kind === 'unknown' || (outcome.kind === 'answered' && outcome.status === 'OK'))
}

/** What the key had when the operation took effect, as its answer tells. */
const valueBefore = ({ call, outcome }: HistoryOperation): number[] => {
  if (outcome.kind !== 'answered') return []
  return [Number(outcome.value ?? '0') - (call.kind === 'incr' ? call.amount : 0)]
}
