/**
 * What is known by a number, in the order of the numbers, as data: for what there are very many of, and for pendingTable.ts, which says
 * why it is no Map. A Map's two hundred bytes when it is empty are a hundred here.
 *
 * Numbers are mostly handed out upwards and done with in that order, so both ends are near; whatever the order, a number is found by
 * halving. What leaves the front leaves an empty place, so that the others do not move up each time: a few, or a quarter of what is there.
 */

export interface NumberedList<Item> {
  /** The place of the lowest number; those before it are empty. */
  first: number
  readonly numbers: number[]
  readonly items: (Item | undefined)[]
}

const EMPTY_MAX = 16
const EMPTY_SHARE = 4

export const createNumberedList = <Item>(): NumberedList<Item> => ({ first: 0, numbers: [], items: [] })

/** Another with the same items. */
export const copyOf = <Item>({ first, numbers, items }: NumberedList<Item>): NumberedList<Item> =>
  ({ first: 0, numbers: numbers.slice(first), items: items.slice(first) })

export const countIn = ({ first, numbers }: NumberedList<unknown>): number => numbers.length - first

export const itemIn = <Item>(list: NumberedList<Item>, number: number): Item | undefined => {
  const place = placeOf(list, number)
  return list.numbers[place] === number ? list.items[place] : undefined
}

/** Upwards. A copy. */
export const numbersIn = ({ first, numbers }: NumberedList<unknown>): number[] => numbers.slice(first)

/** By their numbers, upwards. A copy. */
export const itemsIn = <Item>({ first, items }: NumberedList<Item>): Item[] => items.slice(first) as Item[]

/** In place of what has that number. */
export const setItem = <Item>(list: NumberedList<Item>, number: number, item: Item): void => {
  const { numbers, items } = list
  const place = placeOf(list, number)
  if (place === numbers.length) {
    numbers.push(number)
    items.push(item)
    return
  }
  const replaced = numbers[place] === number ? 1 : 0
  numbers.splice(place, replaced, number)
  items.splice(place, replaced, item)
}

export const deleteItem = (list: NumberedList<unknown>, number: number): void => {
  const { first, numbers, items } = list
  const place = placeOf(list, number)
  if (numbers[place] !== number) return
  if (place === first) {
    dropBefore(list, first + 1)
    return
  }
  numbers.splice(place, 1)
  items.splice(place, 1)
}

/** All whose numbers are lower. */
export const deleteBelow = (list: NumberedList<unknown>, number: number): void => dropBefore(list, placeOf(list, number))

export const deleteAll = (list: NumberedList<unknown>): void => {
  list.first = 0
  list.numbers.length = 0
  list.items.length = 0
}

/** Where it is, or would be. */
const placeOf = ({ first, numbers }: NumberedList<unknown>, number: number): number => {
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

const dropBefore = (list: NumberedList<unknown>, place: number): void => {
  const { numbers, items } = list
  for (; list.first < place; list.first += 1) items[list.first] = undefined
  const left = countIn(list)
  if (left === 0) empty(list)
  else if (list.first > EMPTY_MAX && list.first * EMPTY_SHARE > left) {
    numbers.splice(0, list.first)
    items.splice(0, list.first)
    list.first = 0
  }
}

/** Keeps room for a few: a list through which one after the other passes is not made anew for each. */
const empty = (list: NumberedList<unknown>): void => {
  if (list.numbers.length > EMPTY_MAX) {
    deleteAll(list)
    return
  }
  while (list.numbers.pop() !== undefined) list.items.pop()
  list.first = 0
}
