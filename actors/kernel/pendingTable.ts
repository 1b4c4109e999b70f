/**
 * What waits for an answer that names it by a number. Numbers are mostly handed out upwards and answered in that order, so both ends are
 * near; whatever the order, a number is found by halving, and the rest moves up.
 *
 * Not a Map, though it looks like one: a Map through which things pass makes its table anew whenever as many have gone as it has room for,
 * and V8's old table points to the new one and to what was in it. Once one of them has grown old, all that passes later is kept until the
 * next major collection (docs/PERFORMANCE.md, "What was tried").
 */

export interface PendingTable<Item> {
  readonly size: () => number
  readonly get: (number: number) => Item | undefined
  /** In place of what has that number. */
  readonly set: (number: number, item: Item) => void
  readonly delete: (number: number) => void
  /** All whose numbers are lower. */
  readonly deleteBelow: (number: number) => void
  readonly clear: () => void
  /** By their numbers, upwards. A copy: who goes through it may delete any. */
  readonly values: () => Item[]
  /** Theirs, upwards. A copy. */
  readonly numbers: () => number[]
  /** Another with the same items. */
  readonly copy: () => PendingTable<Item>
}

/** So many places of what has gone from the front are left empty, so that each leaves without the others moving up. */
const EMPTY_MAX = 64

export const createPendingTable = <Item>(): PendingTable<Item> => tableOf<Item>([], [])

/** Both in the order of the numbers. */
const tableOf = <Item>(numbers: number[], items: (Item | undefined)[]): PendingTable<Item> => {
  /** The place of the lowest number; those before it are empty. */
  let first = 0

  /** Where it is, or would be. */
  const placeOf = (number: number): number => {
    const last = numbers.length - 1
    if (last < first || (numbers[last] as number) < number) return numbers.length
    let from = first
    let to = last
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((numbers[middle] as number) < number) from = middle + 1
      else to = middle
    }
    return from
  }
  const dropBefore = (place: number): void => {
    for (; first < place; first += 1) items[first] = undefined
    if (first < EMPTY_MAX) return
    numbers.copyWithin(0, first)
    items.copyWithin(0, first)
    numbers.length -= first
    items.length -= first
    first = 0
  }
  return {
    size: () => numbers.length - first,
    get: (number) => {
      const place = placeOf(number)
      return numbers[place] === number ? items[place] : undefined
    },
    set: (number, item) => {
      const place = placeOf(number)
      if (place === numbers.length) {
        numbers.push(number)
        items.push(item)
        return
      }
      const replaced = numbers[place] === number ? 1 : 0
      numbers.splice(place, replaced, number)
      items.splice(place, replaced, item)
    },
    delete: (number) => {
      const place = placeOf(number)
      if (numbers[place] !== number) return
      if (place === first) {
        dropBefore(first + 1)
        return
      }
      numbers.splice(place, 1)
      items.splice(place, 1)
    },
    deleteBelow: (number) => { dropBefore(placeOf(number)) },
    clear: () => {
      numbers.length = 0
      items.length = 0
      first = 0
    },
    values: () => items.slice(first) as Item[],
    numbers: () => numbers.slice(first),
    copy: () => tableOf(numbers.slice(first), items.slice(first)),
  }
}
