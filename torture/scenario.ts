/** What a node's files go through, call by call, so that each call in turn can be the last before a power loss, or fail. */

import type { DiskCall, DiskFault, DiskImage, MemoryFileSystem } from '../storage/memoryFileSystem.ts'
import type { MemoryNames } from '../storage/memoryNames.ts'

export type FaultAt = (call: number, what: DiskCall) => DiskFault | undefined

export type Trouble = 'EIO' | 'ENOSPC' | 'short'

export interface SecondLife {
  readonly disk: MemoryFileSystem
  /** What is wrong with a restart on `image`, also by what this life was told and has told: undefined when nothing is. */
  readonly judge: (image: DiskImage) => string | undefined
}

export interface Played {
  readonly calls: number
  readonly disk: MemoryFileSystem
  /** What is wrong with what a restart finds and does on `image`; undefined when nothing is. */
  readonly judge: (image: DiskImage) => string | undefined
  /** Starts again on `image` with faults of its own; the disk as that start left it. */
  readonly restart: (image: DiskImage, faultAt: FaultAt) => MemoryFileSystem
  /** Starts again in the cache of the process, which was killed; `speaks`: something is acknowledged, beyond what recovery says. */
  readonly liveOn: (cache: MemoryNames, speaks: boolean) => SecondLife
  /** What is wrong with how the running process took one call that failed; undefined when nothing is. */
  readonly behaved: (trouble: Trouble, hit: DiskCall) => string | undefined
}

export interface Scenario {
  readonly name: string
  readonly play: (faultAt: FaultAt) => Played
}

export const noFault: FaultAt = () => undefined

/** A fault function for a disk, and how many calls it has seen. */
export const counting = (faultAt: FaultAt): { readonly fault: (what: DiskCall) => DiskFault | undefined; readonly calls: () => number } => {
  let calls = 0
  return {
    fault: (what) => {
      calls += 1
      return faultAt(calls, what)
    },
    calls: () => calls,
  }
}
