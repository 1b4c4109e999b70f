/** Recordings from the cluster, from a file and to a file, read piece by piece so that the page stays at hand. */

import { createRecordingReader, recordingText } from './recordingText.ts'
import { open } from './access.ts'
import { withoutOldestTraffic } from './newest.ts'
import { gapsIn } from '../recorder/gaps.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { RecordingHead } from '../recorder/recording.ts'
import type { ReadPiece } from './recordingText.ts'

/** Of one recording in the page: the newest, since what somebody looks for is as a rule what has just happened. */
const RECORDS_MAX = 400_000
/** So many more before the oldest go, all at once: each time costs a look at every record. */
const SLACK = 1.25

export interface LoadedRecording {
  readonly head: RecordingHead
  readonly records: readonly ActorRecord[]
  /** There were more records than the page takes. */
  readonly isCut: boolean
}

export type Loaded = LoadedRecording | { readonly problem: string }

export interface LoadOptions {
  readonly wants?: (record: ActorRecord) => boolean
  readonly onCount?: (count: number) => void
  readonly recordsMax?: number
}

export const loadFromCluster = async (from: number, options: LoadOptions = {}): Promise<Loaded> => {
  const answer = await open(`/v1/recording?from=${Math.max(0, Math.floor(from))}`)
  if ('problem' in answer) return answer
  return answer.value.body === null ? { problem: 'The answer is empty.' } : readAll(answer.value.body, options)
}

export const loadFromFile = (file: Blob, options: LoadOptions = {}): Promise<Loaded> => readAll(file.stream(), options)

const readAll = async (
  body: ReadableStream<Uint8Array>, { wants = () => true, onCount = () => {}, recordsMax = RECORDS_MAX }: LoadOptions,
): Promise<Loaded> => {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader()
  const parse = createRecordingReader()
  let records: ActorRecord[] = []
  let wanted = 0
  let head: RecordingHead | null = null
  let seen = 0
  for (;;) {
    const { done, value } = await reader.read()
    const piece: ReadPiece = done ? parse.end() : parse.push(value)
    if ('problem' in piece) return piece
    head = piece.head ?? head
    seen += piece.records.length
    const added = piece.records.filter(wants)
    wanted += added.length
    for (const record of added) records.push(record)
    onCount(seen)
    if (done || records.length > recordsMax * SLACK) records = [...withoutOldestTraffic(records, recordsMax)]
    if (done) return head === null ? { problem: 'There is nothing in it.' } : { head, records, isCut: records.length < wanted }
  }
}

/** What is not in it, in sentences: it looks as if nothing had happened there. */
export const lacksOf = (loaded: LoadedRecording | null): readonly string[] => (loaded === null ? [] : [
  ...gapsIn(loaded.head, loaded.records).map((gap) => `This recording is ${gap.startsWith('without') ? gap : `of ${gap}`}.`),
  ...(loaded.isCut ? [`The page takes ${RECORDS_MAX.toLocaleString('en')} records: older batches, messages and phases are left out.`] : []),
])

export const saveToFile = ({ head: { format: _format, version: _version, ...head }, records }: LoadedRecording): void => {
  const url = URL.createObjectURL(new Blob([recordingText(head, records)], { type: 'application/x-ndjson' }))
  const anchor = document.createElement('a')
  anchor.href = url
  anchor.download = `shardkv-${new Date(records[0]?.at ?? head.madeAt).toISOString().slice(0, 19).replaceAll(':', '-')}.ndjson`
  anchor.click()
  URL.revokeObjectURL(url)
}
