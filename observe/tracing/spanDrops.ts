/** Spans that are given up, by why: a span of a sampled request is exported, refused by its receiver, or one of these. */

/**
 * queue: more wait than may. open: more requests are open than may. children: more spans are below one than may. end: the process ended
 * before it was over, or before it was sent.
 */
export const dropReasons = ['queue', 'open', 'children', 'end'] as const
export type DropReason = (typeof dropReasons)[number]
export type DropCounts = Readonly<Record<DropReason, number>>

export interface SpanDrops {
  readonly add: (reason: DropReason, count?: number) => void
  readonly counts: () => DropCounts
}

export const createSpanDrops = (): SpanDrops => {
  const counts: Record<DropReason, number> = { queue: 0, open: 0, children: 0, end: 0 }
  return {
    add: (reason, count = 1) => { counts[reason] += count },
    counts: () => counts,
  }
}
