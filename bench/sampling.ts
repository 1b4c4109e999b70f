/** What a server process holds and has used, read from Linux' /proc; nothing elsewhere. */

import { createLocalFiles } from '../storage/localFiles.ts'
import { createMachineHost } from '../topology/launcher/machineHost.ts'

export interface Sample {
  readonly rssBytes: number
  /** User and system time since the process started. */
  readonly cpuMs: number
  readonly descriptors: number
}

/** USER_HZ: what /proc counts in on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const DU_TIMEOUT_MS = 60_000
const files = createLocalFiles()

/** Null when there is no such process, or no /proc. */
export const sampleProcess = async (pid: number): Promise<Sample | null> => {
  const status = await files.readText(`/proc/${pid}/status`)
  const stat = await files.readText(`/proc/${pid}/stat`)
  if (status === null || stat === null) return null
  const descriptors = (await files.list(`/proc/${pid}/fd`)).length
  return { rssBytes: rssOf(status), cpuMs: cpuOf(stat), descriptors }
}

/** The same of a server that is there: throws when it has ended, since what is measured then is something else. Null without /proc. */
export const sampleServer = async (name: string, pid: number): Promise<Sample | null> => {
  const sample = await sampleProcess(pid)
  if (sample === null && process.platform === 'linux') throw new Error(`${name} has ended while it was measured`)
  return sample
}

/** Bytes that a process has read, from files and sockets alike; 0 where that is not to be known. */
export const bytesReadBy = async (pid: number): Promise<number> => readOf(await files.readText(`/proc/${pid}/io`) ?? '')

/** How often its threads have gone to sleep, those that have ended left out: each was woken as often. 0 without /proc. */
export const wakeUpsOf = async (pid: number): Promise<number> => {
  const threads = await files.list(`/proc/${pid}/task`)
  const statuses = await Promise.all(threads.map((thread) => files.readText(`/proc/${pid}/task/${thread}/status`)))
  return statuses.reduce((sum, status) => sum + sleepsOf(status ?? ''), 0)
}

/** `voluntary_ctxt_switches:	123456` */
export const sleepsOf = (status: string): number => Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? 0)

/** `rchar: 123456` */
export const readOf = (io: string): number => Number(/^rchar: (\d+)$/m.exec(io)?.[1] ?? 0)

/** `VmRSS:   123456 kB` */
export const rssOf = (status: string): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024

/** Fields 14 and 15 of /proc/<pid>/stat; the second, the program's name in brackets, may hold blanks. */
export const cpuOf = (stat: string): number => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 1_000 / TICKS_PER_SECOND
}

/** Bytes of everything below a directory. */
export const directoryBytes = async (path: string): Promise<number> => {
  const { output } = await createMachineHost().run('du', ['-sb', path], { timeoutMs: DU_TIMEOUT_MS })
  return Number(/^(\d+)\t/m.exec(output)?.[1] ?? 0)
}

export const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
