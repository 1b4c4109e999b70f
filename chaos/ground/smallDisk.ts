/** Small file systems in memory for tests of a full disk: a real ENOSPC from a real kernel. Needs Linux and the right to mount. */

import { spawnSync } from 'node:child_process'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const BALLAST = 'ballast'
const PAGE_BYTES = 4_096

export interface SmallDisk {
  readonly directory: string
  /** Takes all free space but `leaveBytes`. */
  readonly fill: (leaveBytes: number) => void
  /** Gives it back. */
  readonly free: () => void
  readonly unmount: () => void
}

/** Mounts over an empty directory. Throws, and so fails the test loudly, where that is not permitted: it can prove nothing there. */
export const mountSmallDisk = (directory: string, sizeBytes: number): SmallDisk => {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'shardkv-test', directory], { encoding: 'utf8' })
  if (mounted.status !== 0) {
    const reason = mounted.error?.message ?? mounted.stderr.trim()
    throw new Error(`NOT TESTED: a tmpfs can not be mounted here (${reason}); run the slow lane as root on Linux`)
  }
  const unmount = (): void => {
    spawnSync('umount', ['--lazy', directory])
  }
  process.once('exit', unmount)
  return {
    directory,
    fill: (leaveBytes) => {
      const { bavail, bsize } = statfsSync(directory)
      const bytes = Math.floor((bavail * bsize - leaveBytes) / PAGE_BYTES) * PAGE_BYTES
      if (bytes > 0) writeFileSync(join(directory, BALLAST), new Uint8Array(bytes))
    },
    free: () => rmSync(join(directory, BALLAST), { force: true }),
    unmount: () => {
      process.removeListener('exit', unmount)
      unmount()
    },
  }
}
