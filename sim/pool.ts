/**
 * Many seeds on several cores: worker threads, each of which runs the next seed that nobody has taken. This file
 * is the worker's entry, too.
 */

import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { drawOptions } from './options.ts'
import { runSeed } from './run.ts'
import type { SimOverrides } from './options.ts'
import type { RunResult } from './run.ts'

/** What a worker reports: without the trace, which a replay makes again. */
export type SeedResult = Pick<RunResult, 'seed' | 'violation' | 'traceHash' | 'figures'>

export interface PoolInput {
  readonly seeds: readonly number[]
  readonly overrides: SimOverrides
  readonly workers: number
}

interface Task {
  readonly seeds: readonly number[]
  readonly overrides: SimOverrides
  /** One shared counter: the position of the next seed. */
  readonly next: SharedArrayBuffer
}

export const runSeeds = async ({ seeds, overrides, workers }: PoolInput, onResult: (result: SeedResult) => void): Promise<void> => {
  const task: Task = { seeds, overrides, next: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT) }
  await Promise.all(Array.from({ length: Math.min(workers, seeds.length) }, () => new Promise<void>((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task })
    worker.on('message', onResult)
    worker.on('error', reject)
    worker.on('exit', () => resolve())
  })))
}

const serve = ({ seeds, overrides, next }: Task): void => {
  const counter = new Int32Array(next)
  for (let at = Atomics.add(counter, 0, 1); at < seeds.length; at = Atomics.add(counter, 0, 1)) {
    const { seed, violation, traceHash, figures } = runSeed(drawOptions(seeds[at] ?? 0, overrides))
    parentPort?.postMessage({ seed, violation, traceHash, figures } satisfies SeedResult)
  }
}

const task: unknown = workerData
if (!isMainThread && typeof task === 'object' && task !== null && 'next' in task) serve(task as Task)
