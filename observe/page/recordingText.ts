/** A recording as text, read piece by piece: its head, and the records of each piece (docs/RECORDING.md). */

import { recordOf } from '../recorder/record.ts'
import { headLine, headOf, recordLine } from '../recorder/recording.ts'
import type { ActorRecord } from '../recorder/record.ts'
import type { RecordingHead } from '../recorder/recording.ts'

export type ReadPiece =
  | { readonly records: readonly ActorRecord[]; readonly head: RecordingHead | null }
  /** In words, with the line. */
  | { readonly problem: string }

export interface RecordingReader {
  readonly push: (text: string) => ReadPiece
  /** What is left when the text ends. */
  readonly end: () => ReadPiece
}

export const createRecordingReader = (): RecordingReader => {
  let rest = ''
  let line = 0
  let head: RecordingHead | null = null

  const read = (lines: readonly string[]): ReadPiece => {
    const records: ActorRecord[] = []
    for (const text of lines) {
      line += 1
      if (text === '') continue
      const value = parsed(text)
      if (head === null) {
        head = headOf(value) ?? null
        if (head === null) return { problem: 'This is no recording, or one of another version: its first line says neither.' }
        continue
      }
      const record = recordOf(value)
      if (record === undefined) return { problem: `Line ${line} is no record: the file is damaged, or of a newer version.` }
      records.push(record)
    }
    return { records, head }
  }
  return {
    push: (text) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      return read(lines)
    },
    end: () => read([rest]),
  }
}

export const recordingText = (head: Parameters<typeof headLine>[0], records: readonly ActorRecord[]): string =>
  headLine(head) + records.map(recordLine).join('')

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
