/** Recordings from the cluster, from a file and to a file. */

import { recordingText } from './recordingText.ts'
import { loadFrom } from './recordingStream.ts'
import { open } from './access.ts'
import type { Loaded, LoadedRecording, LoadOptions } from './recordingStream.ts'

export const loadFromCluster = async (from: number, options: LoadOptions = {}): Promise<Loaded> => {
  const answer = await open(`/v1/recording?from=${Math.max(0, Math.floor(from))}`)
  if ('problem' in answer) return answer
  return answer.value.body === null ? { problem: 'The answer is empty.' } : loadFrom(answer.value.body, options)
}

export const loadFromFile = (file: Blob, options: LoadOptions = {}): Promise<Loaded> => loadFrom(file.stream(), options)

export const saveToFile = ({ head: { format: _format, version: _version, ...head }, records }: LoadedRecording): void => {
  const url = URL.createObjectURL(new Blob([recordingText(head, records)], { type: 'application/x-ndjson' }))
  const anchor = document.createElement('a')
  anchor.href = url
  anchor.download = `shardkv-${new Date(records[0]?.at ?? head.madeAt).toISOString().slice(0, 19).replaceAll(':', '-')}.ndjson`
  anchor.click()
  URL.revokeObjectURL(url)
}
