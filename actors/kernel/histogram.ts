/**
 * A latency histogram with log-linear buckets (after HdrHistogram): eight buckets to every power of two, so a value read back is at
 * most 6.25 % off, whatever its size. Recording is a shift and an addition in a typed array: no allocation, no branch on load.
 *
 *   value    0 .. 15    16 17  18 19  ... 30 31    32 .. 35   ...   up to 2^31 - 1; larger ones count as that
 *   bucket   0 .. 15    16     17     ... 23       24
 *
 * What travels and is subtracted is the sparse form: bucket, count, bucket, count, ... in ascending order. Counts only grow, so the
 * difference of two readings is the histogram of the time between them, and readings of several nodes may be added.
 */

/** Bucket, count, bucket, count, ... */
export type SparseCounts = readonly number[]

export interface Histogram {
  /** `value` in the caller's unit, which is usually microseconds; `weight` is how many had it. */
  readonly record: (value: number, weight: number) => void
  readonly sparse: () => SparseCounts
  /** Of all values, each as often as it was recorded: exact, where a bucket only knows its values roughly. */
  readonly sum: () => number
}

const SUB_BITS = 3
const SUB_BUCKETS = 1 << SUB_BITS
/** Values below it have a bucket each. */
const LINEAR_MAX = SUB_BUCKETS * 2
const VALUE_MAX = 0x7fff_ffff
const BUCKETS = (31 - SUB_BITS + 1) * SUB_BUCKETS

export const createHistogram = (): Histogram => {
  const counts = new Float64Array(BUCKETS)
  // Not a variable: a number that a closure writes is a new object in memory each time.
  const sum = new Float64Array(1)
  return {
    record: (value, weight) => {
      const bucket = bucketOf(value)
      counts[bucket] = (counts[bucket] ?? 0) + weight
      if (value > 0) sum[0] = (sum[0] ?? 0) + value * weight
    },
    sparse: () => {
      const sparse: number[] = []
      counts.forEach((count, bucket) => {
        if (count > 0) sparse.push(bucket, count)
      })
      return sparse
    },
    sum: () => sum[0] ?? 0,
  }
}

const bucketOf = (value: number): number => {
  const whole = value <= 0 ? 0 : value >= VALUE_MAX ? VALUE_MAX : value | 0
  if (whole < LINEAR_MAX) return whole
  const shift = 31 - Math.clz32(whole) - SUB_BITS
  return shift * SUB_BUCKETS + (whole >> shift)
}

/** The middle of a bucket's values. */
const valueOf = (bucket: number): number => {
  if (bucket < LINEAR_MAX) return bucket
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1
  const low = (bucket - shift * SUB_BUCKETS) * 2 ** shift
  return low + (2 ** shift - 1) / 2
}

export const totalOf = (sparse: SparseCounts): number => {
  let total = 0
  for (let i = 1; i < sparse.length; i += 2) total += sparse[i] ?? 0
  return total
}

/** How many values lie below a power of two, which is exact: no bucket holds values on both sides of one. */
export const countBelow = (sparse: SparseCounts, exponent: number): number => {
  const end = bucketOf(2 ** exponent)
  let total = 0
  for (let i = 0; i < sparse.length && (sparse[i] ?? 0) < end; i += 2) total += sparse[i + 1] ?? 0
  return total
}

/** The value that a share of all values (0 to 1) does not exceed; 0 for an empty histogram. */
export const quantileOf = (sparse: SparseCounts, share: number): number => {
  const wanted = Math.max(1, Math.ceil(totalOf(sparse) * share))
  let seen = 0
  for (let i = 0; i < sparse.length; i += 2) {
    seen += sparse[i + 1] ?? 0
    if (seen >= wanted) return valueOf(sparse[i] ?? 0)
  }
  return 0
}

export const sumOf = (all: readonly SparseCounts[]): SparseCounts => combined(all, all.map(() => 1))

/** What came after `earlier`. A count that shrank belongs to a process that has started anew: then everything is new. */
export const differenceOf = (later: SparseCounts, earlier: SparseCounts): SparseCounts => {
  const difference = combined([later, earlier], [1, -1])
  return difference.some((count, i) => i % 2 === 1 && count < 0) ? later : difference
}

const combined = (all: readonly SparseCounts[], signs: readonly number[]): SparseCounts => {
  const counts = new Map<number, number>()
  all.forEach((sparse, which) => {
    for (let i = 0; i < sparse.length; i += 2) {
      const bucket = sparse[i] ?? 0
      counts.set(bucket, (counts.get(bucket) ?? 0) + (signs[which] ?? 1) * (sparse[i + 1] ?? 0))
    }
  })
  return [...counts].filter(([, count]) => count !== 0).toSorted((a, b) => a[0] - b[0]).flat()
}
