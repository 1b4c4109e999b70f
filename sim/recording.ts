/**
 * A simulated run as a recording (docs/RECORDING.md), in virtual time: what each node's recorder heard, life by life, with every message
 * between nodes, and the faults as notes of a node called `sim`. Clocks of nodes drift and jump in the simulator; those of their
 * recorders do not, so that the order is the one in which things happened.
 *
 * Recording changes nothing: the run has the hash it has without (test/sim/recording.test.ts).
 */

import { createNodeRecorder } from '../observe/recorder/recorder.ts'
import { headLine, recordLine } from '../observe/recorder/recording.ts'
import { WALL_START_MS } from './wallClock.ts'
import type { ActorRecord } from '../observe/recorder/record.ts'
import type { NodeRecorder } from '../observe/recorder/recorder.ts'
import type { Columns } from './trace.ts'

/** Of each life of a node: the beginning of a long run may be gone. */
const RING_BYTES_MAX = 64 * 1_024 * 1_024
const toldByTheRun = new Set(['machine', 'fault', 'heal', 'agreed', 'violation', 'end'])

export interface SimRecording {
  /** Virtual milliseconds. */
  readonly begin: (now: () => number) => void
  /** One for each life. */
  readonly recorderOf: (node: string) => NodeRecorder
  readonly onColumns: (columns: Columns) => void
  readonly lines: (about: { readonly seed: number; readonly cluster: string }) => Iterable<string>
}

export interface SimRecordingOptions {
  /** Called with each record as it is made. */
  readonly onRecord?: (record: ActorRecord) => void
  /** Of each life of a node. */
  readonly ringBytesMax?: number
}

export const createSimRecording = ({ onRecord, ringBytesMax = RING_BYTES_MAX }: SimRecordingOptions = {}): SimRecording => {
  let virtualNow = (): number => 0
  const clock = { now: () => virtualNow(), wall: () => WALL_START_MS + virtualNow() }
  const recorders: NodeRecorder[] = []
  const recorderOf = (node: string): NodeRecorder => {
    const recorder = createNodeRecorder({ node, clock, ringBytesMax })
    recorder.setDetailed(true)
    if (onRecord !== undefined) recorder.listen(onRecord)
    recorders.push(recorder)
    return recorder
  }
  const ofTheRun = recorderOf('sim')
  return {
    begin: (now) => { virtualNow = now },
    recorderOf,
    onColumns: ({ who, what, details }) => {
      if (toldByTheRun.has(what)) ofTheRun.record({ actor: 'sim', kind: 'note', event: `${who} ${details}`.slice(0, EVENT_CHARACTERS_MAX) })
    },
    lines: function* ({ seed, cluster }) {
      const nodes = [...new Set(recorders.map(({ node }) => node))]
      yield headLine({ cluster, madeAt: clock.wall(), nodes, missing: [], from: null, to: null, seed })
      const records = recorders.flatMap((recorder) => [...recorder.read({ after: 0 })])
      for (const record of records.toSorted((a, b) => a.at - b.at)) yield recordLine(record)
    },
  }
}

const EVENT_CHARACTERS_MAX = 256
