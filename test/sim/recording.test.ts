/** A simulated run as a recording: it changes nothing of the run, and is one that everybody who reads recordings can read. */

import { expect, test } from '@jest/globals'
import { recordOf } from '../../observe/recorder/record.ts'
import { headOf } from '../../observe/recorder/recording.ts'
import { drawOptions } from '../../sim/options.ts'
import { createSimRecording } from '../../sim/recording.ts'
import { createSimulation } from '../../sim/simulation.ts'
import type { ActorRecord } from '../../observe/recorder/record.ts'
import type { SimRecording } from '../../sim/recording.ts'

/** The first seconds of a run, and its hash. */
const hashOf = (recording?: SimRecording): string => {
  const { cluster, workload, faults, timeline, trace } = createSimulation({
    options: drawOptions(5, { nodes: 3, shards: 1 }), ...(recording === undefined ? {} : { recording }),
  })
  for (const machine of cluster.machines) if (machine.isInUse) cluster.start(machine)
  workload.start()
  faults.start()
  timeline.runUntil(2_500)
  return trace.hash()
}

test('a run that is recorded is the same run, and the recording holds its nodes, elections and messages in order', () => {
  const recording = createSimRecording()
  expect(hashOf(recording)).toBe(hashOf())
  const [head, ...lines] = [...recording.lines({ seed: 5, cluster: 'sim' })].map((line) => JSON.parse(line) as unknown)
  expect(headOf(head)).toMatchObject({ nodes: expect.arrayContaining(['sim', 'n1', 'n2', 'n3']), seed: 5 })
  const records = lines.map(recordOf).filter((record): record is ActorRecord => record !== undefined)
  expect(records.length).toBe(lines.length)
  expect(records.every(({ at }, i) => at >= (records[i - 1]?.at ?? 0))).toBe(true)
  const first = (isIt: (record: ActorRecord) => boolean): number => records.findIndex(isIt)
  const elected = first(({ actor, event }) => actor === 'raft/0' && event === 'leader.settling')
  expect(elected).toBeGreaterThan(first(({ actor, event }) => actor === 'raft/0' && event === 'candidate'))
  expect(first(({ actor, kind, event }) => actor === 'raft/0' && kind === 'receive' && event === 'raft.append')).toBeGreaterThan(elected)
})
