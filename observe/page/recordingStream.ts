/** A recording out of a stream of bytes, read piece by piece so that the page stays at hand, and no more of it than the page takes. */

import { createRecordingReader } from './recordingText.ts'
import { withoutOldestTraffic } from './newest.ts'
import { gapsIn } from '../recorder/gaps.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { RecordingHead } from '../recorder/recording.ts'
import type { ReadPiece } from './recordingText.ts'

/** Of one recording in the page: the newest, since what somebody looks for is as a rule what has just happened. */
const RECORDS_MAX = 400_000
/** So many times as many are read before the oldest go, all at once: each time costs a look at every record. */
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

export const loadFrom = async (
  body: ReadableStream<Uint8Array>, { wants = () => true, onCount = () => {}, recordsMax = RECORDS_MAX }: LoadOptions = {},
): Promise<Loaded> => {
  let records: ActorRecord[] = []
  let [seen, wanted] = [0, 0]
  let head: RecordingHead | null = null
  for await (const piece of piecesOf(body)) {
    if ('problem' in piece) return piece
    head = piece.head
    seen += piece.records.length
    for (const record of piece.records) {
      if (!wants(record)) continue
      wanted += 1
      records.push(record)
    }
    onCount(seen)
    if (records.length > recordsMax * SLACK) records = [...withoutOldestTraffic(records, recordsMax)]
  }
  const kept = withoutOldestTraffic(records, recordsMax)
  return head === null ? { problem: 'There is nothing in it.' } : { head, records: kept, isCut: kept.length < wanted }
}

/** Whoever stops in the middle has no more of it sent. A problem is the last. */
export async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ReadPiece, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const parse = createRecordingReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      yield parse.push(decoder.decode(value, { stream: true }))
    }
    yield parse.push(decoder.decode())
    yield parse.end()
  } finally {
    await reader.cancel()
  }
}

/** What is not in it, in sentences: it looks as if nothing had happened there. */
export const lacksOf = (loaded: LoadedRecording | null): readonly string[] => (loaded === null ? [] : [
  ...gapsIn(loaded.head, loaded.records).map((gap) => `This recording is ${gap.startsWith('without') ? gap : `of ${gap}`}.`),
  ...(loaded.isCut ? [`The page takes ${RECORDS_MAX.toLocaleString('en')} records: older batches, messages and phases are left out.`] : []),
])
