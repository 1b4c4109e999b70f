/** The marks of many runs: how many were hit, and the least hit. */

import { markNames } from './marks.ts'
import type { MarkCounts } from './marks.ts'

/** What comes up so seldom that only a night's run must see it: none of 37 seeds hit them when the list was made, or at most two of 130. */
export const rareMarks: ReadonlySet<string> = new Set([
  'a session was opened again',
  'a session ended because nobody used it',
  'a received snapshot was damaged or had no room',
  'a write went to the wrong sector of a log',
  'two machines had damaged disks',
  'a leader was deposed, or elected, with more to apply',
  'a joint phase was left by another leader than entered it',
  'a leader that was no voter any more stepped down',
  'a tail was zeroed in a snapshot',
  'the replicas of a lost disk were rebuilt elsewhere',
  'a node whose disk had been lost joined again under its name',
  'a node came back after all its replicas had been replaced',
])

const SHOWN = 10

export interface MarkSums {
  readonly add: (counts: MarkCounts) => void
  readonly hits: () => number
  /** Never hit. The rare ones belong only to a night. */
  readonly missing: (isNight: boolean) => readonly string[]
  /** `marks: 63 of 64 hit`, then the least hit. */
  readonly lines: () => readonly string[]
  /** Runs that hit each. */
  readonly runs: () => Readonly<Record<string, number>>
}

export const createMarkSums = (): MarkSums => {
  const runs = new Map<string, number>(markNames.map((mark) => [mark, 0]))
  const unhit = (): string[] => markNames.filter((mark) => runs.get(mark) === 0)
  return {
    add: (counts) => {
      for (const [mark, count] of Object.entries(counts)) if (count > 0) runs.set(mark, (runs.get(mark) ?? 0) + 1)
    },
    hits: () => markNames.length - unhit().length,
    missing: (isNight) => unhit().filter((mark) => isNight || !rareMarks.has(mark)),
    lines: () => {
      const least = [...runs].sort(([, a], [, b]) => a - b).slice(0, SHOWN)
      return [
        `marks: ${markNames.length - unhit().length} of ${markNames.length} hit; the least hit, by runs:`,
        ...least.map(([mark, count]) => `  ${String(count).padStart(5)}  ${mark}${rareMarks.has(mark) ? ' (rare)' : ''}`),
      ]
    },
    runs: () => Object.fromEntries(runs),
  }
}
