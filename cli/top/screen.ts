/**
 * `shardkv top` on a terminal: the alternate screen, drawn in place with plain ANSI, so that what was there before comes back at the end.
 * A frame overwrites the one before it line by line and clears what is left of each line: nothing flickers.
 */

import { colorsFor } from '../output.ts'
import { drawFrame, scrollMax } from './draw.ts'
import type { CliIo, CliTerminal } from '../io.ts'
import type { Frame } from './frame.ts'

const ESCAPE = '\u001b'
const ENTER = `${ESCAPE}[?1049h${ESCAPE}[?25l`
const LEAVE = `${ESCAPE}[?25h${ESCAPE}[?1049l`
const HOME = `${ESCAPE}[H`
const CLEAR_LINE = `${ESCAPE}[K`
const CLEAR_BELOW = `${ESCAPE}[J`

export interface TopScreen {
  readonly io: CliIo
  readonly terminal: CliTerminal
  readonly next: () => Promise<Frame | null>
}

interface Shown {
  frame: Frame | null
  isWaiting: boolean
  scroll: number
  isSortedByLoad: boolean
}

/** Until `q`, Ctrl-C or a signal. */
export const runTopScreen = async ({ io, terminal, next }: TopScreen): Promise<void> => {
  const shown: Shown = { frame: null, isWaiting: true, scroll: 0, isSortedByLoad: false }
  let quit: () => void = () => {}
  const hasQuit = new Promise<'quit'>((resolve) => { quit = () => resolve('quit') })
  const draw = (): void => void io.print(screenOf(io, terminal, shown))
  const releases = [
    terminal.onKey((key) => {
      if (key === 'q' || key === '\u0003' || key === '\u0004') quit()
      else if (press(shown, key, terminal.size().rows)) draw()
    }),
    terminal.onResize(draw),
    io.onInterrupt(quit),
  ]
  try {
    await io.print(`${ENTER}${screenOf(io, terminal, shown)}`)
    for (;;) {
      const frame = await Promise.race([next(), hasQuit])
      if (frame === 'quit') return
      shown.frame = frame
      shown.isWaiting = false
      draw()
    }
  } finally {
    for (const release of releases) release()
    await io.print(LEAVE)
  }
}

/** True when the key changed what is shown. */
const press = (shown: Shown, key: string, rows: number): boolean => {
  const last = shown.frame === null ? 0 : scrollMax(shown.frame, { rows, hasFooter: true })
  const move = moves(rows)[key]
  if (key === 's') shown.isSortedByLoad = !shown.isSortedByLoad
  else if (move !== undefined) shown.scroll = Math.max(0, Math.min(last, shown.scroll + move))
  else return false
  return true
}

const moves = (rows: number): Readonly<Record<string, number>> => ({
  j: 1, k: -1, [`${ESCAPE}[B`]: 1, [`${ESCAPE}[A`]: -1, [`${ESCAPE}[6~`]: rows, [`${ESCAPE}[5~`]: -rows, ' ': rows,
})

const screenOf = (io: CliIo, terminal: CliTerminal, { frame, isWaiting, scroll, isSortedByLoad }: Shown): string => {
  const { columns, rows } = terminal.size()
  const colors = colorsFor(io)
  const lines = frame === null
    ? [isWaiting ? 'shardkv top: listening ...' : colors.red('shardkv top: no node answers; still asking (q quits)')]
    : drawFrame(frame, { columns, rows, scroll, isSortedByLoad, hasFooter: true }, colors)
  return `${HOME}${lines.map((text) => `${text}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`
}
