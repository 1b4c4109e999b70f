/**
 * When what waits for a node leaves. A frame costs its node a turn, a replicated entry for each shard in it and its share of a write to
 * three disks, however many operations it carries; so under load fewer and fuller frames carry more.
 *
 * Nagle's rule (RFC 896) with a measure in place of "nothing unconfirmed": what waits leaves once it is as much as what is in flight.
 * One call alone is never held back, nor are two; a stream settles at two frames in turn, one on its way and one filling, so that the
 * node is never without work. Operations that were sent PACE_MS_MAX ago count no more: a shard without its quorum must not slow the
 * others of its node.
 */
export const isWorthSending = (waiting: number, inFlight: number): boolean => waiting >= inFlight
