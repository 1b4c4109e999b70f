/**
 * What waits for an answer that names it by a number.
 *
 * Not a Map, though it looks like one: a Map through which things pass makes its table anew whenever as many have gone as it has room for,
 * and V8's old table points to the new one and to what was in it. Once one of them has grown old, all that passes later is kept until the
 * next major collection (docs/PERFORMANCE.md, "What was tried").
 */

import {
  countIn, createNumberedList, deleteAll, deleteItem, itemIn, itemsIn, setItem,
} from './numberedList.ts'

export interface PendingTable<Item> {
  readonly size: () => number
  readonly get: (number: number) => Item | undefined
  /** In place of what has that number. */
  readonly set: (number: number, item: Item) => void
  readonly delete: (number: number) => void
  readonly clear: () => void
  /** By their numbers, upwards. A copy: who goes through it may delete any. */
  readonly values: () => Item[]
}

export const createPendingTable = <Item>(): PendingTable<Item> => {
  const list = createNumberedList<Item>()
  return {
    size: () => countIn(list),
    get: (number) => itemIn(list, number),
    set: (number, item) => { setItem(list, number, item) },
    delete: (number) => { deleteItem(list, number) },
    clear: () => { deleteAll(list) },
    values: () => itemsIn(list),
  }
}
