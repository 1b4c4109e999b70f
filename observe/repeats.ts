/**
 * Holds back a line that comes again and again: of one level, actor, message, shard and connection LINES_MAX pass in a window, and then one
 * that says how many more there were. Errors and traces pass always: the former are what the log is for, the latter were asked for.
 *
 * Who repeats himself hides nobody else, up to a limit: where ROWS_MAX lines of different shards and connections have come within a
 * window, a further one is counted with all of its level, actor and message, of which the code has some hundreds.
 */

const LINES_MAX = 20
const WINDOW_MS = 1_000
/** Remembered at a time, some 200 bytes each: as many as a node of 1,024 shards has in the second in which all of them change leaders. */
export const ROWS_MAX = 4_096
/** Beyond them, for lines that are counted together. Messages are written in the code: more than these is a mistake. */
const COMMON_ROWS_MAX = 1_024

interface Row {
  passed: number
  held: number
  openedAt: number
  readonly tell: () => void
}

/** Writes the line that stands for those held back. Not `isOwn`: they are of several. */
type Tell = (held: number, isOwn: boolean) => void

export interface Repeats {
  /** Whether the line passes. `own`: what it is; `common`: the same without shard and connection. */
  readonly passes: (own: string, common: string, tell: Tell) => boolean
  /** Tells what is held of windows that are over; all of it when the process ends. */
  readonly settle: (isEnd: boolean) => void
  /** Whether a window is open, and with it something to settle later. */
  readonly isCounting: () => boolean
  readonly heldInAll: () => number
}

export const createRepeats = (now: () => number): Repeats => {
  const rows = new Map<string, Row>()
  let heldInAll = 0
  let sweptAt = Number.NEGATIVE_INFINITY
  const isOver = ({ openedAt }: Row): boolean => now() - openedAt >= WINDOW_MS
  const close = (key: string, row: Row): void => {
    rows.delete(key)
    if (row.held > 0) row.tell()
  }
  const settle = (isEnd: boolean): void => {
    for (const [key, row] of rows) if (isEnd || isOver(row)) close(key, row)
  }
  /** Looked for once a window: while it is full, each line would look through all of it. */
  const hasRoom = (): boolean => {
    if (rows.size >= ROWS_MAX && now() - sweptAt >= WINDOW_MS) {
      sweptAt = now()
      settle(false)
    }
    return rows.size < ROWS_MAX
  }
  const current = (key: string): Row | undefined => {
    const row = rows.get(key)
    if (row === undefined || !isOver(row)) return row
    close(key, row)
    return undefined
  }
  const open = (key: string, tell: Tell, isOwn: boolean): Row => {
    if (rows.size >= ROWS_MAX + COMMON_ROWS_MAX) settle(true)
    const row: Row = { passed: 0, held: 0, openedAt: now(), tell: () => tell(row.held, isOwn) }
    rows.set(key, row)
    return row
  }
  const rowOf = (own: string, common: string, tell: Tell): Row => {
    const known = current(own)
    if (known !== undefined) return known
    return hasRoom() ? open(own, tell, true) : current(common) ?? open(common, tell, false)
  }
  return {
    passes: (own, common, tell) => {
      const row = rowOf(own, common, tell)
      if (row.passed < LINES_MAX) {
        row.passed += 1
        return true
      }
      row.held += 1
      heldInAll += 1
      return false
    },
    settle,
    isCounting: () => rows.size > 0,
    heldInAll: () => heldInAll,
  }
}
