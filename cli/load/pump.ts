/**
 * Feeds records to asynchronous work, at most `inFlightMax` at a time, and knows the longest prefix of the file that is done: the
 * only thing a checkpoint may claim, since records finish out of order.
 *
 * The first failure stops the feeding; what is in flight is awaited, then the failure is thrown.
 */

import { createSplitter } from './splitter.ts'

export interface LoadRecord {
  /** From 1. */
  readonly line: number
  readonly bytes: Uint8Array
}

export interface PumpJob {
  readonly source: AsyncIterable<Uint8Array>
  /** Records 1 to this one are passed over. */
  readonly skip: number
  readonly inFlightMax: number
  readonly work: (record: LoadRecord) => Promise<void>
  readonly isStopped: () => boolean
  readonly onProgress?: (progress: PumpProgress) => void
}

export interface PumpProgress {
  /** Records 1 to this one are done. */
  readonly completed: number
  /** Records done by this run. */
  readonly records: number
  readonly bytesRead: number
}

interface State {
  line: number
  prefix: number
  records: number
  bytesRead: number
  inFlight: number
  readonly doneAhead: Set<number>
  failure: unknown
  hasFailed: boolean
  wake: () => void
}

export const pump = async (job: PumpJob): Promise<PumpProgress> => {
  const state: State = {
    line: 0, prefix: job.skip, records: 0, bytesRead: 0, inFlight: 0, doneAhead: new Set(), failure: undefined, hasFailed: false,
    wake: () => {},
  }
  const splitter = createSplitter()
  try {
    for await (const chunk of job.source) {
      state.bytesRead += chunk.length
      await feed(state, job, splitter.push(chunk))
      if (isOver(state, job)) break
    }
    if (!isOver(state, job)) await feed(state, job, splitter.end())
  } finally {
    await roomFor(state, 0)
  }
  if (state.hasFailed) throw state.failure
  return progressOf(state)
}

const feed = async (state: State, job: PumpJob, records: readonly Uint8Array[]): Promise<void> => {
  for (const bytes of records) {
    state.line += 1
    if (state.line <= job.skip) continue
    await roomFor(state, job.inFlightMax - 1)
    if (isOver(state, job)) return
    start(state, job, { line: state.line, bytes })
  }
}

const start = (state: State, job: PumpJob, record: LoadRecord): void => {
  state.inFlight += 1
  job.work(record).then(() => {
    noteDone(state, record.line)
    job.onProgress?.(progressOf(state))
  }).catch((error: unknown) => {
    if (!state.hasFailed) state.failure = error
    state.hasFailed = true
  }).finally(() => {
    state.inFlight -= 1
    state.wake()
  })
}

const noteDone = (state: State, line: number): void => {
  state.records += 1
  state.doneAhead.add(line)
  while (state.doneAhead.delete(state.prefix + 1)) state.prefix += 1
}

/** Waits until at most `others` records are in flight. */
const roomFor = async (state: State, others: number): Promise<void> => {
  while (state.inFlight > others) await new Promise<void>((resolve) => { state.wake = resolve })
}

const isOver = (state: State, job: PumpJob): boolean => state.hasFailed || job.isStopped()

const progressOf = ({ prefix, records, bytesRead }: State): PumpProgress => ({ completed: prefix, records, bytesRead })
