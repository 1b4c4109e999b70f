/** What a log goes through in its life, one short story each: the torture crashes and fails them at every call. */

import { promiseProblem } from './promises.ts'
import { SPARE_BYTES, createRig, entriesOf, entryOf, vote } from '../rig.ts'
import type { DiskImage } from '../../storage/memoryFileSystem.ts'
import type { GroupModel } from '../model.ts'
import type { Rig } from '../rig.ts'

export interface Story {
  readonly name: string
  readonly run: (rig: Rig) => void
  /** What the log finds when the story begins; a new log without it. */
  readonly before?: () => { readonly image: DiskImage; readonly models: Map<number, GroupModel> }
  readonly capacityBytes?: number
  /** What is wrong beyond what every log must keep. */
  readonly judge?: (rig: Rig, image: DiskImage) => string | undefined
}

const filler = (rig: Rig, group: number, range: { readonly from: number; readonly to: number; readonly bytes?: number }): void => {
  for (let index = range.from; index <= range.to; index += 1) {
    rig.append(group, { entries: [entryOf(index, { bytes: range.bytes ?? 1_500 })] })
    rig.clock.advance(2)
  }
}

/** A disk that is full: two segments, and what none takes. */
const FULL_BYTES = 2 * 16_384 + SPARE_BYTES

const fullDisk = (): { readonly image: DiskImage; readonly models: Map<number, GroupModel> } => {
  const rig = createRig({ capacityBytes: FULL_BYTES }).open()
  filler(rig, 1, { from: 1, to: 20 })
  rig.clock.advance(300)
  for (const model of rig.models.values()) model.steps.length = model.acknowledged
  for (const model of rig.models.values()) model.tickets.clear()
  return { image: rig.disk.image(), models: rig.models }
}

export const logStories: readonly Story[] = [
  { name: 'append', run: (rig) => {
    rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 3) })
    rig.append(2, { hardState: { term: 4, vote: '' } })
    rig.clock.advance(3)
    rig.append(2, { entries: entriesOf(1, 2, { term: 4 }) })
    rig.append(1, { entries: entriesOf(4, 9, { bytes: 700 }) })
    rig.clock.advance(3)
  } },
  { name: 'seal', run: (rig) => {
    rig.append(1, { entries: entriesOf(1, 2) })
    rig.clock.advance(300)
    rig.append(1, { entries: entriesOf(3, 4) })
    rig.clock.advance(300)
  } },
  { name: 'roll', run: (rig) => {
    filler(rig, 1, { from: 1, to: 14 })
    filler(rig, 2, { from: 1, to: 4 })
  } },
  { name: 'truncate', run: (rig) => {
    rig.append(1, { hardState: { term: 1, vote: '' }, entries: entriesOf(1, 8) })
    rig.clock.advance(2)
    rig.append(1, { hardState: { term: 2, vote: vote('b') }, entries: entriesOf(5, 6, { term: 2 }) })
    rig.clock.advance(2)
    rig.append(1, { entries: entriesOf(7, 7, { term: 2 }) })
    rig.clock.advance(2)
  } },
  { name: 'compact', run: (rig) => {
    rig.append(2, { hardState: { term: 3, vote: vote('c') } })
    filler(rig, 1, { from: 1, to: 30 })
    rig.compact(1, { index: 25, term: 1 })
    filler(rig, 1, { from: 31, to: 40 })
    rig.clock.advance(200)
  } },
  { name: 'copy forward', run: (rig) => {
    rig.append(7, { hardState: { term: 2, vote: vote('d') }, entries: entriesOf(1, 3, { term: 2 }) })
    for (let round = 0; round < 6; round += 1) {
      filler(rig, 1, { from: round * 8 + 1, to: round * 8 + 8 })
      rig.compact(1, { index: round * 8 + 6, term: 1 })
      rig.clock.advance(5)
    }
    rig.append(7, { entries: entriesOf(3, 4, { term: 3 }) })
    rig.clock.advance(200)
  } },
  { name: 'install snapshot', run: (rig) => {
    rig.append(1, { hardState: { term: 1, vote: '' }, entries: entriesOf(1, 6) })
    rig.clock.advance(2)
    rig.install(1, { index: 40, term: 3 })
    rig.append(1, { entries: entriesOf(41, 43, { term: 3 }) })
    rig.clock.advance(2)
    rig.install(1, { index: 42, term: 3 })
    rig.append(1, { entries: entriesOf(44, 44, { term: 3 }) })
    rig.clock.advance(2)
  } },
  { name: 'oversized entry', run: (rig) => {
    rig.append(1, { entries: [entryOf(1), entryOf(2, { bytes: 30_000 }), entryOf(3)] })
    rig.clock.advance(30)
    filler(rig, 1, { from: 4, to: 6 })
  } },
  { name: 'close', run: (rig) => {
    rig.append(1, { entries: entriesOf(1, 2) })
    rig.wal.send({ type: 'wal.close' })
    rig.clock.advance(100)
  } },
  { name: 'group commit', run: (rig) => {
    for (let group = 1; group <= 6; group += 1) {
      rig.append(group, { hardState: { term: group, vote: vote('a') }, entries: entriesOf(1, 4, { term: group, bytes: 500 }) })
    }
    rig.clock.advance(5)
    for (let group = 1; group <= 6; group += 1) rig.append(group, { entries: entriesOf(5, 5, { term: group, bytes: 900 }) })
    rig.clock.advance(5)
  } },
  { name: 'several groups', run: (rig) => {
    for (let round = 1; round <= 6; round += 1) {
      rig.append(1, { entries: [entryOf(round, { bytes: 300 })] })
      rig.append(2, { hardState: { term: round, vote: round % 2 === 0 ? vote('a') : '' } })
      rig.append(3, { entries: entriesOf(round, round + 2, { term: round, bytes: 200 }) })
      if (round === 4) rig.compact(1, { index: 3, term: 1 })
      if (round === 5) rig.install(4, { index: 70, term: 2 })
      rig.clock.advance(round % 2)
    }
    rig.clock.advance(5)
  } },
  { name: 'start while full', before: fullDisk, capacityBytes: FULL_BYTES, run: (rig) => {
    rig.append(2, { hardState: { term: 9, vote: vote('x') }, reserved: true })
    rig.clock.advance(5)
    rig.append(3, { entries: entriesOf(1, 12, { bytes: 1_400 }) })
    rig.clock.advance(600)
    rig.disk.setCapacity(1_000_000)
    rig.clock.advance(1_200)
    rig.append(3, { entries: entriesOf(13, 14) })
    rig.clock.advance(5)
  } },
  { name: 'quarantine', run: (rig) => {
    rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 5) })
    rig.append(2, { entries: entriesOf(1, 2) })
    rig.clock.advance(2)
    rig.quarantine(1, 'presented less than it promised')
    rig.clock.advance(2)
    filler(rig, 2, { from: 3, to: 22 })
    rig.compact(2, { index: 20, term: 1 })
    filler(rig, 2, { from: 23, to: 30 })
    rig.clock.advance(200)
  } },
  { name: 'replicas', run: (rig) => {
    rig.append(1, { hardState: { term: 1, vote: vote('a') }, entries: entriesOf(1, 5) })
    rig.append(2, { hardState: { term: 3, vote: vote('b') }, entries: entriesOf(1, 3, { term: 3 }) })
    rig.clock.advance(2)
    rig.retire(1, 1)
    rig.adopt(2, 4)
    rig.append(2, { entries: entriesOf(1, 2, { term: 4 }) })
    rig.clock.advance(2)
    filler(rig, 3, { from: 1, to: 16 })
    rig.compact(3, { index: 14, term: 1 })
    rig.clock.advance(5)
    rig.append(2, { entries: entriesOf(3, 12, { term: 4, bytes: 1_200 }) })
    rig.adopt(2, 6)
    rig.append(2, { hardState: { term: 5, vote: vote('c') }, entries: entriesOf(1, 2, { term: 5 }) })
    rig.adopt(1, 7)
    rig.install(1, { index: 30, term: 2 })
    rig.clock.advance(3)
    filler(rig, 3, { from: 17, to: 40 })
    rig.retire(3, 1)
    rig.clock.advance(200)
  } },
  { name: 'promises', judge: promiseProblem, run: (rig) => {
    rig.append(1, { hardState: { term: 1, vote: vote('a') } })
    rig.clock.advance(1)
    rig.append(1, { entries: entriesOf(1, 6) })
    rig.clock.advance(1)
    rig.append(1, { hardState: { term: 2, vote: '' } })
    rig.append(1, { hardState: { term: 2, vote: vote('b') } })
    rig.clock.advance(1)
    rig.append(1, { entries: entriesOf(4, 5, { term: 2 }) })
    rig.clock.advance(1)
    rig.append(1, { hardState: { term: 4, vote: vote('c') }, entries: entriesOf(6, 9, { term: 2, bytes: 900 }) })
    rig.append(1, { entries: entriesOf(8, 11, { term: 4 }) })
    rig.clock.advance(2)
  } },
]
