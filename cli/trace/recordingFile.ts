/** Reads a recording: its head, and its records one by one. What is wrong is said with the line it stands in. */

import { CliError, ExitCode } from '../exit.ts'
import { headOf } from '../../observe/recorder/recording.ts'
import { recordOf } from '../../observe/recorder/record.ts'
import type { LocalFiles } from '../../storage/localFiles.ts'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { RecordingHead } from '../../observe/recorder/recording.ts'

export interface ReadRecording {
  readonly head: RecordingHead
  readonly records: readonly ActorRecord[]
}

export const readRecording = async (files: LocalFiles, path: string): Promise<ReadRecording> => {
  const text = await files.readText(path)
  if (text === null) throw new CliError(ExitCode.notFound, `there is no file ${path}; "shardkv record ${path}" writes one`)
  return recordingIn(text, path)
}

/** Throws a CliError with the line of `path` that is wrong. */
export const recordingIn = (text: string, path: string): ReadRecording => {
  const [first = '', ...lines] = text.trimEnd().split('\n')
  const head = headOf(parsed(first))
  if (head === undefined) throw new CliError(ExitCode.error, `${path} is no recording of a version that is known here: see its first line`)
  const records = lines.map((line, i) => {
    const record = recordOf(parsed(line))
    if (record === undefined) {
      throw new CliError(ExitCode.error, `${path}:${i + 2} is no record: the file is damaged, or of a newer version`)
    }
    return record
  })
  return { head, records }
}

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
