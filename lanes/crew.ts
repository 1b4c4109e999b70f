/**
 * Numbered tasks on several cores: worker threads, each of which takes the next task that nobody has taken, until there are none or the
 * time is up. What a task does may depend on its number alone, so a run says the same however many workers it has.
 *
 * A task that does not end is a failure of its own: each worker has a box in shared memory where it writes what it is about to try, and
 * when nothing has come from it for STALL_MS, the crew gives up with the content of that box. So is a worker that ends by itself, whatever
 * its exit code says: the task that it had taken was not done, and nobody else takes it.
 */

import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'

export interface CrewOptions {
  /** The module that the workers run: it calls `serveCrew`. */
  readonly entry: string
  readonly data: unknown
  readonly tasks: number
  readonly workers: number
  readonly budgetSeconds?: number | undefined
}

interface CrewWork {
  readonly crew: true
  readonly data: unknown
  readonly tasks: number
  readonly endsAt: number
  /** One shared counter: the number of the next task. */
  readonly next: SharedArrayBuffer
  readonly box: Box
}

const HEAP_MB_MAX = 1_024
/** The longest simulated seeds take twenty seconds of a core; on a machine that others keep busy too, ten times that. */
const STALL_MS = 400_000
const LOOK_MS = 5_000
const BOX_BYTES = 4_096

/** A worker that did not come back, and what it was about to try. */
export class StallError extends Error {
  override readonly name = 'StallError'
  readonly tried: Uint8Array
  constructor(tried: Uint8Array) {
    super(`a worker has been silent for ${STALL_MS / 1_000} s: an endless loop`)
    this.tried = tried
  }
}

/** The first four bytes are the length of what follows. */
export type Box = SharedArrayBuffer

const put = (box: Box, bytes: Uint8Array): void => {
  const length = Math.min(bytes.length, BOX_BYTES)
  new DataView(box).setUint32(0, length)
  new Uint8Array(box, 4).set(length === bytes.length ? bytes : bytes.subarray(0, length))
}

const contentOf = (box: Box): Uint8Array => Uint8Array.from(new Uint8Array(box, 4, new DataView(box).getUint32(0)))

/** Resolves when every task that was taken is reported; rejects when a worker could not go on, or ended in the middle of one. */
export const runCrew = async (options: CrewOptions, onReport: (report: unknown) => void): Promise<void> => {
  if (options.workers < 1) throw new RangeError('a crew has at least one worker')
  let reported = 0
  const count = (report: unknown): void => {
    reported += 1
    onReport(report)
  }
  const work: Omit<CrewWork, 'box'> = {
    crew: true, data: options.data, tasks: options.tasks, next: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    endsAt: options.budgetSeconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.budgetSeconds * 1_000,
  }
  await Promise.all(Array.from({ length: Math.min(options.workers, options.tasks) }, () => workerOf(options.entry, work, count)))
  const taken = Math.min(options.tasks, Atomics.load(new Int32Array(work.next), 0))
  if (reported < taken) throw new Error(`of ${taken} tasks that were begun, ${taken - reported} have no result: a worker has ended early`)
}

const workerOf = (entry: string, work: Omit<CrewWork, 'box'>, onReport: (report: unknown) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const box: Box = new SharedArrayBuffer(BOX_BYTES + 4)
    const worker = new Worker(new URL(entry), {
      workerData: { ...work, box } satisfies CrewWork, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    })
    let heardAt = performance.now()
    const look = setInterval(() => {
      if (performance.now() - heardAt < STALL_MS) return
      clearInterval(look)
      reject(new StallError(contentOf(box)))
      void worker.terminate()
    }, LOOK_MS)
    worker.on('message', (report: unknown) => {
      heardAt = performance.now()
      onReport(report)
    })
    worker.on('error', reject)
    worker.on('exit', (code) => {
      clearInterval(look)
      if (code === 0) resolve()
      else reject(new Error(`a worker ended with exit code ${code}: what it was about to do is not done`))
    })
  })

/** In a worker of a crew: makes the doer of tasks once and lets it do them; elsewhere nothing. */
export const serveCrew = (prepare: (data: unknown, trying: (bytes: Uint8Array) => void) => (task: number) => unknown): void => {
  if (isMainThread || !isWork(workerData)) return
  const { data, tasks, endsAt, next, box } = workerData
  // The disk of a test answers with thousands of errors, and a stack is most of what one costs.
  Error.stackTraceLimit = 0
  const counter = new Int32Array(next)
  const perform = prepare(data, (bytes) => put(box, bytes))
  while (Date.now() < endsAt) {
    const task = Atomics.add(counter, 0, 1)
    if (task >= tasks) return
    parentPort?.postMessage(perform(task))
  }
}

const isWork = (value: unknown): value is CrewWork =>
  typeof value === 'object' && value !== null && 'crew' in value && value.crew === true
