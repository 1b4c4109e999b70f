/** Two lists in the order of their numbers, as one. */

import type { Entry } from './ring.ts'

export function* bySeq(one: IterableIterator<Entry>, other: IterableIterator<Entry>): IterableIterator<Entry> {
  let a = one.next()
  let b = other.next()
  while (a.done !== true || b.done !== true) {
    if (b.done === true || (a.done !== true && a.value.seq < b.value.seq)) {
      if (a.done !== true) yield a.value
      a = one.next()
    } else {
      yield b.value
      b = other.next()
    }
  }
}
