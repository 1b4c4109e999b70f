/** The limit of open files of a process that runs, by util-linux' prlimit. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Sets the soft limit. Throws where it could not be set, unless the process has ended: a limit that was never there has tested nothing. */
export const limitOpenFiles = (pid: number, limit: number): void => {
  const { status, error, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`], { encoding: 'utf8' })
  if (status === 0 || hasEnded(pid)) return
  const reason = error === undefined ? `it ended with ${status}: ${stderr.trim()}` : error.message
  throw new Error(`the open files of process ${pid} can not be limited to ${limit} by prlimit: ${reason}`)
}

/** Gone, or a zombie of which only the exit code is left. */
const hasEnded = (pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return true
  }
}
