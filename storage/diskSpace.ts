/** How much room the file system of a directory has, looked up every LOOK_MS: a report must not wait for a disk. */

import { statfs } from 'node:fs'

const LOOK_MS = 10_000

export interface DiskSpace {
  readonly freeBytes: number
  readonly totalBytes: number
}

/** Null until it is known, and again when it can not be found out. Does not keep the process alive. */
export const watchDiskSpace = (directory: string): { readonly space: () => DiskSpace | null; readonly stop: () => void } => {
  let space: DiskSpace | null = null
  const look = (): void => statfs(directory, (error, found) => {
    space = error === null ? { freeBytes: found.bavail * found.bsize, totalBytes: found.blocks * found.bsize } : null
  })
  look()
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return { space: () => space, stop: () => clearInterval(timer) }
}
