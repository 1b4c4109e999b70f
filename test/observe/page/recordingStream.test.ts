/** More than the page takes of a recording: what it keeps, and what it says of the rest. */

import { expect, test } from '@jest/globals'
import { lacksOf, loadFrom } from '../../../observe/page/recordingStream.ts'
import { headLine, recordLine } from '../../../observe/recorder/recording.ts'
import type { ActorRecord } from '../../../observe/recorder/record.ts'

const head = headLine({ cluster: 'c1', madeAt: 5, nodes: ['n1'], missing: [], from: null, to: null })
const elected: ActorRecord = { at: 1, seq: 1, node: 'n1', actor: 'raft/0', kind: 'state', event: 'leader.serving', term: 1 }
const group = (seq: number): ActorRecord => ({ at: seq, seq, node: 'n1', actor: 'wal', kind: 'batch', event: 'group' })

const fileOf = (traffic: number): Blob =>
  new Blob([head, recordLine(elected), ...Array.from({ length: traffic }, (_, i) => recordLine(group(i + 2)))])

const RECORDS_MAX = 1_000

test('of a recording that is too long the newest is kept, and the whole story, since an incident is at its end', async () => {
  for (const traffic of [1_000, 1_001, 1_300, 20_000]) {
    const loaded = await loadFrom(fileOf(traffic).stream(), { recordsMax: RECORDS_MAX })
    if ('problem' in loaded) throw new Error(loaded.problem)
    expect(loaded.records).toEqual([elected, ...Array.from({ length: RECORDS_MAX - 1 }, (_, i) => group(traffic - RECORDS_MAX + 3 + i))])
    expect([loaded.isCut, lacksOf(loaded)]).toEqual([true, [expect.stringContaining('older')]])
  }
})

test('one that fits is whole', async () => {
  const loaded = await loadFrom(fileOf(RECORDS_MAX - 1).stream(), { recordsMax: RECORDS_MAX })
  expect(loaded).toMatchObject({ records: [elected, ...Array.from({ length: RECORDS_MAX - 1 }, (_, i) => group(i + 2))], isCut: false })
})
