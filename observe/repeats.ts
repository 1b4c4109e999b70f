/**
 * Holds back a line that comes again and again: of one level, actor and message, LINES_MAX pass in a window, and then one that says how
 * many more there were. Errors and traces pass always: the former are what the log is for, the latter were asked for.
 */

const LINES_MAX = 20
const WINDOW_MS = 1_000
/** Messages are written in the code, so there are few: this is for a mistake. */
const ROWS_MAX = 1_024

interface Row {
  passed: number
  held: number
  openedAt: number
  readonly tell: (held: number) => void
}

export interface Repeats {
  /** Whether the line passes. `tell` writes the line that stands for those held back. */
  readonly passes: (key: string, tell: (held: number) => void) => boolean
  /** Tells what is held of windows that are over; all of it when the process ends. */
  readonly settle: (isEnd: boolean) => void
  readonly heldInAll: () => number
}

export const createRepeats = (now: () => number): Repeats => {
  const rows = new Map<string, Row>()
  let heldInAll = 0
  const close = (key: string, row: Row): void => {
    rows.delete(key)
    if (row.held > 0) row.tell(row.held)
  }
  const settle = (isEnd: boolean): void => {
    for (const [key, row] of rows) if (isEnd || now() - row.openedAt >= WINDOW_MS) close(key, row)
  }
  return {
    passes: (key, tell) => {
      const found = rows.get(key)
      if (found !== undefined && now() - found.openedAt >= WINDOW_MS) close(key, found)
      const row = rows.get(key) ?? { passed: 0, held: 0, openedAt: now(), tell }
      rows.set(key, row)
      if (row.passed < LINES_MAX) {
        row.passed += 1
        if (rows.size > ROWS_MAX) settle(true)
        return true
      }
      row.held += 1
      heldInAll += 1
      return false
    },
    settle,
    heldInAll: () => heldInAll,
  }
}
