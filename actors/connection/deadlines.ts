/**
 * Deadlines in buckets of BUCKET_MS, so that a tick looks only at what is due and a finished request leaves nothing behind. A deadline
 * is noticed up to BUCKET_MS late, never early. Buckets number at most TIMEOUT_MS_MAX / BUCKET_MS.
 */

const BUCKET_MS = 50

export interface Deadlines<Item> {
  readonly add: (item: Item, deadline: number) => void
  /** `deadline` as it was added. */
  readonly remove: (item: Item, deadline: number) => void
  /** Takes out everything whose deadline has passed, earliest bucket added first. */
  readonly takeDue: (now: number) => readonly Item[]
}

export const createDeadlines = <Item>(): Deadlines<Item> => {
  const buckets = new Map<number, Set<Item>>()
  const bucketOf = (deadline: number): number => Math.ceil(deadline / BUCKET_MS)
  return {
    add: (item, deadline) => {
      const bucket = buckets.get(bucketOf(deadline))
      if (bucket === undefined) buckets.set(bucketOf(deadline), new Set([item]))
      else bucket.add(item)
    },
    remove: (item, deadline) => {
      buckets.get(bucketOf(deadline))?.delete(item)
    },
    takeDue: (now) => {
      const due: Item[] = []
      for (const [number, items] of buckets) {
        if (number * BUCKET_MS > now) continue
        buckets.delete(number)
        due.push(...items)
      }
      return due
    },
  }
}
