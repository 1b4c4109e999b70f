/**
 * What happened just before the page was opened, so that lanes and rates do not begin empty. A busy cluster tells more in two minutes than
 * the page takes at once, and the beginning of that without its end would look like a cluster that has stopped working since: so it is
 * the longest of these pasts that can be had whole, up to now, or none.
 */

import { piecesOf } from './recordingStream.ts'
import { WAITING_MAX } from './intake.ts'
import type { ActorRecord } from '../recorder/record.ts'

/** The longest first. */
export const PASTS_MS = [120_000, 30_000, 8_000] as const

/** `ask`: for the recording of so many milliseconds until now; null when it can not be had. */
export const readPast = async (ask: (pastMs: number) => Promise<ReadableStream<Uint8Array> | null>): Promise<readonly ActorRecord[]> => {
  for (const pastMs of PASTS_MS) {
    const body = await ask(pastMs)
    const whole = body === null ? [] : await wholeOf(body)
    if (whole !== null) return whole
  }
  return []
}

/** Null when it is more than the page takes: nobody is made to write the rest of it. */
const wholeOf = async (body: ReadableStream<Uint8Array>): Promise<readonly ActorRecord[] | null> => {
  const records: ActorRecord[] = []
  for await (const piece of piecesOf(body)) {
    if ('problem' in piece) return []
    for (const record of piece.records) records.push(record)
    if (records.length > WAITING_MAX) return null
  }
  return records
}
