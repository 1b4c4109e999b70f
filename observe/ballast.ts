/**
 * Makes V8 begin a major collection, and in pieces, as it would by itself. V8 begins one when 64 MiB of buffers were made since the last;
 * so some are made here that nobody writes to: they count, and take no memory, since the system gives a page when it is first
 * touched. They must be held until the collection has begun: those that die young are gone without one. The other way, `gc()`, stops the
 * process for the whole collection, which of a heap of gigabytes takes seconds, and costs leaderships.
 *
 * Where addresses are limited (`ulimit -v`, overcommitment off) there may be none for it: then this asking failed, and another follows.
 * V8 collects before it gives up on one.
 */

/** Above 32 MiB every allocator takes pages of its own from the system, and none that were used before. */
export const BALLAST_BYTES = 40 * 1_048_576
/** More than V8 needs. */
const HELD_MAX = 4

export interface Ballast {
  /** One more, unless there are as many as V8 needs, or there is no memory for it. */
  readonly add: () => void
  /** A collection has been: the next one finds these dead. */
  readonly drop: () => void
  /** Of those that V8 has not let go of. */
  readonly bytes: () => number
}

/** `allocate` may throw: it has no memory. */
export const createBallast = (allocate = (bytes: number): ArrayBuffer => new ArrayBuffer(bytes)): Ballast => {
  let bytes = 0
  let held: ArrayBuffer[] = []
  const gone = new FinalizationRegistry<undefined>(() => { bytes -= BALLAST_BYTES })
  return {
    add: () => {
      if (held.length === HELD_MAX) return
      const buffer = orNothing(allocate)
      if (buffer === null) return
      held.push(buffer)
      gone.register(buffer, undefined)
      bytes += BALLAST_BYTES
    },
    drop: () => { held = [] },
    bytes: () => bytes,
  }
}

const orNothing = (allocate: (bytes: number) => ArrayBuffer): ArrayBuffer | null => {
  try {
    return allocate(BALLAST_BYTES)
  } catch {
    return null
  }
}
