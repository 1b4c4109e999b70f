/** A copy of a directory that a node writes to, as a backup would take it: files, without the lock's socket. */

import { cpSync } from 'node:fs'
import { emptyDirectory } from './emptyDirectory.ts'

/** A node deletes a file now and then; never as many in a row. */
const TRIES_MAX = 20

/** Begins again when a file that was listed is gone before it is copied. Throws what the last of `TRIES_MAX` tries threw. */
export const copyDirectory = (from: string, to: string, copy: typeof cpSync = cpSync): void => {
  for (let tries = 1; ; tries += 1) {
    try {
      copy(from, to, { recursive: true, force: true, filter: (path) => !path.endsWith('.sock') })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === TRIES_MAX) throw error
      emptyDirectory(to)
    }
  }
}
