/**
 * Loads a file and reads it back. Writing: one put per record, retried under the record's own request id until the cluster takes it,
 * with a checkpoint every SAVE_EVERY_MS. Reading back: one get per record, compared byte for byte.
 */

import { createKvClient } from '../client.ts'
import { answerOrThrow } from '../answers.ts'
import { CliError, ExitCode } from '../exit.ts'
import { saveCheckpoint } from './checkpoint.ts'
import { createProgressView } from './progress.ts'
import { pump } from './pump.ts'
import { SplitError } from './splitter.ts'
import { TemplateError } from './template.ts'
import type { Bus } from '../../bus/port.ts'
import type { KvClient } from '../client.ts'
import type { CliIo } from '../io.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { LoadRecord, PumpProgress } from './pump.ts'
import type { KeyTemplate } from './template.ts'

const SAVE_EVERY_MS = 2_000
const MISMATCHES_SHOWN_MAX = 10

export interface LoadJob {
  readonly io: CliIo
  readonly bus: Bus
  readonly prefix: string
  readonly path: string
  readonly sizeBytes: number
  readonly template: KeyTemplate
  readonly inFlightMax: number
  /** How long one record is retried before the load stops. */
  readonly giveUpMs: number
  readonly isStopped: () => boolean
}

export interface LoadResult {
  /** Records 1 to this one are written. */
  readonly completed: number
  readonly records: number
  readonly retries: number
  readonly ms: number
}

export const writeRecords = async (job: LoadJob, checkpoint: Checkpoint, checkpointPath: string): Promise<LoadResult> => {
  const { io } = job
  const startedAt = io.clock.now()
  const view = createProgressView(io, 'loading', job.sizeBytes)
  const counts = { retries: 0 }
  const client = clientOf(job, counts)
  const saver = createSaver(job, checkpoint, checkpointPath)
  await saver.save(checkpoint.completed)
  let done: Pick<PumpProgress, 'completed' | 'records'> = { completed: checkpoint.completed, records: 0 }
  try {
    done = await named(pump({
      source: io.files.stream(job.path),
      skip: checkpoint.completed,
      inFlightMax: job.inFlightMax,
      isStopped: job.isStopped,
      work: (record) => writeOne(job, client, record, checkpoint.run),
      onProgress: (progress) => {
        done = progress
        saver.maybeSave(progress.completed)
        view.show({ ...progress, retries: counts.retries })
      },
    }))
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error
  } finally {
    view.finish()
    await saver.close()
  }
  return { completed: done.completed, records: done.records, retries: counts.retries, ms: io.clock.now() - startedAt }
}

const writeOne = async (job: LoadJob, client: KvClient, record: LoadRecord, run: string): Promise<void> => {
  const outcome = await client.send({
    op: 'put', key: job.template.keyOf(parseRecord(record), record.line), value: record.bytes, requestId: `${run}-${record.line}`,
  })
  if (outcome.kind === 'unavailable' && job.isStopped()) throw new StoppedError('stopped')
  answerOrThrow(outcome)
}

/** What no repetition cures: the file or the template has to be mended. */
export class UnfitRecord extends CliError {
  constructor(message: string, options?: ErrorOptions) {
    super(ExitCode.error, message, options)
  }
}

/** A record was still being retried when the user stopped the load: that is no failure, the record is not done. */
class StoppedError extends Error {
  override readonly name = 'StoppedError'
}

export interface VerifyResult {
  readonly records: number
  readonly mismatches: number
  readonly ms: number
}

/** Reads every record back. Differences are counted and the first few named; they do not stop the reading. */
export const verifyRecords = async (job: LoadJob): Promise<VerifyResult> => {
  const { io } = job
  const startedAt = io.clock.now()
  const view = createProgressView(io, 'verifying', job.sizeBytes)
  const counts = { retries: 0, mismatches: 0 }
  const client = clientOf(job, counts)
  try {
    const done = await named(pump({
      source: io.files.stream(job.path),
      skip: 0,
      inFlightMax: job.inFlightMax,
      isStopped: job.isStopped,
      work: async (record) => {
        const difference = await compareOne(job, client, record)
        if (difference === null) return
        counts.mismatches += 1
        if (counts.mismatches <= MISMATCHES_SHOWN_MAX) io.say(`record ${record.line}: ${difference}\n`)
      },
      onProgress: (progress) => view.show({ ...progress, retries: counts.retries }),
    }))
    return { records: done.records, mismatches: counts.mismatches, ms: io.clock.now() - startedAt }
  } finally {
    view.finish()
  }
}

const compareOne = async (job: LoadJob, client: KvClient, record: LoadRecord): Promise<string | null> => {
  const outcome = await client.send({ op: 'get', key: job.template.keyOf(parseRecord(record), record.line) })
  if (outcome.kind === 'answered' && outcome.answer.status === 'NOT_FOUND') return 'the key is not there'
  const { value } = answerOrThrow(outcome)
  return Buffer.compare(value, record.bytes) === 0 ? null : 'the value differs (does another record have the same key?)'
}

const clientOf = (job: LoadJob, counts: { retries: number }): KvClient => createKvClient({
  bus: job.bus, clock: job.io.clock, prefix: job.prefix, timeoutMs: job.giveUpMs, isStopped: job.isStopped,
  onRetry: () => { counts.retries += 1 },
})

const parseRecord = ({ bytes, line }: LoadRecord): Readonly<Record<string, unknown>> => {
  const value = parseJson(bytes)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new UnfitRecord(`record ${line} is no JSON object; load takes one object a line, or an array of objects`)
}

const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** Writes the checkpoint now and then, one write at a time. */
const createSaver = (job: LoadJob, checkpoint: Checkpoint, path: string) => {
  let savedAt = job.io.clock.now()
  let latest = checkpoint.completed
  let writing: Promise<void> = Promise.resolve()
  const save = (completed: number): Promise<void> => {
    savedAt = job.io.clock.now()
    latest = completed
    writing = writing.then(() => saveCheckpoint(job.io.files, path, { ...checkpoint, completed }))
    return writing
  }
  return {
    save,
    maybeSave: (completed: number): void => {
      latest = completed
      // A failed write surfaces in close, which awaits the same chain.
      if (job.io.clock.now() - savedAt >= SAVE_EVERY_MS) save(completed).catch(() => {})
    },
    close: (): Promise<void> => save(latest),
  }
}

/** Failures of the file itself, in the words of the command line. */
const named = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work
  } catch (error) {
    throw error instanceof SplitError || error instanceof TemplateError ? new UnfitRecord(error.message, { cause: error }) : error
  }
}
