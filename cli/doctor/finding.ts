/** One thing that `shardkv doctor` looked at: how it is, and, when it is not well, what to do. */

export interface Finding {
  readonly check: string
  /** A `problem` makes the exit code 1; a `note` is worth knowing and may be meant that way. */
  readonly level: 'ok' | 'note' | 'problem'
  readonly found: string
  /** What to do; absent when nothing. */
  readonly cure?: string
}

export const ok = (check: string, found: string): Finding => ({ check, level: 'ok', found })
export const note = (check: string, found: string, cure: string): Finding => ({ check, level: 'note', found, cure })
export const problem = (check: string, found: string, cure: string): Finding => ({ check, level: 'problem', found, cure })
