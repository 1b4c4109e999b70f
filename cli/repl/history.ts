/**
 * The lines typed earlier: `~/.shardkv_history`, or $SHARDKV_HISTORY (empty: none is kept). Readable by its owner alone, since values
 * are in it, and at most HISTORY_LINES_MAX lines long. A line that starts with a blank is not kept, as in a shell.
 *
 * Two sessions may end at once: each adds its own lines to what the file holds then.
 */

import { join } from 'node:path'
import type { LocalFiles } from '../../storage/localFiles.ts'

export const HISTORY_LINES_MAX = 1_000
const OWNER_ONLY = 0o600

export interface History {
  /** Oldest first. */
  readonly lines: readonly string[]
  readonly add: (line: string) => void
  /** Those that are new since the last time. Never fails: a history that can not be written is no reason to end with an error. */
  readonly save: () => Promise<void>
}

export const historyPath = (env: Readonly<Record<string, string | undefined>>): string | null => {
  const named = env['SHARDKV_HISTORY']
  if (named !== undefined) return named === '' ? null : named
  const home = env['HOME']
  return home === undefined || home === '' ? null : join(home, '.shardkv_history')
}

export const openHistory = async (files: LocalFiles, path: string | null): Promise<History> => {
  const added: string[] = []
  /** So many of them are in the file, or on their way there. */
  let saved = 0
  /** One after the other: whoever waits for the second waits for the first, too. */
  let saving = Promise.resolve()
  const read = async (): Promise<readonly string[]> => (path === null ? [] : linesOf(await files.readText(path).catch(() => null)))
  const lines = await read()
  const write = async (): Promise<void> => {
    const fresh = added.slice(saved)
    if (path === null || fresh.length === 0) return
    saved = added.length
    const all = [...await read(), ...fresh].slice(-HISTORY_LINES_MAX)
    await files.writeAtomically(path, `${all.join('\n')}\n`, OWNER_ONLY).catch(() => {})
  }
  return {
    lines,
    add: (line) => {
      if (line.trim() !== '' && !line.startsWith(' ') && line !== (added.at(-1) ?? lines.at(-1))) added.push(line)
    },
    save: () => {
      saving = saving.then(write)
      return saving
    },
  }
}

const linesOf = (text: string | null): readonly string[] =>
  (text ?? '').split('\n').filter((line) => line !== '').slice(-HISTORY_LINES_MAX)
