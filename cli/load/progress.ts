/** A load's progress on standard error: a bar that redraws on a terminal, a line every few seconds elsewhere. */

import type { CliIo } from '../io.ts'

const BAR_CELLS = 24
const TTY_EVERY_MS = 100
const LINE_EVERY_MS = 5_000

export interface ProgressView {
  readonly show: (done: { readonly records: number; readonly bytesRead: number; readonly retries: number }) => void
  /** Ends the bar's line. */
  readonly finish: () => void
}

export const createProgressView = (io: CliIo, title: string, totalBytes: number): ProgressView => {
  const startedAt = io.clock.now()
  const everyMs = io.isErrorTty ? TTY_EVERY_MS : LINE_EVERY_MS
  let shownAt = startedAt
  let hasBar = false
  return {
    show: ({ records, bytesRead, retries }) => {
      const now = io.clock.now()
      if (now - shownAt < everyMs) return
      shownAt = now
      const share = totalBytes === 0 ? 1 : Math.min(1, bytesRead / totalBytes)
      const text = `${title} ${records} records, ${rateText(records, now - startedAt)}, ${retries} retries`
      if (io.isErrorTty) io.say(`\r${bar(share)} ${text}\u001b[K`)
      else io.say(`${Math.floor(share * 100)} % ${text}\n`)
      hasBar = io.isErrorTty
    },
    finish: () => {
      if (hasBar) io.say('\n')
      hasBar = false
    },
  }
}

export const rateText = (records: number, ms: number): string => `${Math.round(records / Math.max(ms / 1000, 0.001))}/s`

const bar = (share: number): string => {
  const full = Math.round(share * BAR_CELLS)
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}] ${String(Math.floor(share * 100)).padStart(3)} %`
}
