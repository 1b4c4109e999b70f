/**
 * A line editor on a pair of streams, by Node's readline: history with the arrow keys, Tab, and the usual Ctrl-A, Ctrl-E, Ctrl-W, Ctrl-U.
 * Ctrl-C clears the line, or stops what runs; Ctrl-D on an empty line leaves.
 */

import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'

export interface PromptOptions {
  readonly history: readonly string[]
  readonly historyLinesMax: number
  readonly complete: (line: string) => readonly [readonly string[], string]
  /** Ctrl-C while no line is being asked for. */
  readonly onInterrupt: () => void
}

export interface Prompt {
  /** The next line; null when there is no more. */
  readonly ask: (text: string) => Promise<string | null>
  readonly close: () => void
}

export interface PromptStreams {
  readonly input: Readable
  readonly output: Writable
  /** False for a script on standard input: no prompt, no echo, no keys. */
  readonly isTty: boolean
}

export const openPrompt = ({ input, output, isTty }: PromptStreams, options: PromptOptions): Prompt => {
  const editor = createInterface({
    input,
    ...(isTty ? { output } : {}),
    terminal: isTty,
    history: options.history.toReversed(),
    historySize: options.historyLinesMax,
    completer: (line: string) => {
      const [candidates, fragment] = options.complete(line)
      return [[...candidates], fragment]
    },
  })
  // Lines that come while a command runs (a script, or typing ahead) wait here.
  const waiting: string[] = []
  let settle: ((line: string | null) => void) | null = null
  let isClosed = false
  editor.on('line', (line) => {
    if (settle === null) waiting.push(line)
    else settle(line)
  })
  const end = (): void => {
    isClosed = true
    settle?.(null)
  }
  editor.on('close', end)
  // A terminal that was closed: there are no more lines. To close the editor would touch the terminal again, and fail again.
  editor.on('error', end)
  editor.on('SIGINT', () => {
    if (settle === null) {
      options.onInterrupt()
      return
    }
    editor.write(null, { ctrl: true, name: 'e' })
    editor.write(null, { ctrl: true, name: 'u' })
    output.write('^C\n')
    editor.prompt()
  })
  return {
    ask: (text) => new Promise((resolve) => {
      const next = waiting.shift()
      if (next !== undefined || isClosed) {
        resolve(next ?? null)
        return
      }
      settle = (line) => {
        settle = null
        resolve(line)
      }
      editor.setPrompt(text)
      if (isTty) editor.prompt()
    }),
    close: () => editor.close(),
  }
}
