/** Looks again and again until there is nothing more to see, or Ctrl-C. Whatever is being followed goes on without anybody looking. */

import { CliError, ExitCode } from '../exit.ts'
import { sleep } from '../io.ts'
import type { CliIo } from '../io.ts'

const EVERY_MS = 500
/** Nodes that stop, or a leader that is being replaced, are waited for. */
const SILENT_MAX = 10

/** `look` says whether it has seen the end. Resolves with false when a person stopped it. */
export const follow = async (io: CliIo, look: () => Promise<boolean>): Promise<boolean> => {
  let isStopped = false
  const release = io.onInterrupt(() => { isStopped = true })
  try {
    for (let silent = 0; ;) {
      try {
        if (await look()) return true
        silent = 0
      } catch (error) {
        silent += 1
        if (!(error instanceof CliError) || error.exitCode !== ExitCode.unavailable || silent === SILENT_MAX) throw error
      }
      if (isStopped) return false
      await sleep(io.clock, EVERY_MS)
      if (isStopped) return false
    }
  } finally {
    release()
  }
}
