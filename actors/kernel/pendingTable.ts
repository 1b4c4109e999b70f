/**
 * What waits for an answer that names it by a number. Numbers are mostly handed out upwards and answered in that order, so both ends are
 * near; whatever the order, a number is found by halving, and the rest moves up.
 *
 * Not a Map, though it looks like one: a Map through which things pass makes its table anew whenever as many have gone as it has room for,
 * and V8's old table points to the new one and to what was in it. Once one of them has grown old, all that passes later is kept until the
 * next major collection (docs/PERFORMANCE.md, "What was tried").
 */

export interface PendingTable<Item> {
  readonly size: number
  readonly get: (number: number) => Item | undefined
  /** In place of what has that number. */
  readonly set: (number: number, item: Item) => void
  readonly delete: (number: number) => void
  readonly clear: () => void
  /** By their numbers, upwards. A copy: who goes through it may delete any. */
  readonly values: () => Item[]
}

export const createPendingTable = <Item>(): PendingTable<Item> => {
  const numbers: number[] = []
  const items: Item[] = []

  /** Where it is, or would be. */
  const placeOf = (number: number): number => {
    const last = numbers.length - 1
    if (last < 0 || (numbers[last] as number) < number) return numbers.length
    let from = 0
    let to = last
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((numbers[middle] as number) < number) from = middle + 1
      else to = middle
    }
    return from
  }
  return {
    get size() {
      return numbers.length
    },
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
      numbers.splice(place, 1)
      items.splice(place, 1)
    },
    clear: () => {
      numbers.length = 0
      items.length = 0
    },
    values: () => [...items],
  }
}
