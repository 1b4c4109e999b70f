/**
 * What is not in a recording although a node recorded it: of nodes that said nothing at all (the head names them), of those that fell
 * silent while they were read, and of those whose rings went round while they were read. Where something is missing in the middle, a
 * record of its own stands in its place, in the file like any other: who reads a recording of an outage must not take silence for peace.
 *
 * That a ring begins somewhere is no gap, unless the time that was asked for begins before.
 */

import type { HappeningKind } from '../../actors/kernel/recorder.ts'
import type { ActorRecord } from './record.ts'
import type { RecordingHead } from './recording.ts'

const ACTOR = 'recorder'
const SILENT = 'stopped answering: what it recorded from here on is missing'
const OVERWRITTEN = 'overwritten before it was read'

/** The rings of a recorder (recorder.ts), and what they hold, but for the states of connections, which are traffic. */
const contents = { story: 'states and notes', traffic: 'batches, messages and phases' } as const
type RingName = keyof typeof contents
export const ringNames = Object.keys(contents) as readonly RingName[]

/** Of each ring the newest record that it has dropped; null where it has dropped none. */
export type Overwritten = Readonly<Record<RingName, { readonly seq: number; readonly at: number } | null>>

export const nothingOverwritten: Overwritten = { story: null, traffic: null }

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
  ({ at, seq, node, actor: ACTOR, kind: 'note', event: SILENT, detail: { records } })

export const isBreach = ({ actor, event }: Pick<ActorRecord, 'actor' | 'event'>): boolean => actor === ACTOR && event === SILENT

interface Loss extends Pick<Breach, 'node' | 'seq'> {
  readonly ring: RingName
  /** Milliseconds since 1970: of the last record before it that is there, and of the newest that is missing. */
  readonly at: number
  readonly until: number
}

export const lossRecord = ({ node, seq, ring, at, until }: Loss): ActorRecord => ({
  at, seq, node, actor: ACTOR, kind: 'note', event: `${OVERWRITTEN}: ${contents[ring]} are missing`, detail: { ring, until },
})

const isLoss = ({ actor, event }: Pick<ActorRecord, 'actor' | 'event'>): boolean => actor === ACTOR && event.startsWith(OVERWRITTEN)

export const isTrafficLoss = (record: ActorRecord): boolean => isLoss(record) && record.detail?.['ring'] === 'traffic'

export const isGap = (record: Pick<ActorRecord, 'actor' | 'event'>): boolean => isBreach(record) || isLoss(record)

/** Of a line of a file: whether it is worth reading to know. */
export const mayBeGap = (line: string): boolean => line.includes(SILENT) || line.includes(OVERWRITTEN)

/** Which rings have to do with records of these kinds; absent: of all. */
export const ringsOf = (kinds: readonly HappeningKind[] | undefined): readonly RingName[] => ringNames.filter((ring) =>
  kinds === undefined || kinds.some((kind) => kind === 'state' || (kind === 'note') === (ring === 'story')))

/** In words, one for each gap; one for all losses of a ring; none where the recording is whole. */
export const gapsIn = ({ missing }: Pick<RecordingHead, 'missing'>, records: readonly ActorRecord[]): readonly string[] => [
  ...(missing.length === 0 ? [] : [`without ${missing.join(', ')}, which did not answer`]),
  ...records.filter(isBreach).map(({ node, at, detail }) => (detail?.['records'] === 0
    ? `without ${node}, which stopped answering`
    : `${node} only until ${timeText(at)}, since it stopped answering`)),
  ...lossesIn(records.filter(isLoss)),
]

const timeText = (at: number): string => new Date(at).toISOString()

const lossesIn = (losses: readonly ActorRecord[]): readonly string[] => {
  const places = new Map<string, { readonly from: number; until: number; count: number }>()
  for (const { node, at, detail } of losses) {
    const what = contents[detail?.['ring'] === 'story' ? 'story' : 'traffic']
    const until = Number(detail?.['until'] ?? at)
    const known = places.get(`${what} of ${node}`)
    if (known === undefined) places.set(`${what} of ${node}`, { from: at, until, count: 1 })
    else {
      known.until = Math.max(known.until, until)
      known.count += 1
    }
  }
  return [...places].map(([what, { from, until, count }]) =>
    `without ${what} ${count === 1 ? 'from' : `in ${count} places between`} ${timeText(from)} ${count === 1 ? 'to' : 'and'} `
      + `${timeText(until)}, which were overwritten before they were read`)
}
