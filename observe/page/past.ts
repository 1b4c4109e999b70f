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

export interface Past {
  /** Since when all is in `records`. */
  readonly from: number
  readonly records: readonly ActorRecord[]
}

/** `ask`: for the recording from that moment until now; null when it can not be had. */
export const readPast = async (ask: (from: number) => Promise<ReadableStream<Uint8Array> | null>, now = Date.now): Promise<Past> => {
  for (const pastMs of PASTS_MS) {
    const from = now() - pastMs
    const body = await ask(from)
    const records = body === null ? 'none' : await wholeOf(body)
    if (records === 'none') break
    if (records !== 'tooMany') return { from, records }
  }
  return { from: now(), records: [] }
}

const wholeOf = async (body: ReadableStream<Uint8Array>): Promise<readonly ActorRecord[] | 'tooMany' | 'none'> => {
  const records: ActorRecord[] = []
  try {
    for await (const piece of piecesOf(body)) {
      if ('problem' in piece) return 'none'
      for (const record of piece.records) records.push(record)
      // Nobody is made to write the rest of it.
      if (records.length > WAITING_MAX) return 'tooMany'
    }
  } catch {
    // It broke off: the page begins with the feed, which is asked for again and again.
    return 'none'
  }
  return records
}
