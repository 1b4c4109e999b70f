/** What nodes exposed at some moments, as the series that Prometheus would have of it. */

import type { Scrape } from './exposition.ts'
import type { Series } from './promql.ts'

/** By node; null where nothing answers. */
export type Scrapes = ReadonlyMap<string, Scrape | null>

export interface Moment {
  readonly atSeconds: number
  readonly scrapes: Scrapes
}

interface Growing extends Series {
  readonly points: [number, number | null][]
}

/** Moments by time. What is exposed no more ends there; a counter that comes up later was at 0 while its node was scraped before. */
export const seriesOf = (moments: readonly Moment[]): readonly Series[] => {
  const all = new Map<string, Growing>()
  const note = (name: string, labels: Readonly<Record<string, string>>): Growing => {
    const key = `${name} ${JSON.stringify(labels)}`
    const known = all.get(key) ?? { name, labels, points: [] }
    all.set(key, known)
    return known
  }
  moments.forEach(({ atSeconds, scrapes }, nth) => {
    const found = new Set<Growing>()
    const add = (one: Growing, value: number): void => {
      one.points.push([atSeconds, value])
      found.add(one)
    }
    for (const [node, scrape] of scrapes) {
      const target = { job: 'shardkv', instance: node }
      add(note('up', target), Number(scrape !== null))
      for (const { name, labels, value } of scrape?.samples ?? []) {
        const one = note(name, { ...labels, ...target })
        if (one.points.length === 0 && /_(?:total|count|bucket)$/.test(name)) {
          const earlier = moments.slice(0, nth).filter((before) => (before.scrapes.get(node) ?? null) !== null)
          for (const before of earlier) one.points.push([before.atSeconds, 0])
        }
        add(one, value)
      }
    }
    for (const one of all.values()) if (!found.has(one)) one.points.push([atSeconds, null])
  })
  return [...all.values()]
}
