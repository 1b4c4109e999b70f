/**
 * Numbered tasks on several cores: worker threads, each of which takes the next task that nobody has taken, until there are none or the
 * time is up. What a task does may depend on its number alone, so a run says the same however many workers it has.
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
}

const HEAP_MB_MAX = 1_024

/** Resolves when all have ended; rejects when one could not go on. */
export const runCrew = async (options: CrewOptions, onReport: (report: unknown) => void): Promise<void> => {
  const work: CrewWork = {
    crew: true, data: options.data, tasks: options.tasks, next: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
    endsAt: options.budgetSeconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.budgetSeconds * 1_000,
  }
  await Promise.all(Array.from({ length: Math.min(options.workers, options.tasks) }, () => new Promise<void>((resolve, reject) => {
    const worker = new Worker(new URL(options.entry), { workerData: work, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX } })
    worker.on('message', onReport)
    worker.on('error', reject)
    worker.on('exit', () => resolve())
  })))
}

/** In a worker of a crew: makes the doer of tasks once and lets it do them; elsewhere nothing. */
export const serveCrew = (prepare: (data: unknown) => (task: number) => unknown): void => {
  if (isMainThread || !isWork(workerData)) return
  const { data, tasks, endsAt, next } = workerData
  // The disk of a test answers with thousands of errors, and a stack is most of what one costs.
  Error.stackTraceLimit = 0
  const counter = new Int32Array(next)
  const perform = prepare(data)
  while (Date.now() < endsAt) {
    const task = Atomics.add(counter, 0, 1)
    if (task >= tasks) return
    parentPort?.postMessage(perform(task))
  }
}

const isWork = (value: unknown): value is CrewWork =>
  typeof value === 'object' && value !== null && 'crew' in value && value.crew === true
