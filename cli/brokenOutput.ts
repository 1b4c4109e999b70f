/**
 * What it means for a command that its output can not be written.
 *
 * `shardkv status | head -1`, a terminal that was closed: whoever read has gone. It ends as programs do that know SIGPIPE, and so does a
 * launcher, whose person has gone. Anything else, such as a full disk behind `start.log`, ends a command that has nothing but its output to
 * give. A launcher has a cluster, which would end with it: it goes on without these lines, and is heard again once there is room.
 */

import { ExitCode } from './exit.ts'

export const SIGPIPE_EXIT_CODE = 141

export interface BrokenOutput {
  /** More than lines rests on this process from now on. */
  readonly outlive: () => void
  /** The exit code to end with at once; null to go on. */
  readonly exitCodeFor: (error: { readonly code?: string | undefined }) => number | null
}

export const createBrokenOutput = (): BrokenOutput => {
  let isOutlived = false
  return {
    outlive: () => { isOutlived = true },
    exitCodeFor: ({ code }) => {
      if (code === 'EPIPE' || code === 'EIO') return SIGPIPE_EXIT_CODE
      return isOutlived ? null : ExitCode.error
    },
  }
}
