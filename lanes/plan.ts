/**
 * What a lane does and in which order: every kind of work in proportion to its share, all kinds side by side, so that wherever a run is cut
 * short it has done an even sample of all of them.
 *
 * Within a kind, passes come one after another. A pass that is taken whole is walked in an order in which any beginning of it is spread
 * over the whole pass (steps of the golden ratio, made coprime); so is the part of a pass that is not.
 */

export interface Kind {
  readonly share: number
  readonly sizeOf: (pass: number) => number
}

export interface Item {
  readonly kind: number
  readonly pass: number
  readonly index: number
}

const GOLDEN = 0.618_033_988_749_894_9

/** `total` items, or one of each kind where that is more. */
export const planOf = (kinds: readonly Kind[], total: number): readonly Item[] => {
  const counts = countsOf(kinds, total)
  const placed = kinds.flatMap((kind, at) => {
    const count = counts[at] ?? 0
    return itemsOf(kind, at, count).map((item, i) => ({ item, order: (i + 0.5) / count }))
  })
  return placed.sort((a, b) => a.order - b.order || a.item.kind - b.item.kind).map(({ item }) => item)
}

/** One of each kind; of the rest each its share, and what rounding down leaves over goes to the largest remainders. */
const countsOf = (kinds: readonly Kind[], total: number): readonly number[] => {
  const shares = kinds.reduce((sum, { share }) => sum + share, 0)
  const rest = Math.max(0, total - kinds.length)
  const wanted = kinds.map(({ share }) => rest * share / shares)
  const counts = wanted.map((count) => 1 + Math.floor(count))
  const left = rest + kinds.length - counts.reduce((sum, count) => sum + count, 0)
  const byRemainder = wanted.map((count, at) => ({ at, remainder: count % 1 })).sort((a, b) => b.remainder - a.remainder || a.at - b.at)
  for (const { at } of byRemainder.slice(0, left)) counts[at] = (counts[at] ?? 0) + 1
  return counts
}

const itemsOf = ({ sizeOf }: Kind, kind: number, count: number): readonly Item[] => {
  const items: Item[] = []
  for (let pass = 0; items.length < count; pass += 1) {
    const size = sizeOf(pass)
    const step = spreadingStep(size)
    const wanted = Math.min(size, count - items.length)
    for (let i = 0; i < wanted; i += 1) items.push({ kind, pass, index: (i * step) % size })
  }
  return items
}

/** A step that visits every one of `size` places before it repeats, far from its neighbours. */
const spreadingStep = (size: number): number => {
  let step = Math.max(1, Math.round(size * GOLDEN))
  while (divisor(step, size) !== 1) step += 1
  return step
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))
