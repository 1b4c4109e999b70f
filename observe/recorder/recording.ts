/**
 * A recording as a file: newline-delimited JSON, a head and then a record a line, by time. The admin API, `shardkv record` and the
 * simulator write it; `shardkv replay` and the viewer read it (docs/RECORDING.md).
 */

import { isMoment, isText } from './record.ts'
import type { ActorRecord } from './record.ts'

const RECORDING_FORMAT = 'shardkv-recording'
const RECORDING_VERSION = 1

export interface RecordingHead {
  readonly format: typeof RECORDING_FORMAT
  readonly version: typeof RECORDING_VERSION
  readonly cluster: string
  readonly madeAt: number
  readonly nodes: readonly string[]
  /** Nodes that did not answer: nothing of theirs is in it. */
  readonly missing: readonly string[]
  readonly from: number | null
  readonly to: number | null
  /** Of a simulated run. */
  readonly seed?: number
}

export const headLine = (head: Omit<RecordingHead, 'format' | 'version'>): string =>
  `${JSON.stringify({ format: RECORDING_FORMAT, version: RECORDING_VERSION, ...head })}\n`

export const recordLine = (record: ActorRecord): string => `${JSON.stringify(record)}\n`

/** The head of a file; undefined when it is none of this version. Its names are shown in terminals, whoever wrote the file. */
export const headOf = (value: unknown): RecordingHead | undefined => {
  if (typeof value !== 'object' || value === null) return undefined
  const { format, version, cluster, madeAt, nodes, missing } = value as Readonly<Record<string, unknown>>
  const isOne = format === RECORDING_FORMAT && version === RECORDING_VERSION && isText(cluster) && isMoment(madeAt)
    && [nodes, missing].every((names) => Array.isArray(names) && names.every(isText))
  return isOne ? value as RecordingHead : undefined
}
