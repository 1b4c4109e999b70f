/** What Node and the system say of the memory of this process, in bytes. One reading takes some 0.1 ms: not for every request. */

import { freemem, totalmem } from 'node:os'
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'
import { oldGenerationLimit, ownOptions } from './heapLimit.ts'
import { lastGood } from './lastGood.ts'

export interface MemoryReadings {
  /** In V8's old generation, garbage included: what its limit counts. */
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
  /** Reserved by both generations. */
  readonly heapTotalBytes: number
  /** Of buffers, garbage included. */
  readonly externalBytes: number
  readonly residentBytes: number
  /** The most that this process may have in RAM, be it the container's limit, the machine, or what others on it have left. */
  readonly processLimitBytes: number
}

export interface ProcessLimits {
  /** Of the container; 0, undefined, or more than there is: none. */
  readonly constrainedBytes: number | undefined
  readonly totalBytes: number
  /** Null: not known. */
  readonly availableBytes: number | null
  readonly residentBytes: number
}

/** Of the machine, or of its container where that is less. */
export const machineBytes = ({ constrainedBytes = 0, totalBytes }: Pick<ProcessLimits, 'constrainedBytes' | 'totalBytes'>): number =>
  Math.min(constrainedBytes > 0 ? constrainedBytes : totalBytes, totalBytes)

/**
 * A container's own figure of what it has used counts the page cache, which the log fills and the kernel gives back: so its limit counts,
 * and not what is said to be left of it.
 */
export const processLimit = (limits: ProcessLimits): number => Math.min(
  machineBytes(limits), limits.availableBytes === null ? limits.totalBytes : limits.residentBytes + limits.availableBytes,
)

/** How the process and its limits are measured. */
export interface ProcessSources {
  /** Throws where nothing can be opened; the other two say something wrong then. */
  readonly residentBytes: () => number
  readonly availableBytes: () => number | null
  readonly constrainedBytes: () => number | undefined
  readonly totalBytes: number
}

/** Linux says how much could be had; elsewhere `freemem` is what lies idle, which may be next to nothing on a machine that is well. */
const ownAvailableBytes = (): number | null => (process.platform === 'linux' ? freemem() : null)

const ownSources = (): ProcessSources => ({
  residentBytes: () => process.memoryUsage.rss(), availableBytes: ownAvailableBytes, constrainedBytes: () => process.constrainedMemory(),
  totalBytes: totalmem(),
})

/** All of one look, or all of the last one. */
export const createProcessReadings = (sources: ProcessSources): (() => Pick<MemoryReadings, 'residentBytes' | 'processLimitBytes'>) => {
  const { totalBytes } = sources
  return lastGood(() => {
    const residentBytes = sources.residentBytes()
    const availableBytes = sources.availableBytes()
    const constrainedBytes = sources.constrainedBytes()
    return { residentBytes, processLimitBytes: processLimit({ residentBytes, availableBytes, constrainedBytes, totalBytes }) }
  }, { residentBytes: 0, processLimitBytes: totalBytes })
}

export const createMemoryReadings = (sources = ownSources()): (() => MemoryReadings) => {
  const readProcess = createProcessReadings(sources)
  const options = ownOptions()
  const machine = machineBytes({ constrainedBytes: sources.constrainedBytes(), totalBytes: sources.totalBytes })
  return () => {
    const { heap_size_limit: heapBytes, total_heap_size: heapTotalBytes, external_memory: externalBytes } = getHeapStatistics()
    return {
      heapUsedBytes: oldGenerationBytes(), heapLimitBytes: oldGenerationLimit({ heapBytes, machineBytes: machine, options }),
      heapTotalBytes, externalBytes, ...readProcess(),
    }
  }
}

const oldGenerationBytes = (): number => {
  let bytes = 0
  for (const { space_name: name, space_used_size: used } of getHeapSpaceStatistics()) if (!name.startsWith('new_')) bytes += used
  return bytes
}
