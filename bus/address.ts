/**
 * The addresses of numbered actors, `raft/7` and `shard/7`: the first thing read of every message between nodes. Each is made once and
 * read without a pattern. `made` holds at most SHARD_COUNT_MAX per kind; a number above that is only ever in a message that finds no
 * actor.
 */

import { SHARD_COUNT_MAX } from '../topology/ids.ts'
import type { Address } from './post.ts'

export const numberedActors = ['raft', 'shard'] as const
export type NumberedActor = (typeof numberedActors)[number]

const DIGITS_MAX = 9
const ZERO = 0x30
const made: Readonly<Record<NumberedActor, Address[]>> = { raft: [], shard: [] }

export const addressOf = (actor: NumberedActor, number: number): Address => {
  const known = made[actor][number]
  if (known !== undefined) return known
  const address = `${actor}/${number}`
  if (number < SHARD_COUNT_MAX) made[actor][number] = address
  return address
}

/** The 7 of `raft/7`; null when the address is of another form. Numbers have no leading zeros and at most nine digits. */
export const numberIn = (address: Address, actor: NumberedActor): number | null => {
  const first = actor.length + 1
  const digits = address.length - first
  if (digits < 1 || digits > DIGITS_MAX || !address.startsWith(actor) || address[actor.length] !== '/') return null
  if (digits > 1 && address.charCodeAt(first) === ZERO) return null
  let number = 0
  for (let at = first; at < address.length; at += 1) {
    const digit = address.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return null
    number = number * 10 + digit
  }
  return number
}
