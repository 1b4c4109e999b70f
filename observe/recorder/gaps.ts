/**
 * What is not in a recording although a node recorded it: of nodes that said nothing at all (the head names them), and of those that fell
 * silent while they were read. Of the latter a record of its own stands where their part ends, in the file like any other: who reads a
 * recording of an outage must not take silence for peace.
 */

import type { ActorRecord } from './record.ts'
import type { RecordingHead } from './recording.ts'

const ACTOR = 'recorder'
const EVENT = 'stopped answering: what it recorded from here on is missing'

interface Breach {
  readonly node: string
  /** Milliseconds since 1970, when its part ends: at its last record that is there; where there is none, when the recording was made. */
  readonly at: number
  /** The number of the first record that is missing. */
  readonly seq: number
  /** Of its records, those that are there. */
  readonly records: number
}

export const breachRecord = ({ node, at, seq, records }: Breach): ActorRecord =>
  ({ at, seq, node, actor: ACTOR, kind: 'note', event: EVENT, detail: { records } })

export const isBreach = ({ actor, event }: Pick<ActorRecord, 'actor' | 'event'>): boolean => actor === ACTOR && event === EVENT

/** Of a line of a file: whether it is worth reading to know. */
export const mayBeBreach = (line: string): boolean => line.includes(EVENT)

/** In words, one for each gap; none where the recording is whole. */
export const gapsIn = ({ missing }: Pick<RecordingHead, 'missing'>, records: readonly ActorRecord[]): readonly string[] => [
  ...(missing.length === 0 ? [] : [`without ${missing.join(', ')}, which did not answer`]),
  ...records.filter(isBreach).map(({ node, at, detail }) => (detail?.['records'] === 0
    ? `without ${node}, which stopped answering`
    : `${node} only until ${new Date(at).toISOString()}, since it stopped answering`)),
]
