/**
 * Latencies in log-linear buckets, after HdrHistogram (Gil Tene): every power of two is cut into HALF equal parts, so that a
 * percentile is too high by less than 1 part in HALF, whatever its size, and to record one costs an increment.
 *
 * Values are whole microseconds; above MICROSECONDS_MAX they count as that.
 */

const SUB_BUCKET_BITS = 7
/** Values below this have a bucket of their own each. */
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS
const HALF = SUB_BUCKETS / 2
const MICROSECONDS_MAX = 2 ** 31 - 1
const BUCKETS = bucketOf(MICROSECONDS_MAX) + 1

export interface Histogram {
  readonly record: (microseconds: number) => void
  readonly count: () => number
  /** The upper end of the bucket below which `share` (0 to 1) of all values lie, in microseconds; 0 without values. */
  readonly percentile: (share: number) => number
  readonly max: () => number
}

export const createHistogram = (): Histogram => {
  const counts = new Uint32Array(BUCKETS)
  let count = 0
  let max = 0
  return {
    record: (microseconds) => {
      const value = Math.min(MICROSECONDS_MAX, Math.max(0, Math.round(microseconds)))
      const bucket = bucketOf(value)
      counts[bucket] = (counts[bucket] ?? 0) + 1
      count += 1
      if (value > max) max = value
    },
    count: () => count,
    percentile: (share) => {
      const rank = Math.max(1, Math.ceil(share * count))
      let seen = 0
      for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
        seen += counts[bucket] ?? 0
        if (seen >= rank) return Math.min(max, upperEndOf(bucket))
      }
      return 0
    },
    max: () => max,
  }
}

/** The first SUB_BUCKETS values map to themselves; each further power of two has HALF buckets. */
function bucketOf(value: number): number {
  if (value < SUB_BUCKETS) return value
  const shift = 31 - Math.clz32(value) - (SUB_BUCKET_BITS - 1)
  return shift * HALF + (value >>> shift)
}

const upperEndOf = (bucket: number): number => {
  if (bucket < SUB_BUCKETS) return bucket
  const shift = Math.floor(bucket / HALF) - 1
  return (bucket - shift * HALF + 1) * 2 ** shift - 1
}
